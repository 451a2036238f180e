using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace TensorCompress.Kernels.Simd;

/// <summary>Two lanes of sixteen bytes: VPSHUFB.</summary>
internal readonly struct Lookup256(Vector256<byte> value) : ITableLookup<Lookup256, Simd256>
{
    private readonly Vector256<byte> _value = value;

    public static int Bytes => 32;

    public static Lookup256 Zero => new(Vector256<byte>.Zero);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Lookup256 Load(byte* source) => new(Vector256.Load(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lookup256 LowNibbles(Lookup256 bytes) => new(bytes._value & Vector256.Create((byte)15));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lookup256 HighNibbles(Lookup256 bytes) => new((bytes._value.AsUInt16() >>> 4).AsByte() & Vector256.Create((byte)15));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lookup256 Find(Lookup256 tables, Lookup256 numbers) => new(Find(tables._value, numbers._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Add(ref Lookup256 words, ref Lookup256 upper, Lookup256 found)
    {
        words = new((words._value.AsUInt16() + found._value.AsUInt16()).AsByte());
        upper = new((upper._value.AsUInt16() + (found._value.AsUInt16() >>> 8)).AsByte());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd256 RowSums(Lookup256 words, Lookup256 upper, int less)
    {
        Vector256<ushort> odd = upper._value.AsUInt16(), even = words._value.AsUInt16() - (odd << 8);
        Vector256<int> offset = Vector256.Create(less);
        return new(Vector256.ConvertToSingle(LaneSum(even) - offset), Vector256.ConvertToSingle(LaneSum(odd) - offset));
    }

    /// <summary>Look-ups in two tables.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector256<byte> Find(Vector256<byte> tables, Vector256<byte> numbers) => Avx2.IsSupported
        ? Avx2.Shuffle(tables, numbers)
        : Vector256.Create(Vector128.ShuffleNative(tables.GetLower(), numbers.GetLower()), Vector128.ShuffleNative(tables.GetUpper(), numbers.GetUpper()));

    /// <summary>The sums of both lanes' words.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector256<int> LaneSum(Vector256<ushort> words) =>
        (Vector256.WidenLower(words) + Vector256.WidenLower(words.GetUpper().ToVector256Unsafe())).AsInt32();
}
