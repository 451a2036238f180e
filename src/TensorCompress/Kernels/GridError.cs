using TensorCompress.Kernels.Simd;

namespace TensorCompress.Kernels;

/// <summary>The weighted squared error of rounding to an integer grid: <c>sum_i h_i (w_i - s clamp(round(w_i / s), least, most))^2</c>.</summary>
internal static class GridError
{
    /// <summary>The error of one group.</summary>
    /// <param name="weights">w.</param>
    /// <param name="importance">h, as many.</param>
    /// <param name="scale">s, positive.</param>
    /// <param name="least">The smallest level.</param>
    /// <param name="most">The largest level.</param>
    public static float Compute(ReadOnlySpan<float> weights, ReadOnlySpan<float> importance, float scale, int least, int most)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(importance.Length, weights.Length);
        return SimdLevel.Active switch
        {
            SimdWidth.Bits512 => Core<Simd512>(weights, importance, scale, least, most),
            SimdWidth.Bits256 => Core<Simd256>(weights, importance, scale, least, most),
            SimdWidth.Bits128 => Core<Simd128>(weights, importance, scale, least, most),
            _ => Core<SimdScalar>(weights, importance, scale, least, most),
        };
    }

    internal static unsafe float Core<TSimd>(ReadOnlySpan<float> weights, ReadOnlySpan<float> importance, float scale, int least, int most)
        where TSimd : struct, ISimd<TSimd>
    {
        TSimd inverse = TSimd.Broadcast(1f / scale), negative = TSimd.Broadcast(-scale), lower = TSimd.Broadcast(least), upper = TSimd.Broadcast(most), sum = TSimd.Zero;
        float* tail = stackalloc float[2 * ISimd<TSimd>.Lanes];
        fixed (float* w = weights, h = importance)
        {
            int i = 0;
            for (; i <= weights.Length - ISimd<TSimd>.Lanes; i += ISimd<TSimd>.Lanes) sum = Add(TSimd.Load(w + i), TSimd.Load(h + i));
            int left = weights.Length - i;
            if (left > 0)
            {
                new Span<float>(tail, 2 * ISimd<TSimd>.Lanes).Clear();
                weights[i..].CopyTo(new Span<float>(tail, left));
                importance[i..].CopyTo(new Span<float>(tail + ISimd<TSimd>.Lanes, left));
                sum = Add(TSimd.Load(tail), TSimd.Load(tail + ISimd<TSimd>.Lanes));
            }
        }

        return Reduction.Sum(sum);

        TSimd Add(TSimd weight, TSimd factor)
        {
            TSimd level = TSimd.Min(TSimd.Max(TSimd.Round(weight * inverse), lower), upper);
            TSimd difference = TSimd.MultiplyAdd(level, negative, weight);
            return TSimd.MultiplyAdd(difference * difference, factor, sum);
        }
    }
}
