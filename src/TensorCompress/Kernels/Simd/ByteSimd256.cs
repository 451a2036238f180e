using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace TensorCompress.Kernels.Simd;

/// <summary>Sixteen lanes in two 256-bit vectors, multiplied by VPMADDUBSW and VPMADDWD.</summary>
internal readonly struct ByteSimd256(Vector256<byte> low, Vector256<byte> high) : IByteSimd<ByteSimd256, Simd256>
{
    private readonly Vector256<byte> _low = low;
    private readonly Vector256<byte> _high = high;

    public static ByteSimd256 Zero => new(Vector256<byte>.Zero, Vector256<byte>.Zero);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe ByteSimd256 Load(byte* source) => new(Vector256.Load(source), Vector256.Load(source + 32));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe ByteSimd256 BroadcastFour(sbyte* source)
    {
        Vector256<byte> four = Vector256.Create(*(int*)source).AsByte();
        return new(four, four);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe ByteSimd256 LoadShorts(short* source) => new(Widen(source), Widen(source + 8));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ByteSimd256 LowNibbles(ByteSimd256 bytes)
    {
        Vector256<byte> mask = Vector256.Create((byte)15);
        return new(bytes._low & mask, bytes._high & mask);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ByteSimd256 HighNibbles(ByteSimd256 bytes)
    {
        Vector256<byte> mask = Vector256.Create((byte)15);
        return new((bytes._low.AsUInt16() >>> 4).AsByte() & mask, (bytes._high.AsUInt16() >>> 4).AsByte() & mask);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ByteSimd256 Bit(ByteSimd256 bytes, int bit)
    {
        Vector256<byte> mask = Vector256.Create((byte)(1 << bit));
        return new(bytes._low & mask, bytes._high & mask);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ByteSimd256 AddNibbleProducts(ByteSimd256 sums, ByteSimd256 codes, ByteSimd256 activations) => new(
        (sums._low.AsInt16() + IntegerProducts.OfBytes(codes._low, activations._low.AsSByte())).AsByte(),
        (sums._high.AsInt16() + IntegerProducts.OfBytes(codes._high, activations._high.AsSByte())).AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ByteSimd256 NibbleSums(ByteSimd256 sums)
    {
        Vector256<short> ones = Vector256.Create((short)1);
        return new(IntegerProducts.OfShorts(sums._low.AsInt16(), ones).AsByte(), IntegerProducts.OfShorts(sums._high.AsInt16(), ones).AsByte());
    }

    public static ByteSimd256 ByteSums(int activationSum) => Zero; // signed bytes are multiplied: |w| <= 128 times |a| <= 127, a pair of products has 15 bits

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ByteSimd256 AddByteProducts(ByteSimd256 sums, ByteSimd256 codes, ByteSimd256 activations) => new(
        AddByteProducts(sums._low, codes._low, activations._low), AddByteProducts(sums._high, codes._high, activations._high));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ByteSimd256 SubtractMultiple(ByteSimd256 sums, ByteSimd256 factors, int number)
    {
        Vector256<short> negative = Vector256.Create(-number & 0xFFFF).AsInt16();
        return new(
            (sums._low.AsInt32() + IntegerProducts.OfShorts(factors._low.AsInt16(), negative)).AsByte(),
            (sums._high.AsInt32() + IntegerProducts.OfShorts(factors._high.AsInt16(), negative)).AsByte());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd256 ToSingle(ByteSimd256 sums) => new(Vector256.ConvertToSingle(sums._low.AsInt32()), Vector256.ConvertToSingle(sums._high.AsInt32()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<byte> AddByteProducts(Vector256<byte> sums, Vector256<byte> codes, Vector256<byte> activations)
    {
        Vector256<sbyte> weights = (codes ^ Vector256.Create((byte)128)).AsSByte();
        Vector256<short> pairs = IntegerProducts.OfBytes(Vector256.Abs(weights).AsByte(), IntegerProducts.WithSign(activations.AsSByte(), weights));
        return (sums.AsInt32() + IntegerProducts.OfShorts(pairs, Vector256.Create((short)1))).AsByte();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static unsafe Vector256<byte> Widen(short* source) => Vector256.WidenLower(Vector128.Load(source).ToVector256Unsafe()).AsByte();
}
