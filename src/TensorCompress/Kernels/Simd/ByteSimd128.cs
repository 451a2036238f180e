using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace TensorCompress.Kernels.Simd;

/// <summary>Sixteen lanes in four 128-bit vectors: PMADDUBSW and PMADDWD, or the widening multiplications of ARM.</summary>
internal readonly struct ByteSimd128(Vector128<byte> v0, Vector128<byte> v1, Vector128<byte> v2, Vector128<byte> v3) : IByteSimd<ByteSimd128, Simd128>
{
    private readonly Vector128<byte> _v0 = v0;
    private readonly Vector128<byte> _v1 = v1;
    private readonly Vector128<byte> _v2 = v2;
    private readonly Vector128<byte> _v3 = v3;

    public static ByteSimd128 Zero => new(Vector128<byte>.Zero, Vector128<byte>.Zero, Vector128<byte>.Zero, Vector128<byte>.Zero);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe ByteSimd128 Load(byte* source) => new(Vector128.Load(source), Vector128.Load(source + 16), Vector128.Load(source + 32), Vector128.Load(source + 48));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe ByteSimd128 BroadcastFour(sbyte* source)
    {
        Vector128<byte> four = Vector128.Create(*(int*)source).AsByte();
        return new(four, four, four, four);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe ByteSimd128 LoadShorts(short* source)
    {
        (Vector128<int> v0, Vector128<int> v1) = Vector128.Widen(Vector128.Load(source));
        (Vector128<int> v2, Vector128<int> v3) = Vector128.Widen(Vector128.Load(source + 8));
        return new(v0.AsByte(), v1.AsByte(), v2.AsByte(), v3.AsByte());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ByteSimd128 LowNibbles(ByteSimd128 bytes)
    {
        Vector128<byte> mask = Vector128.Create((byte)15);
        return new(bytes._v0 & mask, bytes._v1 & mask, bytes._v2 & mask, bytes._v3 & mask);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ByteSimd128 HighNibbles(ByteSimd128 bytes) => new(High(bytes._v0), High(bytes._v1), High(bytes._v2), High(bytes._v3));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ByteSimd128 Bit(ByteSimd128 bytes, int bit)
    {
        Vector128<byte> mask = Vector128.Create((byte)(1 << bit));
        return new(bytes._v0 & mask, bytes._v1 & mask, bytes._v2 & mask, bytes._v3 & mask);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ByteSimd128 AddNibbleProducts(ByteSimd128 sums, ByteSimd128 codes, ByteSimd128 activations) => new(
        AddNibbles(sums._v0, codes._v0, activations._v0), AddNibbles(sums._v1, codes._v1, activations._v1),
        AddNibbles(sums._v2, codes._v2, activations._v2), AddNibbles(sums._v3, codes._v3, activations._v3));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ByteSimd128 NibbleSums(ByteSimd128 sums) => new(PairSums(sums._v0), PairSums(sums._v1), PairSums(sums._v2), PairSums(sums._v3));

    public static ByteSimd128 ByteSums(int activationSum) => Zero; // signed bytes are multiplied: |w| <= 128 times |a| <= 127, a pair of products has 15 bits

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ByteSimd128 AddByteProducts(ByteSimd128 sums, ByteSimd128 codes, ByteSimd128 activations) => new(
        AddBytes(sums._v0, codes._v0, activations._v0), AddBytes(sums._v1, codes._v1, activations._v1),
        AddBytes(sums._v2, codes._v2, activations._v2), AddBytes(sums._v3, codes._v3, activations._v3));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ByteSimd128 SubtractMultiple(ByteSimd128 sums, ByteSimd128 factors, int number)
    {
        Vector128<int> n = Vector128.Create(number);
        return new(
            (sums._v0.AsInt32() - factors._v0.AsInt32() * n).AsByte(), (sums._v1.AsInt32() - factors._v1.AsInt32() * n).AsByte(),
            (sums._v2.AsInt32() - factors._v2.AsInt32() * n).AsByte(), (sums._v3.AsInt32() - factors._v3.AsInt32() * n).AsByte());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd128 ToSingle(ByteSimd128 sums) => new(
        Vector128.ConvertToSingle(sums._v0.AsInt32()), Vector128.ConvertToSingle(sums._v1.AsInt32()),
        Vector128.ConvertToSingle(sums._v2.AsInt32()), Vector128.ConvertToSingle(sums._v3.AsInt32()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<byte> High(Vector128<byte> bytes) => (bytes.AsUInt16() >>> 4).AsByte() & Vector128.Create((byte)15);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<byte> AddNibbles(Vector128<byte> sums, Vector128<byte> codes, Vector128<byte> activations) =>
        (sums.AsInt16() + IntegerProducts.OfBytes(codes, activations.AsSByte())).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<byte> PairSums(Vector128<byte> sums) => IntegerProducts.OfShorts(sums.AsInt16(), Vector128.Create((short)1)).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<byte> AddBytes(Vector128<byte> sums, Vector128<byte> codes, Vector128<byte> activations)
    {
        Vector128<sbyte> weights = (codes ^ Vector128.Create((byte)128)).AsSByte();
        Vector128<short> pairs = IntegerProducts.OfBytes(Vector128.Abs(weights).AsByte(), IntegerProducts.WithSign(activations.AsSByte(), weights));
        return (sums.AsInt32() + IntegerProducts.OfShorts(pairs, Vector128.Create((short)1))).AsByte();
    }
}
