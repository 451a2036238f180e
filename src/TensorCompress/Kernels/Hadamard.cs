using TensorCompress.Kernels.Simd;

namespace TensorCompress.Kernels;

/// <summary>Signs and the Hadamard transform of blocks of a power of two columns, level after level, pairs at distance 1 first: the same additions as the plain loops, so the same bits.</summary>
/// <remarks>
/// Bound: additions, log2(width) for a value. Five levels are inside thirty-two lanes: evens and odds are taken apart, which brings the next pairs of the level together; after five times all
/// lanes are where they were.
/// </remarks>
internal static unsafe class Hadamard
{
    /// <summary>The narrowest blocks that the kernel takes.</summary>
    public const int Narrowest = 32;

    private const int Lanes = 16;

    /// <summary>Transforms blocks in place, over the root of their width.</summary>
    /// <param name="row">Whole blocks.</param>
    /// <param name="width">A power of two from <see cref="Narrowest"/> on.</param>
    /// <param name="negatives">A bit for each column, the lowest first: whose signs change before the transform. Empty for none.</param>
    public static void Transform(Span<float> row, int width, ReadOnlySpan<ushort> negatives)
    {
        switch (SimdLevel.Active)
        {
            case SimdWidth.Bits512: Core<Simd512>(row, width, negatives); break;
            case SimdWidth.Bits256: Core<Simd256>(row, width, negatives); break;
            case SimdWidth.Bits128: Core<Simd128>(row, width, negatives); break;
            default: Core<SimdScalar>(row, width, negatives); break;
        }
    }

    /// <summary>Changes signs in place.</summary>
    /// <param name="row">A multiple of sixteen values.</param>
    /// <param name="negatives">A bit for each column, the lowest first.</param>
    public static void ChangeSigns(Span<float> row, ReadOnlySpan<ushort> negatives)
    {
        switch (SimdLevel.Active)
        {
            case SimdWidth.Bits512: ChangeSigns<Simd512>(row, negatives); break;
            case SimdWidth.Bits256: ChangeSigns<Simd256>(row, negatives); break;
            case SimdWidth.Bits128: ChangeSigns<Simd128>(row, negatives); break;
            default: ChangeSigns<SimdScalar>(row, negatives); break;
        }
    }

    internal static void Core<TSimd>(Span<float> row, int width, ReadOnlySpan<ushort> negatives)
        where TSimd : struct, ISimd<TSimd>
    {
        if (width < Narrowest || int.PopCount(width) != 1 || row.Length % width != 0) throw new ArgumentException($"{row.Length} values are not blocks of {width}, a power of two from {Narrowest} on.", nameof(width));
        if (!negatives.IsEmpty) ChangeSigns<TSimd>(row, negatives);
        TSimd factor = TSimd.Broadcast(1 / MathF.Sqrt(width));
        fixed (float* start = row)
        {
            for (float* block = start; block < start + row.Length; block += width)
            {
                for (float* pairs = block; pairs < block + width; pairs += 2 * Lanes) FiveLevels<TSimd>(pairs);
                for (int half = 2 * Lanes; half < width; half *= 2) Level<TSimd>(block, width, half);
                for (int i = 0; i < width; i += Lanes) TSimd.Store(TSimd.Load(block + i) * factor, block + i);
            }
        }
    }

    internal static void ChangeSigns<TSimd>(Span<float> row, ReadOnlySpan<ushort> negatives)
        where TSimd : struct, ISimd<TSimd>
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(row.Length % Lanes, 0, nameof(row));
        ArgumentOutOfRangeException.ThrowIfLessThan(negatives.Length, row.Length / Lanes, nameof(negatives));
        TSimd minusOne = TSimd.Broadcast(-1);
        fixed (float* start = row)
        {
            for (int i = 0; i < row.Length; i += Lanes)
            {
                TSimd value = TSimd.Load(start + i);
                TSimd.Store(TSimd.Select(TSimd.MaskOf(negatives[i / Lanes]), value * minusOne, value), start + i);
            }
        }
    }

    private static void FiveLevels<TSimd>(float* values)
        where TSimd : struct, ISimd<TSimd>
    {
        TSimd low = TSimd.Load(values), high = TSimd.Load(values + Lanes);
        for (int level = 0; level < 5; level++)
        {
            TSimd.Unzip(ref low, ref high);
            (low, high) = (low + high, low - high);
        }

        TSimd.Store(low, values);
        TSimd.Store(high, values + Lanes);
    }

    private static void Level<TSimd>(float* block, int width, int half)
        where TSimd : struct, ISimd<TSimd>
    {
        for (float* start = block; start < block + width; start += 2 * half)
        {
            for (int i = 0; i < half; i += Lanes)
            {
                TSimd low = TSimd.Load(start + i), high = TSimd.Load(start + half + i);
                TSimd.Store(low + high, start + i);
                TSimd.Store(low - high, start + half + i);
            }
        }
    }
}
