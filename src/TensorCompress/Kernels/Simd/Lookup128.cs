using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace TensorCompress.Kernels.Simd;

/// <summary>One lane of sixteen bytes: PSHUFB, or TBL on ARM.</summary>
internal readonly struct Lookup128(Vector128<byte> value) : ITableLookup<Lookup128, Simd128>
{
    private readonly Vector128<byte> _value = value;

    public static int Bytes => 16;

    public static Lookup128 Zero => new(Vector128<byte>.Zero);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Lookup128 Load(byte* source) => new(Vector128.Load(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lookup128 LowNibbles(Lookup128 bytes) => new(bytes._value & Vector128.Create((byte)15));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lookup128 HighNibbles(Lookup128 bytes) => new((bytes._value.AsUInt16() >>> 4).AsByte() & Vector128.Create((byte)15));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lookup128 Find(Lookup128 tables, Lookup128 numbers) => new(Vector128.ShuffleNative(tables._value, numbers._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Add(ref Lookup128 words, ref Lookup128 upper, Lookup128 found)
    {
        words = new((words._value.AsUInt16() + found._value.AsUInt16()).AsByte());
        upper = new((upper._value.AsUInt16() + (found._value.AsUInt16() >>> 8)).AsByte());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd128 RowSums(Lookup128 words, Lookup128 upper, int less)
    {
        Vector128<ushort> odd = upper._value.AsUInt16(), even = words._value.AsUInt16() - (odd << 8);
        (Vector128<uint> e0, Vector128<uint> e1) = Vector128.Widen(even);
        (Vector128<uint> o0, Vector128<uint> o1) = Vector128.Widen(odd);
        Vector128<int> offset = Vector128.Create(less);
        return new(
            Vector128.ConvertToSingle(e0.AsInt32() - offset), Vector128.ConvertToSingle(e1.AsInt32() - offset), Vector128.ConvertToSingle(o0.AsInt32() - offset), Vector128.ConvertToSingle(o1.AsInt32() - offset));
    }
}
