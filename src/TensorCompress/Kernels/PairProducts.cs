using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using TensorCompress.Kernels.Simd;

namespace TensorCompress.Kernels;

/// <summary>
/// Products with rows of codes behind one swap layer, for wide groups. With p, q the vector's values for a pair, s the sum of its two weights, d the larger less the smaller, and u = 1 where the smaller
/// one stands first, else -1: <c>p a + q b = (p + q) s / 2 + u (q - p) d / 2</c>. The first term does not know the swaps: it is looked up in tables of products with all centroids. The second takes
/// differences of two centroids, sixteen pairs at a time, and their signs from the swap bits.
/// </summary>
/// <remarks>
/// Bound: for a group of a row a code and an addition; for sixteen pairs two loads, a subtraction, signs and a multiply-add for each vector, half as many as weights; none is ever put in its place. The last
/// lanes of a group meet zeros. A row of some groups is sixteen lanes of multiply-adds, added by the tree of <see cref="Reduction"/>, and two sums of what was looked up: the same bits for one vector and for four.
/// </remarks>
internal static unsafe class PairProducts
{
    /// <summary>Vectors of a batch.</summary>
    public const int Tokens = 4;

    /// <summary>Floats behind centroids that may be read.</summary>
    public const int NumbersBehind = Lanes - 1;

    /// <summary>Pairs that are worked on together.</summary>
    public const int Lanes = 16;

    /// <summary>Floats of a centroid, and of a vector for the pairs of a group: filled up to sixteens, with zeros.</summary>
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

    /// <summary>Fills centroids up.</summary>
    /// <param name="numbers">[centroid, column of the group], and <see cref="NumbersBehind"/> floats behind.</param>
    /// <param name="columns">Columns of the group.</param>
    /// <param name="centroids">[centroid, <see cref="Length"/>]; as many as this takes.</param>
    public static void Fill(ReadOnlySpan<float> numbers, int columns, Span<float> centroids)
    {
        switch (SimdLevel.Active)
        {
            case SimdWidth.Bits512: Fill<Simd512>(numbers, columns, centroids); break;
            case SimdWidth.Bits256: Fill<Simd256>(numbers, columns, centroids); break;
            case SimdWidth.Bits128: Fill<Simd128>(numbers, columns, centroids); break;
            default: Fill<SimdScalar>(numbers, columns, centroids); break;
        }
    }

    /// <summary>Makes the table of a group for one vector.</summary>
    /// <param name="sums">Half the sums of the group's pairs, then zeros up to <see cref="Length"/>.</param>
    /// <param name="centroids">[centroid, <see cref="Length"/>].</param>
    /// <param name="count">Centroids.</param>
    /// <param name="table">From one place on, a product for each centroid.</param>
    /// <param name="next">From the place of a centroid to that of the next one.</param>
    public static void Build(ReadOnlySpan<float> sums, ReadOnlySpan<float> centroids, int count, Span<float> table, int next)
    {
        switch (SimdLevel.Active)
        {
            case SimdWidth.Bits512: Build<Simd512>(sums, centroids, count, table, next); break;
            case SimdWidth.Bits256: Build<Simd256>(sums, centroids, count, table, next); break;
            case SimdWidth.Bits128: Build<Simd128>(sums, centroids, count, table, next); break;
            default: Build<SimdScalar>(sums, centroids, count, table, next); break;
        }
    }

    /// <summary>Adds the products of some groups and their partners, row after row, for one vector or for four.</summary>
    /// <param name="rows">Codes, every one below the number of centroids, and swap bits.</param>
    /// <param name="firstRow">The first row.</param>
    /// <param name="groups">Groups of the first half, with those of their partners what the rows are multiplied by.</param>
    /// <param name="results">[row] or [row, 4].</param>
    public static void AddRows(SwappedRows rows, int firstRow, PairOperands groups, Span<float> results)
    {
        switch (SimdLevel.Active)
        {
            case SimdWidth.Bits512: AddRows<Simd512>(rows, firstRow, groups, results); break;
            case SimdWidth.Bits256: AddRows<Simd256>(rows, firstRow, groups, results); break;
            case SimdWidth.Bits128: AddRows<Simd128>(rows, firstRow, groups, results); break;
            default: AddRows<SimdScalar>(rows, firstRow, groups, results); break;
        }
    }

    internal static void Fill<TSimd>(ReadOnlySpan<float> numbers, int columns, Span<float> centroids)
        where TSimd : struct, ISimd<TSimd>
    {
        int length = Length(columns), count = centroids.Length / length;
        ArgumentOutOfRangeException.ThrowIfLessThan(numbers.Length, (count - 1) * columns + length, nameof(numbers));
        TSimd last = TSimd.MaskOf((1 << (columns - (length - Lanes))) - 1);
        fixed (float* source = numbers, target = centroids)
        {
            for (int c = 0; c < count; c++)
            {
                float* from = source + c * (nint)columns, to = target + c * (nint)length;
                for (int k = 0; k < length - Lanes; k += Lanes) TSimd.Store(TSimd.Load(from + k), to + k);
                TSimd.Store(TSimd.Load(from + length - Lanes) & last, to + length - Lanes);
            }
        }
    }

    internal static void Build<TSimd>(ReadOnlySpan<float> sums, ReadOnlySpan<float> centroids, int count, Span<float> table, int next)
        where TSimd : struct, ISimd<TSimd>
    {
        int length = sums.Length;
        ArgumentOutOfRangeException.ThrowIfNotEqual(length, Length(length), nameof(sums));
        ArgumentOutOfRangeException.ThrowIfLessThan(table.Length, (count - 1) * next + 1, nameof(table));
        ArgumentOutOfRangeException.ThrowIfLessThan(centroids.Length, count * length, nameof(centroids));
        fixed (float* halves = sums, numbers = centroids)
        {
            float* centroid = numbers;
            int c = 0;
            for (; c <= count - 4; c += 4, centroid += 4 * length)
            {
                TSimd s0 = TSimd.Zero, s1 = TSimd.Zero, s2 = TSimd.Zero, s3 = TSimd.Zero;
                for (int k = 0; k < length; k += Lanes)
                {
                    TSimd half = TSimd.Load(halves + k);
                    TSimd.Accumulate(ref s0, half, TSimd.Load(centroid + k));
                    TSimd.Accumulate(ref s1, half, TSimd.Load(centroid + length + k));
                    TSimd.Accumulate(ref s2, half, TSimd.Load(centroid + 2 * length + k));
                    TSimd.Accumulate(ref s3, half, TSimd.Load(centroid + 3 * length + k));
                }

                Vector128<float> four = Reduction.Sum4(s0, s1, s2, s3);
                for (int i = 0; i < 4; i++) table[(c + i) * next] = four[i];
            }

            for (; c < count; c++, centroid += length)
            {
                TSimd sum = TSimd.Zero;
                for (int k = 0; k < length; k += Lanes) TSimd.Accumulate(ref sum, TSimd.Load(halves + k), TSimd.Load(centroid + k));
                table[c * next] = Reduction.Sum(sum);
            }
        }
    }

    internal static void AddRows<TSimd>(SwappedRows rows, int firstRow, PairOperands groups, Span<float> results)
        where TSimd : struct, ISimd<TSimd>
    {
        int used = results.Length / groups.Tokens;
        groups.ThrowIfOutside(rows.Columns);
        rows.ThrowIfOutside(firstRow + used, groups.First + groups.Count, groups.Centroids);
        fixed (byte* codes = rows.Codes.Bytes, swaps = rows.Swaps)
        fixed (float* tables = groups.Tables, numbers = groups.Numbers, differences = groups.Differences, y = results)
        {
            nint length = Length(rows.Columns);
            for (int row = 0; row < used; row++)
            {
                int at = firstRow + row;
                rows.Fetch(codes, swaps, at + SwappedRows.RowsAhead, groups.First);
                long left = rows.CodeAt(at, groups.First), right = rows.CodeAt(at, rows.Partners + groups.First), swap = rows.SwapAt(at, groups.First);
                if (groups.Tokens == 1)
                    y[row] += RowSum<TSimd>(codes, left, right, rows.Codes.Bits, swaps, swap, rows.Columns, tables, numbers, differences, length, groups.Centroids, groups.Count);
                else
                    (Vector128.Load(y + row * Tokens) + RowSums<TSimd>(codes, left, right, rows.Codes.Bits, swaps, swap, rows.Columns, tables, numbers, differences, length, groups.Centroids, groups.Count)).Store(y + row * Tokens);
            }
        }
    }

    // Apart from the loop over rows, so that everything stays in registers.
    private static float RowSum<TSimd>(
        byte* codes, long left, long right, int bits, byte* swaps, long swap, int columns, float* tables, float* numbers, float* differences, nint length, nint count, int groups)
        where TSimd : struct, ISimd<TSimd>
    {
        ulong mask = (1ul << bits) - 1;
        float ofSmaller = 0, ofLarger = 0;
        TSimd total = TSimd.Zero;
        for (; groups > 0; groups--, left += bits, right += bits, swap += columns, tables += 2 * count, numbers += 2 * count * length, differences += length)
        {
            nint smaller = (nint)(SwappedRows.BitsAt(codes, left) & mask), larger = count + (nint)(SwappedRows.BitsAt(codes, right) & mask);
            ofSmaller += tables[smaller];
            ofLarger += tables[larger];
            float* low = numbers + smaller * length, high = numbers + larger * length;
            for (nint k = 0; k < length; k += Lanes)
                TSimd.Accumulate(ref total, Signed<TSimd>(low + k, high + k, swaps, swap + k), TSimd.Load(differences + k));
        }

        return (ofSmaller + ofLarger) + Reduction.Sum(total);
    }

    private static Vector128<float> RowSums<TSimd>(
        byte* codes, long left, long right, int bits, byte* swaps, long swap, int columns, float* tables, float* numbers, float* differences, nint length, nint count, int groups)
        where TSimd : struct, ISimd<TSimd>
    {
        ulong mask = (1ul << bits) - 1;
        Vector128<float> ofSmaller = default, ofLarger = default;
        TSimd t0 = TSimd.Zero, t1 = TSimd.Zero, t2 = TSimd.Zero, t3 = TSimd.Zero;
        for (; groups > 0; groups--, left += bits, right += bits, swap += columns, tables += 2 * count * Tokens, numbers += 2 * count * length)
        {
            nint smaller = (nint)(SwappedRows.BitsAt(codes, left) & mask), larger = count + (nint)(SwappedRows.BitsAt(codes, right) & mask);
            ofSmaller += Vector128.Load(tables + smaller * Tokens);
            ofLarger += Vector128.Load(tables + larger * Tokens);
            float* low = numbers + smaller * length, high = numbers + larger * length;
            for (nint k = 0; k < length; k += Lanes, differences += Tokens * Lanes)
            {
                TSimd signed = Signed<TSimd>(low + k, high + k, swaps, swap + k);
                TSimd.Accumulate(ref t0, signed, TSimd.Load(differences));
                TSimd.Accumulate(ref t1, signed, TSimd.Load(differences + Lanes));
                TSimd.Accumulate(ref t2, signed, TSimd.Load(differences + 2 * Lanes));
                TSimd.Accumulate(ref t3, signed, TSimd.Load(differences + 3 * Lanes));
            }
        }

        return (ofSmaller + ofLarger) + Reduction.Sum4(t0, t1, t2, t3);
    }

    // u d of sixteen pairs. The smaller less the larger is -d: its sign changes where the bit is set.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TSimd Signed<TSimd>(float* smaller, float* larger, byte* swaps, long swap)
        where TSimd : struct, ISimd<TSimd> => TSimd.AddBits(TSimd.Load(smaller) - TSimd.Load(larger), TSimd.ShiftLeft(TSimd.MaskOf((int)SwappedRows.BitsAt(swaps, swap)), 31));
}

/// <summary>What some groups of the first half and their partners are multiplied by.</summary>
/// <param name="first">The first group.</param>
/// <param name="count">Groups.</param>
/// <param name="centroids">Centroids of a group.</param>
/// <param name="tables">[group, itself or its partner, centroid] of <see cref="PairProducts.Build(ReadOnlySpan{float}, ReadOnlySpan{float}, int, Span{float}, int)"/>, for four vectors [.., centroid, vector].</param>
/// <param name="numbers">[group, itself or its partner, centroid, <see cref="PairProducts.Length"/>].</param>
/// <param name="differences">Half the differences of the groups' pairs, [group, <see cref="PairProducts.Length"/>]; of four vectors [group, sixteen of these, vector, 16].</param>
/// <param name="tokens">1 or 4 vectors.</param>
internal readonly ref struct PairOperands(int first, int count, int centroids, ReadOnlySpan<float> tables, ReadOnlySpan<float> numbers, ReadOnlySpan<float> differences, int tokens)
{
    public readonly int First = first, Count = count, Centroids = centroids, Tokens = tokens;
    public readonly ReadOnlySpan<float> Tables = tables, Numbers = numbers, Differences = differences;

    /// <summary>Throws where something is missing.</summary>
    public void ThrowIfOutside(int columns)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(Tokens, Tokens == 1 ? 1 : PairProducts.Tokens, nameof(tokens));
        ArgumentOutOfRangeException.ThrowIfLessThan(Tables.Length, Count * 2 * Centroids * Tokens, nameof(tables));
        ArgumentOutOfRangeException.ThrowIfLessThan(Numbers.Length, Count * 2 * Centroids * PairProducts.Length(columns), nameof(numbers));
        ArgumentOutOfRangeException.ThrowIfLessThan(Differences.Length, Count * PairProducts.Length(columns) * Tokens, nameof(differences));
    }
}
