using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace TensorCompress.Kernels.Simd;

/// <summary>Sixteen lanes in two 256-bit vectors, multiplied and added by VPDPBUSD (AVX-VNNI): one instruction instead of two for 4 bits, of four for 8 bits.</summary>
internal readonly struct ByteSimdVnni(Vector256<byte> low, Vector256<byte> high) : IByteSimd<ByteSimdVnni, Simd256>
{
    private readonly Vector256<byte> _low = low;
    private readonly Vector256<byte> _high = high;

    public static ByteSimdVnni Zero => new(Vector256<byte>.Zero, Vector256<byte>.Zero);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe ByteSimdVnni Load(byte* source) => new(Vector256.Load(source), Vector256.Load(source + 32));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe ByteSimdVnni BroadcastFour(sbyte* source)
    {
        Vector256<byte> four = Vector256.Create(*(int*)source).AsByte();
        return new(four, four);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe ByteSimdVnni LoadShorts(short* source) => new(Widen(source), Widen(source + 8));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ByteSimdVnni LowNibbles(ByteSimdVnni bytes)
    {
        Vector256<byte> mask = Vector256.Create((byte)15);
        return new(bytes._low & mask, bytes._high & mask);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ByteSimdVnni HighNibbles(ByteSimdVnni bytes)
    {
        Vector256<byte> mask = Vector256.Create((byte)15);
        return new((bytes._low.AsUInt16() >>> 4).AsByte() & mask, (bytes._high.AsUInt16() >>> 4).AsByte() & mask);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ByteSimdVnni Bit(ByteSimdVnni bytes, int bit)
    {
        Vector256<byte> mask = Vector256.Create((byte)(1 << bit));
        return new(bytes._low & mask, bytes._high & mask);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ByteSimdVnni AddNibbleProducts(ByteSimdVnni sums, ByteSimdVnni codes, ByteSimdVnni activations) => AddByteProducts(sums, codes, activations);

    public static ByteSimdVnni NibbleSums(ByteSimdVnni sums) => sums;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ByteSimdVnni ByteSums(int activationSum)
    {
        Vector256<byte> start = Vector256.Create(-128 * activationSum).AsByte();
        return new(start, start);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ByteSimdVnni AddByteProducts(ByteSimdVnni sums, ByteSimdVnni codes, ByteSimdVnni activations) => new(
        IntegerProducts.AddFour(sums._low.AsInt32(), codes._low, activations._low.AsSByte()).AsByte(),
        IntegerProducts.AddFour(sums._high.AsInt32(), codes._high, activations._high.AsSByte()).AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ByteSimdVnni SubtractMultiple(ByteSimdVnni sums, ByteSimdVnni factors, int number)
    {
        Vector256<short> negative = Vector256.Create(-number & 0xFFFF).AsInt16();
        return new(
            IntegerProducts.AddTwo(sums._low.AsInt32(), factors._low.AsInt16(), negative).AsByte(),
            IntegerProducts.AddTwo(sums._high.AsInt32(), factors._high.AsInt16(), negative).AsByte());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd256 ToSingle(ByteSimdVnni sums) => new(Vector256.ConvertToSingle(sums._low.AsInt32()), Vector256.ConvertToSingle(sums._high.AsInt32()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static unsafe Vector256<byte> Widen(short* source) => Vector256.WidenLower(Vector128.Load(source).ToVector256Unsafe()).AsByte();
}
