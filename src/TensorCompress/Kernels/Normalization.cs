using TensorCompress.Kernels.Simd;

namespace TensorCompress.Kernels;

/// <summary>Root-mean-square and layer normalisation of one vector; sums by sixteen lanes and the fixed tree.</summary>
internal static class Normalization
{
    /// <summary><c>y = x / sqrt(mean(x^2) + epsilon) * gain</c>; in place is allowed.</summary>
    public static void RootMeanSquare(ReadOnlySpan<float> x, ReadOnlySpan<float> gain, float epsilon, Span<float> y)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(gain.Length, x.Length);
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Length, x.Length);
        float scale = 1f / MathF.Sqrt(SumOfSquares(x, 0f) / x.Length + epsilon);
        ScaleAndShift(x, 0f, scale, gain, default, y);
    }

    /// <summary><c>y = (x - mean) / sqrt(variance + epsilon) * gain + bias</c> with the biased variance; in place is allowed. An empty bias is zero.</summary>
    public static void Layer(ReadOnlySpan<float> x, ReadOnlySpan<float> gain, ReadOnlySpan<float> bias, float epsilon, Span<float> y)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(gain.Length, x.Length);
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Length, x.Length);
        if (!bias.IsEmpty) ArgumentOutOfRangeException.ThrowIfNotEqual(bias.Length, x.Length);
        float mean = Sum(x) / x.Length;
        float scale = 1f / MathF.Sqrt(SumOfSquares(x, mean) / x.Length + epsilon);
        ScaleAndShift(x, mean, scale, gain, bias, y);
    }

    /// <summary>Sum of all elements.</summary>
    public static float Sum(ReadOnlySpan<float> x) => SimdLevel.Active switch
    {
        SimdWidth.Bits512 => SumCore<Simd512>(x),
        SimdWidth.Bits256 => SumCore<Simd256>(x),
        SimdWidth.Bits128 => SumCore<Simd128>(x),
        _ => SumCore<SimdScalar>(x),
    };

    /// <summary>Sum of (x - center)^2.</summary>
    public static float SumOfSquares(ReadOnlySpan<float> x, float center) => SimdLevel.Active switch
    {
        SimdWidth.Bits512 => SumOfSquaresCore<Simd512>(x, center),
        SimdWidth.Bits256 => SumOfSquaresCore<Simd256>(x, center),
        SimdWidth.Bits128 => SumOfSquaresCore<Simd128>(x, center),
        _ => SumOfSquaresCore<SimdScalar>(x, center),
    };

    internal static unsafe float SumCore<TSimd>(ReadOnlySpan<float> x)
        where TSimd : struct, ISimd<TSimd>
    {
        fixed (float* source = x)
        {
            TSimd sum = TSimd.Zero;
            int i = 0;
            for (; i <= x.Length - 16; i += 16) sum += TSimd.Load(source + i);
            if (i < x.Length) sum += Lanes.Load<TSimd>(source + i, x.Length - i);
            return Reduction.Sum(sum);
        }
    }

    internal static unsafe float SumOfSquaresCore<TSimd>(ReadOnlySpan<float> x, float center)
        where TSimd : struct, ISimd<TSimd>
    {
        fixed (float* source = x)
        {
            TSimd sum = TSimd.Zero, middle = TSimd.Broadcast(center);
            int i = 0;
            for (; i <= x.Length - 16; i += 16)
            {
                TSimd difference = TSimd.Load(source + i) - middle;
                sum = TSimd.MultiplyAdd(difference, difference, sum);
            }

            if (i < x.Length)
            {
                TSimd difference = Lanes.Load<TSimd>(source + i, x.Length - i, center) - middle; // nothing in the lanes behind the end
                sum = TSimd.MultiplyAdd(difference, difference, sum);
            }

            return Reduction.Sum(sum);
        }
    }

    private static void ScaleAndShift(ReadOnlySpan<float> x, float mean, float scale, ReadOnlySpan<float> gain, ReadOnlySpan<float> bias, Span<float> y)
    {
        switch (SimdLevel.Active)
        {
            case SimdWidth.Bits512: ScaleAndShiftCore<Simd512>(x, mean, scale, gain, bias, y); break;
            case SimdWidth.Bits256: ScaleAndShiftCore<Simd256>(x, mean, scale, gain, bias, y); break;
            case SimdWidth.Bits128: ScaleAndShiftCore<Simd128>(x, mean, scale, gain, bias, y); break;
            default: ScaleAndShiftCore<SimdScalar>(x, mean, scale, gain, bias, y); break;
        }
    }

    /// <summary>y = ((x - mean) * scale) * gain + bias, rounded after each operation at every width.</summary>
    internal static unsafe void ScaleAndShiftCore<TSimd>(ReadOnlySpan<float> x, float mean, float scale, ReadOnlySpan<float> gain, ReadOnlySpan<float> bias, Span<float> y)
        where TSimd : struct, ISimd<TSimd>
    {
        TSimd middle = TSimd.Broadcast(mean), factor = TSimd.Broadcast(scale);
        fixed (float* from = x, g = gain, b = bias, to = y)
        {
            int i = 0;
            for (; i <= x.Length - 16; i += 16)
            {
                TSimd value = (TSimd.Load(from + i) - middle) * factor * TSimd.Load(g + i);
                TSimd.Store(bias.IsEmpty ? value : value + TSimd.Load(b + i), to + i);
            }

            if (i == x.Length) return;
            int left = x.Length - i;
            TSimd last = (Lanes.Load<TSimd>(from + i, left) - middle) * factor * Lanes.Load<TSimd>(g + i, left);
            Lanes.Store(bias.IsEmpty ? last : last + Lanes.Load<TSimd>(b + i, left), to + i, left);
        }
    }
}
