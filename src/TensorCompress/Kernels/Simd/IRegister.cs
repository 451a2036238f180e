namespace TensorCompress.Kernels.Simd;

/// <summary>
/// One vector register of <typeparamref name="T"/>, where <see cref="ISimd{TSelf}"/> is a fixed number of lanes: for kernels in which lanes never meet, so that
/// the width of a register changes no bits. Multiply-add has one rounding on every CPU, in software where the hardware has none.
/// </summary>
internal unsafe interface IRegister<TSelf, T>
    where TSelf : struct, IRegister<TSelf, T>
    where T : unmanaged
{
    /// <summary>Elements in the register.</summary>
    static abstract int Count { get; }

    static abstract TSelf Zero { get; }

    static abstract TSelf Broadcast(T value);

    static abstract TSelf Load(T* source);

    static abstract void Store(TSelf value, T* destination);

    static abstract TSelf operator *(TSelf left, TSelf right);

    static abstract TSelf operator /(TSelf left, TSelf right);

    /// <summary>sum = a * b + sum with one rounding. By reference, because the compiler then keeps the sum in its register instead of moving it at every step.</summary>
    static abstract void Accumulate(ref TSelf sum, TSelf a, TSelf b);
}
