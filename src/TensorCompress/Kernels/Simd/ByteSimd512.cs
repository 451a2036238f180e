using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace TensorCompress.Kernels.Simd;

/// <summary>Sixteen lanes in one 512-bit vector, multiplied by VPMADDUBSW and VPMADDWD.</summary>
internal readonly struct ByteSimd512(Vector512<byte> value) : IByteSimd<ByteSimd512, Simd512>
{
    private readonly Vector512<byte> _value = value;

    public static ByteSimd512 Zero => new(Vector512<byte>.Zero);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe ByteSimd512 Load(byte* source) => new(Vector512.Load(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe ByteSimd512 BroadcastFour(sbyte* source) => new(Vector512.Create(*(int*)source).AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe ByteSimd512 LoadShorts(short* source) => new(Vector512.WidenLower(Vector256.Load(source).ToVector512Unsafe()).AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ByteSimd512 LowNibbles(ByteSimd512 bytes) => new(bytes._value & Vector512.Create((byte)15));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ByteSimd512 HighNibbles(ByteSimd512 bytes) => new((bytes._value.AsUInt16() >>> 4).AsByte() & Vector512.Create((byte)15));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ByteSimd512 Bit(ByteSimd512 bytes, int bit) => new(bytes._value & Vector512.Create((byte)(1 << bit)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ByteSimd512 AddNibbleProducts(ByteSimd512 sums, ByteSimd512 codes, ByteSimd512 activations) =>
        new((sums._value.AsInt16() + IntegerProducts.OfBytes(codes._value, activations._value.AsSByte())).AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ByteSimd512 NibbleSums(ByteSimd512 sums) => new(IntegerProducts.OfShorts(sums._value.AsInt16(), Vector512.Create((short)1)).AsByte());

    public static ByteSimd512 ByteSums(int activationSum) => Zero; // signed bytes are multiplied: |w| <= 128 times |a| <= 127, a pair of products has 15 bits

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ByteSimd512 AddByteProducts(ByteSimd512 sums, ByteSimd512 codes, ByteSimd512 activations)
    {
        // |w| x sign(w) a: there is no VPSIGNB of this width, so a is negated where w is negative.
        Vector512<sbyte> weights = (codes._value ^ Vector512.Create((byte)128)).AsSByte(), signed = activations._value.AsSByte();
        Vector512<sbyte> negative = Vector512.LessThan(weights, Vector512<sbyte>.Zero);
        Vector512<byte> magnitudes = Vector512.Abs(weights).AsByte();
        Vector512<short> pairs = IntegerProducts.OfBytes(magnitudes, (signed ^ negative) - negative);
        return new((sums._value.AsInt32() + IntegerProducts.OfShorts(pairs, Vector512.Create((short)1))).AsByte());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ByteSimd512 SubtractMultiple(ByteSimd512 sums, ByteSimd512 factors, int number) =>
        new((sums._value.AsInt32() + IntegerProducts.OfShorts(factors._value.AsInt16(), Vector512.Create(-number & 0xFFFF).AsInt16())).AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd512 ToSingle(ByteSimd512 sums) => new(Vector512.ConvertToSingle(sums._value.AsInt32()));
}
