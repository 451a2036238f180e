using TensorCompress.Kernels.Simd;

namespace TensorCompress.Kernels;

/// <summary>The largest element of a vector and where it is.</summary>
internal static class Extremes
{
    /// <summary>The largest element, NaN where there is one; x is not empty.</summary>
    public static float Max(ReadOnlySpan<float> x)
    {
        ArgumentOutOfRangeException.ThrowIfZero(x.Length, nameof(x));
        return SimdLevel.Active switch
        {
            SimdWidth.Bits512 => MaxCore<Simd512>(x),
            SimdWidth.Bits256 => MaxCore<Simd256>(x),
            SimdWidth.Bits128 => MaxCore<Simd128>(x),
            _ => MaxCore<SimdScalar>(x),
        };
    }

    /// <summary>Index of the first of the largest elements, of the first NaN where there is one; x is not empty.</summary>
    public static int IndexOfMax(ReadOnlySpan<float> x)
    {
        ArgumentOutOfRangeException.ThrowIfZero(x.Length, nameof(x));
        return SimdLevel.Active switch
        {
            SimdWidth.Bits512 => IndexOfMaxCore<Simd512>(x),
            SimdWidth.Bits256 => IndexOfMaxCore<Simd256>(x),
            SimdWidth.Bits128 => IndexOfMaxCore<Simd128>(x),
            _ => IndexOfMaxCore<SimdScalar>(x),
        };
    }

    internal static unsafe float MaxCore<TSimd>(ReadOnlySpan<float> x)
        where TSimd : struct, ISimd<TSimd>
    {
        fixed (float* source = x)
        {
            TSimd largest = TSimd.Broadcast(float.NegativeInfinity);
            int i = 0;
            for (; i <= x.Length - 16; i += 16) largest = TSimd.Max(largest, TSimd.Load(source + i));
            if (i < x.Length) largest = TSimd.Max(largest, Lanes.Load<TSimd>(source + i, x.Length - i, float.NegativeInfinity));
            float* lanes = stackalloc float[16];
            TSimd.Store(largest, lanes);
            float result = lanes[0];
            for (int lane = 1; lane < 16; lane++) result = MathF.Max(result, lanes[lane]);
            return result;
        }
    }

    // Every lane keeps its largest element and the step that it came from; the lanes are compared at the end.
    internal static unsafe int IndexOfMaxCore<TSimd>(ReadOnlySpan<float> x)
        where TSimd : struct, ISimd<TSimd>
    {
        fixed (float* source = x)
        {
            TSimd best = TSimd.Broadcast(float.NegativeInfinity), bestStep = TSimd.Zero, step = TSimd.Zero, one = Lanes.Bits<TSimd>(1), broken = TSimd.Zero;
            for (int i = 0; i < x.Length; i += 16)
            {
                TSimd value = i <= x.Length - 16 ? TSimd.Load(source + i) : Lanes.Load<TSimd>(source + i, x.Length - i, float.NegativeInfinity);
                TSimd isLarger = TSimd.LessThan(best, value);
                best = TSimd.Select(isLarger, value, best);
                bestStep = TSimd.Select(isLarger, step, bestStep);
                broken |= TSimd.IsNaN(value);
                step = TSimd.AddBits(step, one);
            }

            float* values = stackalloc float[48];
            TSimd.Store(best, values);
            TSimd.Store(bestStep, values + 16);
            TSimd.Store(broken, values + 32);
            if (new ReadOnlySpan<int>(values + 32, 16).ContainsAnyExcept(0)) return IndexOfNaN(x);
            int index = IndexOf(0, values);
            for (int lane = 1; lane < 16; lane++)
            {
                int other = IndexOf(lane, values);
                if (values[lane] > values[index % 16] || (values[lane] == values[index % 16] && other < index)) index = other;
            }

            return index;
        }
    }

    private static unsafe int IndexOf(int lane, float* values) => BitConverter.SingleToInt32Bits(values[lane + 16]) * 16 + lane;

    private static int IndexOfNaN(ReadOnlySpan<float> x)
    {
        int i = 0;
        while (!float.IsNaN(x[i])) i++;
        return i;
    }
}
