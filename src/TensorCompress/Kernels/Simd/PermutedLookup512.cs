using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace TensorCompress.Kernels.Simd;

/// <summary>
/// Four tables of sixteen bytes as one of sixty-four, in which each byte finds: VPERMB of AVX-512 VBMI. The four bytes of a 32-bit word are of one row and find in one table each, so neighbours are added by
/// VPMADDUBSW and two operations replace the three that keep rows of bytes apart. For signs in the order <see cref="SignLayout.Words"/>.
/// </summary>
internal readonly struct PermutedLookup512(Vector512<byte> value) : ITableLookup<PermutedLookup512, Simd512>
{
    private const int Tables = 0x30201000; // where the table of each byte of a word begins

    private readonly Vector512<byte> _value = value;

    public static int Bytes => 64;

    public static PermutedLookup512 Zero => new(Vector512<byte>.Zero);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe PermutedLookup512 Load(byte* source) => new(Vector512.Load(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static PermutedLookup512 LowNibbles(PermutedLookup512 bytes) => new((bytes._value & Vector512.Create((byte)15)) | Vector512.Create(Tables).AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static PermutedLookup512 HighNibbles(PermutedLookup512 bytes) => new(((bytes._value.AsUInt16() >>> 4).AsByte() & Vector512.Create((byte)15)) | Vector512.Create(Tables).AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static PermutedLookup512 Find(PermutedLookup512 tables, PermutedLookup512 numbers) => new(Avx512Vbmi.IsSupported
        ? Avx512Vbmi.PermuteVar64x8(tables._value, numbers._value)
        : Vector512.Shuffle(tables._value, numbers._value));

    /// <summary>Pairs of bytes are added to 16-bit sums: at most 64 additions for a chunk of 1024 columns, 64 x 2 x 255 = 32640 &lt; 2^15. No second sum is needed.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Add(ref PermutedLookup512 words, ref PermutedLookup512 upper, PermutedLookup512 found) =>
        words = new((words._value.AsInt16() + IntegerProducts.OfBytes(found._value, Vector512.Create((sbyte)1))).AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd512 RowSums(PermutedLookup512 words, PermutedLookup512 upper, int less) =>
        new(Vector512.ConvertToSingle(IntegerProducts.OfShorts(words._value.AsInt16(), Vector512.Create((short)1)) - Vector512.Create(less)));
}
