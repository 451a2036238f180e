using TensorCompress.Kernels.Simd;

namespace TensorCompress.Kernels;

/// <summary>Softmax and log-sum-exp of one vector.</summary>
internal static class Softmax
{
    /// <summary><c>x_i = e^(scale x_i - m) / sum_j e^(scale x_j - m)</c> in place, m the maximum of scale x; scale is positive. A NaN makes all NaN.</summary>
    public static void Apply(Span<float> x, float scale)
    {
        if (x.IsEmpty) return;
        float sum = Exponentiate(x, scale, Extremes.Max(x) * scale);
        Scaling.Scale(x, 1f / sum, x);
    }

    /// <summary>Replaces x by <c>e^(scale x - maximum)</c> and returns the sum.</summary>
    public static float Exponentiate(Span<float> x, float scale, float maximum) => SimdLevel.Active switch
    {
        SimdWidth.Bits512 => ExponentiateCore<Simd512>(x, scale, maximum),
        SimdWidth.Bits256 => ExponentiateCore<Simd256>(x, scale, maximum),
        SimdWidth.Bits128 => ExponentiateCore<Simd128>(x, scale, maximum),
        _ => ExponentiateCore<SimdScalar>(x, scale, maximum),
    };

    /// <summary>log sum_i e^(x_i), summed in double.</summary>
    public static double LogSumExp(ReadOnlySpan<float> x)
    {
        if (x.IsEmpty) return double.NegativeInfinity;
        double maximum = Extremes.Max(x);
        double sum = 0;
        foreach (float value in x) sum += Math.Exp(value - maximum);
        return maximum + Math.Log(sum);
    }

    internal static unsafe float ExponentiateCore<TSimd>(Span<float> x, float scale, float maximum)
        where TSimd : struct, ISimd<TSimd>
    {
        fixed (float* values = x)
        {
            TSimd sum = TSimd.Zero, factor = TSimd.Broadcast(scale), offset = TSimd.Broadcast(-maximum);
            int i = 0;
            for (; i <= x.Length - 16; i += 16)
            {
                TSimd e = Exponential.Exp(TSimd.MultiplyAdd(TSimd.Load(values + i), factor, offset));
                TSimd.Store(e, values + i);
                sum += e;
            }

            if (i < x.Length)
            {
                Lanes.Store(Exponential.Exp(TSimd.MultiplyAdd(Lanes.Load<TSimd>(values + i, x.Length - i), factor, offset)), values + i, x.Length - i);
                sum += Lanes.Load<TSimd>(values + i, x.Length - i);
            }

            return Reduction.Sum(sum);
        }
    }
}
