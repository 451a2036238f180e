using TensorCompress.Kernels.Simd;

namespace TensorCompress.Kernels;

/// <summary>Turns pairs of channels of one head: <c>(x, y) = (x cos - y sin, y cos + x sin)</c>, rounded after each operation at every width.</summary>
internal static class Rotation
{
    /// <summary>Turns channel i with channel i + half, in place.</summary>
    /// <param name="head">2 half channels.</param>
    /// <param name="cosines">One per pair.</param>
    /// <param name="sines">One per pair.</param>
    public static void Halves(Span<float> head, ReadOnlySpan<float> cosines, ReadOnlySpan<float> sines)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(head.Length, 2 * cosines.Length);
        ArgumentOutOfRangeException.ThrowIfNotEqual(sines.Length, cosines.Length);
        switch (SimdLevel.Active)
        {
            case SimdWidth.Bits512: HalvesCore<Simd512>(head, cosines, sines); break;
            case SimdWidth.Bits256: HalvesCore<Simd256>(head, cosines, sines); break;
            case SimdWidth.Bits128: HalvesCore<Simd128>(head, cosines, sines); break;
            default: HalvesCore<SimdScalar>(head, cosines, sines); break;
        }
    }

    /// <summary>Turns channel 2i with channel 2i + 1, in place.</summary>
    /// <param name="head">The channels.</param>
    /// <param name="cosines">One per channel: that of its pair.</param>
    /// <param name="sines">One per channel: that of its pair, negative for even channels.</param>
    public static void Neighbours(Span<float> head, ReadOnlySpan<float> cosines, ReadOnlySpan<float> sines)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(head.Length, cosines.Length);
        ArgumentOutOfRangeException.ThrowIfNotEqual(sines.Length, cosines.Length);
        switch (SimdLevel.Active)
        {
            case SimdWidth.Bits512: NeighboursCore<Simd512>(head, cosines, sines); break;
            case SimdWidth.Bits256: NeighboursCore<Simd256>(head, cosines, sines); break;
            case SimdWidth.Bits128: NeighboursCore<Simd128>(head, cosines, sines); break;
            default: NeighboursCore<SimdScalar>(head, cosines, sines); break;
        }
    }

    internal static unsafe void HalvesCore<TSimd>(Span<float> head, ReadOnlySpan<float> cosines, ReadOnlySpan<float> sines)
        where TSimd : struct, ISimd<TSimd>
    {
        int half = cosines.Length;
        fixed (float* x = head, c = cosines, s = sines)
        {
            float* y = x + half;
            for (int i = 0; i < half; i += 16)
            {
                int count = Math.Min(16, half - i);
                bool isWhole = count == 16;
                TSimd first = isWhole ? TSimd.Load(x + i) : Lanes.Load<TSimd>(x + i, count), second = isWhole ? TSimd.Load(y + i) : Lanes.Load<TSimd>(y + i, count);
                TSimd cosine = isWhole ? TSimd.Load(c + i) : Lanes.Load<TSimd>(c + i, count), sine = isWhole ? TSimd.Load(s + i) : Lanes.Load<TSimd>(s + i, count);
                TSimd turned = first * cosine - second * sine;
                second = second * cosine + first * sine;
                if (isWhole)
                {
                    TSimd.Store(turned, x + i);
                    TSimd.Store(second, y + i);
                }
                else
                {
                    Lanes.Store(turned, x + i, count);
                    Lanes.Store(second, y + i, count);
                }
            }
        }
    }

    internal static unsafe void NeighboursCore<TSimd>(Span<float> head, ReadOnlySpan<float> cosines, ReadOnlySpan<float> sines)
        where TSimd : struct, ISimd<TSimd>
    {
        fixed (float* x = head, c = cosines, s = sines)
        {
            int i = 0, length = head.Length;
            for (; i <= length - 16; i += 16)
            {
                TSimd value = TSimd.Load(x + i);
                TSimd.Store(value * TSimd.Load(c + i) + TSimd.SwapNeighbours(value) * TSimd.Load(s + i), x + i);
            }

            if (i == length) return;
            TSimd last = Lanes.Load<TSimd>(x + i, length - i);
            Lanes.Store(last * Lanes.Load<TSimd>(c + i, length - i) + TSimd.SwapNeighbours(last) * Lanes.Load<TSimd>(s + i, length - i), x + i, length - i);
        }
    }
}
