using System.Runtime.CompilerServices;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tensors;

namespace TensorCompress.Kernels;

/// <summary>A 16-bit float format: how sixteen of its words become floats and back.</summary>
internal interface IHalfFormat
{
    /// <summary>Exact floats of words in the low bits of the lanes.</summary>
    static abstract TSimd Widen<TSimd>(TSimd words)
        where TSimd : struct, ISimd<TSimd>;

    /// <summary>Words in the low bits of the lanes, rounded to nearest even; NaN stays NaN, too large is infinite.</summary>
    static abstract TSimd Round<TSimd>(TSimd values)
        where TSimd : struct, ISimd<TSimd>;
}

/// <summary>binary16 of IEEE 754: 5 bits of exponent, 10 of fraction.</summary>
internal readonly struct HalfFormat : IHalfFormat
{
    private const uint LeastNormal = 113u << 23; // 2^-14 as a float
    private const uint LackingExponent = (127u + 112) << 23; // 2^112

    // The bits shifted to a float's places lack 112 in the exponent: an exact product with 2^112, also for subnormals. What reaches 65536 is infinite or NaN.
    public static TSimd Widen<TSimd>(TSimd words)
        where TSimd : struct, ISimd<TSimd>
    {
        TSimd value = TSimd.ShiftLeft(words & Lanes.Bits<TSimd>(0x7FFF), 13) * Lanes.Bits<TSimd>(LackingExponent);
        TSimd notFinite = TSimd.LessThan(TSimd.Broadcast(65504), value) & Lanes.Bits<TSimd>(0x7F800000);
        TSimd quiet = TSimd.LessThan(TSimd.Broadcast(65536), value) & Lanes.Bits<TSimd>(0x00400000);
        return value | notFinite | quiet | TSimd.ShiftLeft(words & Lanes.Bits<TSimd>(0x8000), 16);
    }

    /// <summary>Exact floats of halves that are neither infinite nor NaN, such as weights that were checked, loaded as signed integers: the sign is already in its place.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TSimd WidenFinite<TSimd>(TSimd shorts)
        where TSimd : struct, ISimd<TSimd> => (TSimd.ShiftLeft(shorts, 13) & Lanes.Bits<TSimd>(0x8FFFFFFF)) * Lanes.Bits<TSimd>(LackingExponent);

    // Normal: half of the last place is added, less one where it is even. Subnormal: a float addition rounds at the right place. NaN keeps its upper fraction bits.
    public static TSimd Round<TSimd>(TSimd values)
        where TSimd : struct, ISimd<TSimd>
    {
        TSimd magnitude = values & Lanes.Bits<TSimd>(0x7FFFFFFF);
        TSimd isOdd = TSimd.ShiftRight(magnitude, 13) & Lanes.Bits<TSimd>(1);
        TSimd normal = TSimd.ShiftRight(TSimd.AddBits(TSimd.AddBits(magnitude, Lanes.Bits<TSimd>(unchecked((uint)-112 << 23) + 0xFFF)), isOdd), 13);
        TSimd half = Lanes.Bits<TSimd>(126u << 23); // its last place is a half's least subnormal, 2^-24
        TSimd subnormal = TSimd.AddBits(magnitude + half, Lanes.Bits<TSimd>(unchecked((uint)-126 << 23)));
        TSimd result = TSimd.Select(TSimd.LessThan(magnitude, Lanes.Bits<TSimd>(LeastNormal)), subnormal, normal);
        TSimd fits = TSimd.LessThan(magnitude, Lanes.Bits<TSimd>(143u << 23)); // 65536
        result = TSimd.Select(fits, result, Lanes.Bits<TSimd>(0x7C00));
        TSimd notANumber = (TSimd.ShiftRight(magnitude, 13) & Lanes.Bits<TSimd>(0x3FF)) | Lanes.Bits<TSimd>(0x7E00);
        result = TSimd.Select(TSimd.IsNaN(values), notANumber, result);
        return result | (TSimd.ShiftRight(values, 16) & Lanes.Bits<TSimd>(0x8000));
    }
}

/// <summary>bfloat16: the upper half of a float.</summary>
internal readonly struct BfloatFormat : IHalfFormat
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TSimd Widen<TSimd>(TSimd words)
        where TSimd : struct, ISimd<TSimd> => TSimd.ShiftLeft(words, 16);

    public static TSimd Round<TSimd>(TSimd values)
        where TSimd : struct, ISimd<TSimd>
    {
        TSimd upper = TSimd.ShiftRight(values, 16);
        TSimd rounded = TSimd.AddBits(TSimd.AddBits(values, Lanes.Bits<TSimd>(0x7FFF)), upper & Lanes.Bits<TSimd>(1));
        return TSimd.Select(TSimd.IsNaN(values), upper | Lanes.Bits<TSimd>(0x0040), TSimd.ShiftRight(rounded, 16));
    }
}

/// <summary>Conversion of vectors between 16-bit formats and floats, the same bits as <see cref="Half"/> and <see cref="Bfloat16"/> give one by one. Bound: bytes over the memory bandwidth.</summary>
internal static class HalfPrecision
{
    /// <summary>Exact floats of 16-bit words.</summary>
    public static void Widen<TFormat>(ReadOnlySpan<ushort> source, Span<float> destination)
        where TFormat : struct, IHalfFormat
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(destination.Length, source.Length);
        switch (SimdLevel.Active)
        {
            case SimdWidth.Bits512: WidenCore<Simd512, TFormat>(source, destination); break;
            case SimdWidth.Bits256: WidenCore<Simd256, TFormat>(source, destination); break;
            case SimdWidth.Bits128: WidenCore<Simd128, TFormat>(source, destination); break;
            default: WidenCore<SimdScalar, TFormat>(source, destination); break;
        }
    }

    /// <summary>16-bit words, rounded to nearest even.</summary>
    public static void Round<TFormat>(ReadOnlySpan<float> source, Span<ushort> destination)
        where TFormat : struct, IHalfFormat
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(destination.Length, source.Length);
        switch (SimdLevel.Active)
        {
            case SimdWidth.Bits512: RoundCore<Simd512, TFormat>(source, destination); break;
            case SimdWidth.Bits256: RoundCore<Simd256, TFormat>(source, destination); break;
            case SimdWidth.Bits128: RoundCore<Simd128, TFormat>(source, destination); break;
            default: RoundCore<SimdScalar, TFormat>(source, destination); break;
        }
    }

    [SkipLocalsInit]
    internal static unsafe void WidenCore<TSimd, TFormat>(ReadOnlySpan<ushort> source, Span<float> destination)
        where TSimd : struct, ISimd<TSimd>
        where TFormat : struct, IHalfFormat
    {
        ushort* padded = stackalloc ushort[16];
        fixed (ushort* from = source)
        fixed (float* to = destination)
        {
            int i = 0;
            for (; i <= source.Length - 16; i += 16) TSimd.Store(TFormat.Widen(TSimd.LoadWords(from + i)), to + i);
            if (i == source.Length) return;
            new Span<ushort>(padded, 16).Clear();
            source[i..].CopyTo(new Span<ushort>(padded, 16));
            Lanes.Store(TFormat.Widen(TSimd.LoadWords(padded)), to + i, source.Length - i);
        }
    }

    [SkipLocalsInit]
    internal static unsafe void RoundCore<TSimd, TFormat>(ReadOnlySpan<float> source, Span<ushort> destination)
        where TSimd : struct, ISimd<TSimd>
        where TFormat : struct, IHalfFormat
    {
        ushort* padded = stackalloc ushort[16];
        fixed (float* from = source)
        fixed (ushort* to = destination)
        {
            int i = 0;
            for (; i <= source.Length - 16; i += 16) TSimd.StoreWords(TFormat.Round(TSimd.Load(from + i)), to + i);
            if (i == source.Length) return;
            TSimd.StoreWords(TFormat.Round(Lanes.Load<TSimd>(from + i, source.Length - i)), padded);
            new ReadOnlySpan<ushort>(padded, source.Length - i).CopyTo(destination[i..]);
        }
    }
}
