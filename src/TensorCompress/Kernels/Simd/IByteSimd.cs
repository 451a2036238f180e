namespace TensorCompress.Kernels.Simd;

/// <summary>
/// Sixteen lanes of four bytes for integer products: a lane is a weight row, its bytes are four columns. Codes are unsigned, activations lie in -127 to 127; every sum is
/// exact, so all implementations give the same integers.
/// </summary>
/// <typeparam name="TSelf">The implementation.</typeparam>
/// <typeparam name="TSimd">Sixteen floats of the same width.</typeparam>
internal interface IByteSimd<TSelf, TSimd>
    where TSelf : struct, IByteSimd<TSelf, TSimd>
    where TSimd : struct, ISimd<TSimd>
{
    static abstract TSelf Zero { get; }

    /// <summary>Sixty-four bytes.</summary>
    static abstract unsafe TSelf Load(byte* source);

    /// <summary>Four activations, the same in every lane.</summary>
    static abstract unsafe TSelf BroadcastFour(sbyte* source);

    /// <summary>Sixteen 16-bit integers, one to a lane.</summary>
    static abstract unsafe TSelf LoadShorts(short* source);

    /// <summary>The lower four bits of each byte.</summary>
    static abstract TSelf LowNibbles(TSelf bytes);

    /// <summary>The upper four bits of each byte.</summary>
    static abstract TSelf HighNibbles(TSelf bytes);

    /// <summary>One bit of each byte, in its place; the others are cleared.</summary>
    static abstract TSelf Bit(TSelf bytes, int bit);

    /// <summary>Adds the products of codes 0 to 15. Eight calls at most before <see cref="NibbleSums"/>, or sixteen with codes up to 8: a 16-bit half of a lane grows by 2 x 15 x 127 = 3810 (2032) at most, 30480 (32512) in all.</summary>
    static abstract TSelf AddNibbleProducts(TSelf sums, TSelf codes, TSelf activations);

    /// <summary>The 32-bit sums of the lanes of <see cref="AddNibbleProducts"/>.</summary>
    static abstract TSelf NibbleSums(TSelf sums);

    /// <summary>Where sums of <see cref="AddByteProducts"/> begin.</summary>
    /// <param name="activationSum">The sum of all activations that will follow.</param>
    static abstract TSelf ByteSums(int activationSum);

    /// <summary>Adds the products of codes 0 to 255 to 32-bit sums that began with <see cref="ByteSums"/>: after the last they are those of (codes - 128).</summary>
    static abstract TSelf AddByteProducts(TSelf sums, TSelf codes, TSelf activations);

    /// <summary>sums - factors x number, all lanes within 16 bits (factors of <see cref="LoadShorts"/>, number in -4096 to 4096).</summary>
    static abstract TSelf SubtractMultiple(TSelf sums, TSelf factors, int number);

    /// <summary>Thirty-two bit lanes as floats.</summary>
    static abstract TSimd ToSingle(TSelf sums);
}
