using TensorCompress.Kernels.Simd;

namespace TensorCompress.Kernels;

/// <summary>
/// Products with rows of codes behind one swap layer, for wide groups. With p, q the vector's values for a pair, s and d the sum of its two weights and the larger less the smaller, and u = 1 where the
/// smaller one stands first, else -1: <c>p a + q b = (p + q) s / 2 + u (q - p) d / 2</c>. The first term is looked up, because it does not know the swaps; the second is looked up column by column, the
/// products of <c>(q - p) / 2</c> with every centroid, and takes its sign from the swap bit.
/// </summary>
/// <remarks>
/// Bound: two multiplications and additions for each number of a codebook, then for each pair of columns of a row two loads, a subtraction, a sign and an addition, sixteen pairs at a time; no weight is
/// ever put in its place. Columns are filled up to sixteens with zeros. A row of some groups is one sum in each of sixteen lanes, added by the tree of <see cref="Reduction"/>, and two of what was looked up.
/// </remarks>
internal static unsafe class PairProducts
{
    /// <summary>Floats behind centroids that are read; they must be finite.</summary>
    public const int NumbersBehind = Lanes - 1;

    private const int Lanes = 16;

    /// <summary>Floats of a centroid's differences: its columns filled up to sixteens.</summary>
    public static int Length(int columns) => (columns + Lanes - 1) & -Lanes;

    /// <summary>Makes half the sum and half the difference of every pair of a vector's values.</summary>
    /// <param name="x">p0, q0, p1, q1, ...</param>
    /// <param name="sums">(p + q) / 2 for each pair.</param>
    /// <param name="differences">(q - p) / 2 for each pair.</param>
    public static void Halve(ReadOnlySpan<float> x, Span<float> sums, Span<float> differences)
    {
        for (int i = 0; i < x.Length / 2; i++)
        {
            float p = 0.5f * x[2 * i], q = 0.5f * x[2 * i + 1]; // halved first, so that nothing overflows
            (sums[i], differences[i]) = (p + q, q - p);
        }
    }

    /// <summary>Makes the tables of a group for one vector.</summary>
    /// <param name="sums">Half the sums of the group's pairs, then zeros up to <see cref="Length"/>.</param>
    /// <param name="differences">Half the differences, then zeros.</param>
    /// <param name="centroids">[centroid, column of the group], and <see cref="NumbersBehind"/> finite floats behind.</param>
    /// <param name="columns">Columns of the group.</param>
    /// <param name="sumTable">A product with the sums for each centroid.</param>
    /// <param name="differenceTable">[centroid, <see cref="Length"/>]: the products with the differences, column by column, then zeros.</param>
    public static void Build(ReadOnlySpan<float> sums, ReadOnlySpan<float> differences, ReadOnlySpan<float> centroids, int columns, Span<float> sumTable, Span<float> differenceTable)
    {
        switch (SimdLevel.Active)
        {
            case SimdWidth.Bits512: Build<Simd512>(sums, differences, centroids, columns, sumTable, differenceTable); break;
            case SimdWidth.Bits256: Build<Simd256>(sums, differences, centroids, columns, sumTable, differenceTable); break;
            case SimdWidth.Bits128: Build<Simd128>(sums, differences, centroids, columns, sumTable, differenceTable); break;
            default: Build<SimdScalar>(sums, differences, centroids, columns, sumTable, differenceTable); break;
        }
    }

    /// <summary>Adds the products of some groups and their partners, row after row, for one vector.</summary>
    /// <param name="rows">Codes, every one below the number of centroids, and swap bits.</param>
    /// <param name="firstRow">The first row.</param>
    /// <param name="firstGroup">The first group, of the first half.</param>
    /// <param name="sumTables">[group, itself or its partner, centroid] of these groups.</param>
    /// <param name="differenceTables">[group, itself or its partner, centroid, <see cref="Length"/>] of these groups.</param>
    /// <param name="count">Centroids of a group.</param>
    /// <param name="results">A sum for each row.</param>
    public static void AddRows(SwappedRows rows, int firstRow, int firstGroup, ReadOnlySpan<float> sumTables, ReadOnlySpan<float> differenceTables, int count, Span<float> results)
    {
        switch (SimdLevel.Active)
        {
            case SimdWidth.Bits512: AddRows<Simd512>(rows, firstRow, firstGroup, sumTables, differenceTables, count, results); break;
            case SimdWidth.Bits256: AddRows<Simd256>(rows, firstRow, firstGroup, sumTables, differenceTables, count, results); break;
            case SimdWidth.Bits128: AddRows<Simd128>(rows, firstRow, firstGroup, sumTables, differenceTables, count, results); break;
            default: AddRows<SimdScalar>(rows, firstRow, firstGroup, sumTables, differenceTables, count, results); break;
        }
    }

    internal static void Build<TSimd>(ReadOnlySpan<float> sums, ReadOnlySpan<float> differences, ReadOnlySpan<float> centroids, int columns, Span<float> sumTable, Span<float> differenceTable)
        where TSimd : struct, ISimd<TSimd>
    {
        int length = Length(columns), count = sumTable.Length;
        ArgumentOutOfRangeException.ThrowIfNotEqual(sums.Length, length, nameof(sums));
        ArgumentOutOfRangeException.ThrowIfNotEqual(differences.Length, length, nameof(differences));
        ArgumentOutOfRangeException.ThrowIfNotEqual(differenceTable.Length, count * length, nameof(differenceTable));
        ArgumentOutOfRangeException.ThrowIfLessThan(centroids.Length, (count - 1) * columns + length, nameof(centroids));
        fixed (float* halves = sums, signed = differences, numbers = centroids, products = differenceTable)
        {
            float* target = products, centroid = numbers;
            for (int c = 0; c < sumTable.Length; c++, centroid += columns, target += length)
            {
                TSimd sum = TSimd.Zero;
                for (int k = 0; k < length; k += Lanes)
                {
                    TSimd values = TSimd.Load(centroid + k);
                    TSimd.Accumulate(ref sum, TSimd.Load(halves + k), values);
                    TSimd.Store(TSimd.Load(signed + k) * values, target + k);
                }

                sumTable[c] = Reduction.Sum(sum);
            }
        }
    }

    internal static void AddRows<TSimd>(SwappedRows rows, int firstRow, int firstGroup, ReadOnlySpan<float> sumTables, ReadOnlySpan<float> differenceTables, int count, Span<float> results)
        where TSimd : struct, ISimd<TSimd>
    {
        int length = Length(rows.Columns), groups = sumTables.Length / (2 * count);
        ArgumentOutOfRangeException.ThrowIfNotEqual(differenceTables.Length, groups * 2 * count * length, nameof(differenceTables));
        rows.ThrowIfOutside(firstRow + results.Length, firstGroup + groups, count);
        fixed (byte* codes = rows.Codes.Bytes, swaps = rows.Swaps)
        fixed (float* sums = sumTables, differences = differenceTables)
        {
            for (int row = 0; row < results.Length; row++)
            {
                int at = firstRow + row;
                results[row] += RowSum<TSimd>(
                    codes, rows.CodeAt(at, firstGroup), rows.CodeAt(at, rows.Partners + firstGroup), rows.Codes.Bits, swaps, rows.SwapAt(at, firstGroup), rows.Columns, sums, differences, length, count, groups);
            }
        }
    }

    // Apart from the loop over rows, so that everything stays in registers.
    private static float RowSum<TSimd>(
        byte* codes, long left, long right, int bits, byte* swaps, long swap, int columns, float* sums, float* differences, nint length, nint count, int groups)
        where TSimd : struct, ISimd<TSimd>
    {
        ulong mask = (1ul << bits) - 1;
        float ofSmaller = 0, ofLarger = 0;
        TSimd total = TSimd.Zero;
        for (; groups > 0; groups--, left += bits, right += bits, swap += columns, sums += 2 * count, differences += 2 * count * length)
        {
            nint smaller = (nint)(SwappedRows.BitsAt(codes, left) & mask), larger = count + (nint)(SwappedRows.BitsAt(codes, right) & mask);
            ofSmaller += sums[smaller];
            ofLarger += sums[larger];
            float* low = differences + smaller * length, high = differences + larger * length;
            for (nint k = 0; k < length; k += Lanes)
            {
                // Smaller less larger is -d: its sign changes where the bit is set.
                TSimd signs = TSimd.ShiftLeft(TSimd.MaskOf((int)SwappedRows.BitsAt(swaps, swap + k)), 31);
                total += TSimd.AddBits(TSimd.Load(low + k) - TSimd.Load(high + k), signs);
            }
        }

        return (ofSmaller + ofLarger) + Reduction.Sum(total);
    }
}
