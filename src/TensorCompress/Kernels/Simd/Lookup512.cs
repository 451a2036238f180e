using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace TensorCompress.Kernels.Simd;

/// <summary>Four lanes of sixteen bytes: VPSHUFB of AVX-512BW, for CPUs without the VPERMB of <see cref="PermutedLookup512"/>.</summary>
internal readonly struct Lookup512(Vector512<byte> value) : ITableLookup<Lookup512, Simd512>
{
    private readonly Vector512<byte> _value = value;

    public static int Bytes => 64;

    public static Lookup512 Zero => new(Vector512<byte>.Zero);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Lookup512 Load(byte* source) => new(Vector512.Load(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lookup512 LowNibbles(Lookup512 bytes) => new(bytes._value & Vector512.Create((byte)15));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lookup512 HighNibbles(Lookup512 bytes) => new((bytes._value.AsUInt16() >>> 4).AsByte() & Vector512.Create((byte)15));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lookup512 Find(Lookup512 tables, Lookup512 numbers) => new(Avx512BW.IsSupported
        ? Avx512BW.Shuffle(tables._value, numbers._value)
        : Vector512.Create(Lookup256.Find(tables._value.GetLower(), numbers._value.GetLower()), Lookup256.Find(tables._value.GetUpper(), numbers._value.GetUpper())));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Add(ref Lookup512 words, ref Lookup512 upper, Lookup512 found)
    {
        words = new((words._value.AsUInt16() + found._value.AsUInt16()).AsByte());
        upper = new((upper._value.AsUInt16() + (found._value.AsUInt16() >>> 8)).AsByte());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd512 RowSums(Lookup512 words, Lookup512 upper, int less)
    {
        Vector512<ushort> odd = upper._value.AsUInt16(), even = words._value.AsUInt16() - (odd << 8);
        Vector512<int> sums = Vector512.Create(
            Lookup256.LaneSum(even.GetLower()) + Lookup256.LaneSum(even.GetUpper()), Lookup256.LaneSum(odd.GetLower()) + Lookup256.LaneSum(odd.GetUpper()));
        return new(Vector512.ConvertToSingle(sums - Vector512.Create(less)));
    }
}
