using TensorCompress.Kernels.Simd;

namespace TensorCompress.Kernels;

/// <summary>
/// Neighbouring pairs a, b put in order: the smaller one to one place, the larger one to another, and a bit that says whether a &lt; b. Values are moved, never computed. Bit i of a stream
/// is bit i mod 8 of byte i / 8.
/// </summary>
/// <remarks>Bound: 12 bytes in and out for a value of a layer, all of them in a cache; 16 pairs take 2 loads, 2 stores, a comparison, two selections and the two shuffles that take pairs apart.</remarks>
internal static class PairOrder
{
    private const int Pairs = 16;

    /// <summary>Orders the pairs of a segment.</summary>
    /// <param name="pairs">a0, b0, a1, b1, ..., of even length.</param>
    /// <param name="ordered">As long: the smaller ones of all pairs, then the larger ones.</param>
    /// <param name="bits">Zero where the segment's bits go.</param>
    /// <param name="firstBit">Where they go.</param>
    public static void Split(ReadOnlySpan<float> pairs, Span<float> ordered, Span<byte> bits, long firstBit)
    {
        switch (SimdLevel.Active)
        {
            case SimdWidth.Bits512: Split<Simd512>(pairs, ordered, bits, firstBit); break;
            case SimdWidth.Bits256: Split<Simd256>(pairs, ordered, bits, firstBit); break;
            case SimdWidth.Bits128: Split<Simd128>(pairs, ordered, bits, firstBit); break;
            default: Split<SimdScalar>(pairs, ordered, bits, firstBit); break;
        }
    }

    /// <summary>Undoes <see cref="Split(ReadOnlySpan{float}, Span{float}, Span{byte}, long)"/>.</summary>
    /// <param name="ordered">The smaller ones of all pairs, then the larger ones.</param>
    /// <param name="pairs">As long: a0, b0, a1, b1, ...</param>
    /// <param name="bits">The bits.</param>
    /// <param name="firstBit">Where those of the segment are.</param>
    public static void Join(ReadOnlySpan<float> ordered, Span<float> pairs, ReadOnlySpan<byte> bits, long firstBit)
    {
        switch (SimdLevel.Active)
        {
            case SimdWidth.Bits512: Join<Simd512>(ordered, pairs, bits, firstBit); break;
            case SimdWidth.Bits256: Join<Simd256>(ordered, pairs, bits, firstBit); break;
            case SimdWidth.Bits128: Join<Simd128>(ordered, pairs, bits, firstBit); break;
            default: Join<SimdScalar>(ordered, pairs, bits, firstBit); break;
        }
    }

    internal static unsafe void Split<TSimd>(ReadOnlySpan<float> pairs, Span<float> ordered, Span<byte> bits, long firstBit)
        where TSimd : struct, ISimd<TSimd>
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(ordered.Length, pairs.Length);
        int half = pairs.Length / 2, p = 0;
        ThrowIfOutside(bits, firstBit, half);
        fixed (float* source = pairs, low = ordered)
        {
            float* high = low + half;
            for (; p <= half - Pairs; p += Pairs)
            {
                TSimd a = TSimd.Load(source + 2 * p), b = TSimd.Load(source + 2 * p + Pairs);
                TSimd.Unzip(ref a, ref b);
                TSimd isAscending = TSimd.LessThan(a, b);
                TSimd.Store(TSimd.Select(isAscending, a, b), low + p);
                TSimd.Store(TSimd.Select(isAscending, b, a), high + p);
                Write(bits, firstBit + p, TSimd.HighBits(isAscending));
            }

            for (; p < half; p++)
            {
                float a = source[2 * p], b = source[2 * p + 1];
                (low[p], high[p]) = a < b ? (a, b) : (b, a);
                Write(bits, firstBit + p, a < b ? 1 : 0);
            }
        }
    }

    internal static unsafe void Join<TSimd>(ReadOnlySpan<float> ordered, Span<float> pairs, ReadOnlySpan<byte> bits, long firstBit)
        where TSimd : struct, ISimd<TSimd>
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(ordered.Length, pairs.Length);
        int half = pairs.Length / 2, p = 0;
        ThrowIfOutside(bits, firstBit, half);
        fixed (float* low = ordered, target = pairs)
        {
            float* high = low + half;
            for (; p <= half - Pairs; p += Pairs)
            {
                TSimd isAscending = TSimd.MaskOf(Read(bits, firstBit + p)), smaller = TSimd.Load(low + p), larger = TSimd.Load(high + p);
                TSimd a = TSimd.Select(isAscending, smaller, larger), b = TSimd.Select(isAscending, larger, smaller);
                TSimd.Zip(ref a, ref b);
                TSimd.Store(a, target + 2 * p);
                TSimd.Store(b, target + 2 * p + Pairs);
            }

            for (; p < half; p++)
            {
                bool isAscending = (bits[(int)((firstBit + p) >> 3)] >> (int)(firstBit + p & 7) & 1) != 0;
                (target[2 * p], target[2 * p + 1]) = isAscending ? (low[p], high[p]) : (high[p], low[p]);
            }
        }
    }

    private static void ThrowIfOutside(ReadOnlySpan<byte> bits, long firstBit, int count)
    {
        if (firstBit < 0 || firstBit > 8L * bits.Length - count) throw new ArgumentOutOfRangeException(nameof(firstBit), firstBit, $"{count} bits from there do not lie inside {bits.Length} bytes.");
    }

    // Sixteen bits lie in two bytes or three.
    private static void Write(Span<byte> bits, long at, int mask)
    {
        int index = (int)(at >> 3);
        for (int spread = mask << (int)(at & 7); spread != 0; spread >>= 8) bits[index++] |= (byte)spread;
    }

    private static int Read(ReadOnlySpan<byte> bits, long at)
    {
        int index = (int)(at >> 3), shift = (int)(at & 7), spread = bits[index] | bits[index + 1] << 8;
        return shift == 0 ? spread : (spread | bits[index + 2] << 16) >> shift;
    }
}
