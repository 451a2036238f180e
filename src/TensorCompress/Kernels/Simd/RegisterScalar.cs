using System.Numerics;

namespace TensorCompress.Kernels.Simd;

/// <summary>A register of one element, for CPUs without vectors and as the plainest form.</summary>
internal readonly unsafe struct RegisterScalar<T>(T value) : IRegister<RegisterScalar<T>, T>
    where T : unmanaged, IFloatingPointIeee754<T>
{
    private readonly T _value = value;

    public static int Count => 1;

    public static RegisterScalar<T> Zero => new(T.Zero);

    public static RegisterScalar<T> Broadcast(T value) => new(value);

    public static RegisterScalar<T> Load(T* source) => new(*source);

    public static void Store(RegisterScalar<T> value, T* destination) => *destination = value._value;

    public static RegisterScalar<T> operator *(RegisterScalar<T> left, RegisterScalar<T> right) => new(left._value * right._value);

    public static RegisterScalar<T> operator /(RegisterScalar<T> left, RegisterScalar<T> right) => new(left._value / right._value);

    public static void Accumulate(ref RegisterScalar<T> sum, RegisterScalar<T> a, RegisterScalar<T> b) => sum = new(T.FusedMultiplyAdd(a._value, b._value, sum._value));
}
