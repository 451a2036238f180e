using TensorCompress.Kernels.Simd;

namespace TensorCompress.Kernels;

/// <summary>The nearest of many codewords to a vector: the least <c>|c|^2 / 2 - x.c</c>, of equal ones the first. Sixteen codewords are worked on at a time, one in each lane.</summary>
/// <remarks>Bound: the codewords come from a cache, one multiply-add for each of their numbers.</remarks>
internal static class NearestCodeword
{
    private const int Lanes = 16;

    /// <summary>Lays codewords out as <see cref="Find"/> reads them: for every sixteen of them half their squared norms, then column by column.</summary>
    /// <param name="codewords">[codewords, dimension]. Those that are missing to a multiple of sixteen become infinitely far.</param>
    /// <param name="dimension">Numbers of a codeword.</param>
    public static float[] Pack(ReadOnlySpan<float> codewords, int dimension)
    {
        int count = codewords.Length / dimension, blocks = (count + Lanes - 1) / Lanes, stride = (dimension + 1) * Lanes;
        float[] packed = new float[blocks * stride];
        for (int i = 0; i < blocks * Lanes; i++)
        {
            Span<float> block = packed.AsSpan(i / Lanes * stride, stride);
            if (i >= count)
            {
                block[i % Lanes] = float.PositiveInfinity;
                continue;
            }

            double norm = 0;
            for (int k = 0; k < dimension; k++)
            {
                float number = codewords[i * dimension + k];
                norm += (double)number * number;
                block[(k + 1) * Lanes + i % Lanes] = number;
            }

            block[i % Lanes] = (float)(norm / 2);
        }

        return packed;
    }

    /// <summary>Finds it.</summary>
    /// <param name="x">A finite vector.</param>
    /// <param name="packed">What <see cref="Pack"/> gave for its dimension.</param>
    public static int Find(ReadOnlySpan<float> x, ReadOnlySpan<float> packed) => SimdLevel.Active switch
    {
        SimdWidth.Bits512 => Core<Simd512>(x, packed),
        SimdWidth.Bits256 => Core<Simd256>(x, packed),
        SimdWidth.Bits128 => Core<Simd128>(x, packed),
        _ => Core<SimdScalar>(x, packed),
    };

    internal static unsafe int Core<TSimd>(ReadOnlySpan<float> x, ReadOnlySpan<float> packed)
        where TSimd : struct, ISimd<TSimd>
    {
        int stride = (x.Length + 1) * Lanes;
        ArgumentOutOfRangeException.ThrowIfNotEqual(packed.Length % stride, 0, nameof(packed));
        float* negative = stackalloc float[x.Length], lanes = stackalloc float[2 * Lanes];
        for (int k = 0; k < x.Length; k++) negative[k] = -x[k];
        TSimd best = TSimd.Broadcast(float.PositiveInfinity), bestStep = TSimd.Zero, step = TSimd.Zero, one = Simd.Lanes.Bits<TSimd>(1);
        fixed (float* start = packed)
        {
            for (float* block = start; block < start + packed.Length; block += stride)
            {
                TSimd score = TSimd.Load(block);
                for (int k = 0; k < x.Length; k++) TSimd.Accumulate(ref score, TSimd.BroadcastFrom(negative + k), TSimd.Load(block + (k + 1) * Lanes));
                TSimd isLess = TSimd.LessThan(score, best);
                best = TSimd.Min(score, best);
                bestStep = TSimd.Select(isLess, step, bestStep);
                step = TSimd.AddBits(step, one);
            }
        }

        TSimd.Store(best, lanes);
        TSimd.Store(bestStep, lanes + Lanes);
        int index = IndexOf(0, lanes);
        for (int lane = 1; lane < Lanes; lane++)
        {
            int other = IndexOf(lane, lanes);
            if (lanes[lane] < lanes[index % Lanes] || (lanes[lane] == lanes[index % Lanes] && other < index)) index = other;
        }

        return index;
    }

    private static unsafe int IndexOf(int lane, float* lanes) => BitConverter.SingleToInt32Bits(lanes[Lanes + lane]) * Lanes + lane;
}
