using TensorCompress.Kernels.Simd;

namespace TensorCompress.Kernels;

/// <summary>
/// Products with rows of codes behind one swap layer, for narrow groups. A column of a group meets one of two values of the vector, as its swap bit says; a group's centroids and the patterns of its swap bits
/// together are codes of virtual centroids, and <see cref="TableProducts.Build(ReadOnlySpan{float}, ReadOnlySpan{float}, int, Span{float})"/> makes a table of each pattern.
/// </summary>
/// <remarks>
/// A product of a group is one chain of multiply-adds over its columns; a row of some groups is two running sums, of groups and of their partners, and then the sum of both. One vector looks these
/// products up: columns x centroids x 2^columns multiply-adds for tables, and about seven instructions for a group of a row. For sixteen vectors such tables would not stay in a cache, and the chains
/// themselves are as cheap: a multiply-add or two for a weight; the results are the same bits.
/// </remarks>
internal static unsafe class SwapPatternProducts
{
    /// <summary>Columns of a group at most: four groups' swap bits lie in one word, and tables of sixteen patterns stay small.</summary>
    public const int MostColumns = 4;

    private const int Tokens = TableProducts.Tokens;

    /// <summary>What the columns of a group meet for one pattern of swap bits.</summary>
    /// <param name="x">The vector's values for the group's pairs of columns: two for each column of the group.</param>
    /// <param name="pattern">Bit i is the swap bit of pair i.</param>
    /// <param name="isLarger">Whether the group holds the larger ones of the pairs.</param>
    /// <param name="chosen">A value for each column of the group.</param>
    public static void Choose(ReadOnlySpan<float> x, int pattern, bool isLarger, Span<float> chosen)
    {
        for (int i = 0; i < chosen.Length; i++) chosen[i] = x[2 * i + Second(pattern >> i & 1, isLarger)];
    }

    /// <summary>Adds what codes and swap bits of some groups and their partners choose, row after row, for one vector.</summary>
    /// <param name="rows">Codes, every one below the number of centroids, and swap bits.</param>
    /// <param name="firstRow">The first row.</param>
    /// <param name="firstGroup">The first group, of the first half.</param>
    /// <param name="tables">[group, itself or its partner, pattern, <see cref="TableProducts.TableLength"/>] of these groups.</param>
    /// <param name="length">Floats of a table.</param>
    /// <param name="sums">A sum for each row.</param>
    public static void AddRows(SwappedRows rows, int firstRow, int firstGroup, ReadOnlySpan<float> tables, int length, Span<float> sums)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(rows.Columns, MostColumns, nameof(rows));
        int groups = tables.Length / (2 * length << rows.Columns);
        rows.ThrowIfOutside(firstRow + sums.Length, firstGroup + groups, length);
        fixed (byte* codes = rows.Codes.Bytes, swaps = rows.Swaps)
        fixed (float* first = tables)
        {
            for (int row = 0; row < sums.Length; row++)
            {
                int at = firstRow + row;
                rows.Fetch(codes, swaps, at + SwappedRows.RowsAhead, firstGroup);
                sums[row] += RowSum(codes, rows.CodeAt(at, firstGroup), rows.CodeAt(at, rows.Partners + firstGroup), rows.Codes.Bits, swaps, rows.SwapAt(at, firstGroup), rows.Columns, first, length, groups);
            }
        }
    }

    /// <summary>Adds the products of some groups and their partners, row after row, for sixteen vectors.</summary>
    /// <param name="rows">Codes, every one below the number of centroids, and swap bits.</param>
    /// <param name="firstRow">The first row.</param>
    /// <param name="firstGroup">The first group, of the first half.</param>
    /// <param name="x">[column, vector] of the pairs of columns of these groups.</param>
    /// <param name="centroids">[group, itself or its partner, column, centroid] of these groups.</param>
    /// <param name="count">Centroids of a group.</param>
    /// <param name="sums">[row, vector].</param>
    public static void AddRowsForTokens(SwappedRows rows, int firstRow, int firstGroup, ReadOnlySpan<float> x, ReadOnlySpan<float> centroids, int count, Span<float> sums)
    {
        switch (SimdLevel.Active)
        {
            case SimdWidth.Bits512: AddRowsForTokens<Simd512>(rows, firstRow, firstGroup, x, centroids, count, sums); break;
            case SimdWidth.Bits256: AddRowsForTokens<Simd256>(rows, firstRow, firstGroup, x, centroids, count, sums); break;
            case SimdWidth.Bits128: AddRowsForTokens<Simd128>(rows, firstRow, firstGroup, x, centroids, count, sums); break;
            default: AddRowsForTokens<SimdScalar>(rows, firstRow, firstGroup, x, centroids, count, sums); break;
        }
    }

    internal static void AddRowsForTokens<TSimd>(SwappedRows rows, int firstRow, int firstGroup, ReadOnlySpan<float> x, ReadOnlySpan<float> centroids, int count, Span<float> sums)
        where TSimd : struct, ISimd<TSimd>
    {
        int columns = rows.Columns, bits = rows.Codes.Bits, groups = centroids.Length / (2 * columns * count), used = sums.Length / Tokens;
        ArgumentOutOfRangeException.ThrowIfGreaterThan(columns, MostColumns, nameof(rows));
        ArgumentOutOfRangeException.ThrowIfLessThan(x.Length, groups * 2 * columns * Tokens, nameof(x));
        rows.ThrowIfOutside(firstRow + used, firstGroup + groups, count);
        fixed (byte* codes = rows.Codes.Bytes, swaps = rows.Swaps)
        fixed (float* input = x, numbers = centroids, results = sums)
        {
            ulong mask = (1ul << bits) - 1;
            nint side = (nint)columns * count;
            for (int row = 0; row < used; row++)
            {
                rows.Fetch(codes, swaps, firstRow + row + SwappedRows.RowsAhead, firstGroup);
                long left = rows.CodeAt(firstRow + row, firstGroup), right = rows.CodeAt(firstRow + row, rows.Partners + firstGroup), swap = rows.SwapAt(firstRow + row, firstGroup);
                float* values = input, entry = numbers, y = results + row * (nint)Tokens;
                TSimd ofSmaller = TSimd.Zero, ofLarger = TSimd.Zero;
                for (int group = 0; group < groups; group++)
                {
                    float* smaller = entry + (nint)(SwappedRows.BitsAt(codes, left) & mask), larger = entry + side + (nint)(SwappedRows.BitsAt(codes, right) & mask);
                    ulong pattern = SwappedRows.BitsAt(swaps, swap);
                    TSimd a = TSimd.Zero, b = TSimd.Zero;
                    for (int i = 0; i < columns; i++, values += 2 * Tokens, smaller += count, larger += count, pattern >>= 1)
                    {
                        nint second = (nint)(pattern & 1) * Tokens;
                        TSimd.Accumulate(ref a, TSimd.Load(values + (Tokens - second)), TSimd.BroadcastFrom(smaller));
                        TSimd.Accumulate(ref b, TSimd.Load(values + second), TSimd.BroadcastFrom(larger));
                    }

                    ofSmaller += a;
                    ofLarger += b;
                    left += bits;
                    right += bits;
                    swap += columns;
                    entry += 2 * side;
                }

                TSimd.Store(TSimd.Load(y) + (ofSmaller + ofLarger), y);
            }
        }
    }

    // Apart from the loop over rows, so that everything stays in registers.
    private static float RowSum(byte* codes, long left, long right, int bits, byte* swaps, long swap, int columns, float* table, nint length, int groups)
    {
        ulong mask = (1ul << bits) - 1, patterns = (1ul << columns) - 1;
        nint side = length << columns;
        int bits2 = 2 * bits, bits3 = 3 * bits, columns2 = 2 * columns, columns3 = 3 * columns;
        float* end = table + (groups >> 2) * (8 * side);
        float ofSmaller = 0, ofLarger = 0;
        for (; table < end; left += 4 * bits, right += 4 * bits, swap += 4 * columns)
        {
            ulong smaller = SwappedRows.BitsAt(codes, left), larger = SwappedRows.BitsAt(codes, right), pattern = SwappedRows.BitsAt(swaps, swap);
            float* entry = table + (nint)(pattern & patterns) * length;
            ofSmaller += entry[(nint)(smaller & mask)];
            ofLarger += entry[side + (nint)(larger & mask)];
            table += 2 * side;
            entry = table + (nint)(pattern >> columns & patterns) * length;
            ofSmaller += entry[(nint)(smaller >> bits & mask)];
            ofLarger += entry[side + (nint)(larger >> bits & mask)];
            table += 2 * side;
            entry = table + (nint)(pattern >> columns2 & patterns) * length;
            ofSmaller += entry[(nint)(smaller >> bits2 & mask)];
            ofLarger += entry[side + (nint)(larger >> bits2 & mask)];
            table += 2 * side;
            entry = table + (nint)(pattern >> columns3 & patterns) * length;
            ofSmaller += entry[(nint)(smaller >> bits3 & mask)];
            ofLarger += entry[side + (nint)(larger >> bits3 & mask)];
            table += 2 * side;
        }

        for (groups &= 3; groups > 0; groups--, left += bits, right += bits, swap += columns, table += 2 * side)
        {
            float* entry = table + (nint)(SwappedRows.BitsAt(swaps, swap) & patterns) * length;
            ofSmaller += entry[(nint)(SwappedRows.BitsAt(codes, left) & mask)];
            ofLarger += entry[side + (nint)(SwappedRows.BitsAt(codes, right) & mask)];
        }

        return ofSmaller + ofLarger;
    }

    // 1 where a column meets the second value of its pair. The smaller one stands first where the bit is set.
    private static int Second(int swapBit, bool isLarger) => isLarger ? swapBit : 1 - swapBit;
}
