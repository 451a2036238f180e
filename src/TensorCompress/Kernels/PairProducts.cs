using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tensors;

namespace TensorCompress.Kernels;

/// <summary>
/// Products with rows of codes behind one swap layer, for wide groups. With p, q the vector's values for a pair, s the sum of its two weights, d the larger less the smaller, and u = 1 where the smaller
/// one stands first, else -1: <c>p a + q b = (p + q) s / 2 + u (q - p) d / 2</c>. The first term does not know the swaps: it is looked up in tables of products with all centroids. The second takes
/// differences of two centroids, sixteen pairs at a time, and their signs from the swap bits.
/// </summary>
/// <remarks>
/// Bound: for a group of a row a code and an addition; for sixteen pairs two loads, a subtraction, signs and a multiply-add for each vector, half as many as weights; none is ever put in its place. The last
/// lanes of a group meet zeros. A row of some groups is sixteen lanes of multiply-adds, added by the tree of <see cref="Reduction"/>, and two sums of what was looked up. For several vectors the signed differences of a row are written down once: <see cref="LaneDots"/> adds their
/// products in the same order, and makes the tables too, so a vector has the same bits alone; what is looked up is sixteen vectors' at a time.
/// </remarks>
internal static unsafe class PairProducts
{
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
    /// <param name="table">A product for each centroid.</param>
    public static void Build(ReadOnlySpan<float> sums, ReadOnlySpan<float> centroids, Span<float> table)
    {
        switch (SimdLevel.Active)
        {
            case SimdWidth.Bits512: Build<Simd512>(sums, centroids, table); break;
            case SimdWidth.Bits256: Build<Simd256>(sums, centroids, table); break;
            case SimdWidth.Bits128: Build<Simd128>(sums, centroids, table); break;
            default: Build<SimdScalar>(sums, centroids, table); break;
        }
    }

    /// <summary>Adds the products of some groups and their partners, row after row, for one vector.</summary>
    /// <param name="rows">Codes, every one below the number of centroids, and swap bits.</param>
    /// <param name="firstRow">The first row.</param>
    /// <param name="groups">Groups of the first half, with those of their partners what the rows are multiplied by.</param>
    /// <param name="results">A number for each row.</param>
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

    /// <summary>Writes down u d of the pairs of some groups: what half the differences of vectors are multiplied by.</summary>
    /// <param name="rows">Codes, every one below the number of centroids, and swap bits.</param>
    /// <param name="firstRow">The first row.</param>
    /// <param name="groups">Groups of the first half; tables and differences are not looked at.</param>
    /// <param name="signed">[row, group, <see cref="Length"/>].</param>
    public static void Decode(SwappedRows rows, int firstRow, PairOperands groups, MatrixView<float> signed)
    {
        switch (SimdLevel.Active)
        {
            case SimdWidth.Bits512: Decode<Simd512>(rows, firstRow, groups, signed); break;
            case SimdWidth.Bits256: Decode<Simd256>(rows, firstRow, groups, signed); break;
            case SimdWidth.Bits128: Decode<Simd128>(rows, firstRow, groups, signed); break;
            default: Decode<SimdScalar>(rows, firstRow, groups, signed); break;
        }
    }

    /// <summary>Adds what codes choose from the tables of several vectors, and the products of their differences.</summary>
    /// <param name="rows">Codes, every one below the number of centroids.</param>
    /// <param name="firstRow">The first row.</param>
    /// <param name="groups">Groups of the first half; differences are not looked at.</param>
    /// <param name="products">[row, vector], of what <see cref="Decode"/> wrote down.</param>
    /// <param name="results">[row, vector], a multiple of sixteen vectors.</param>
    public static void AddTables(SwappedRows rows, int firstRow, PairOperands groups, MatrixView<float> products, MatrixView<float> results)
    {
        switch (SimdLevel.Active)
        {
            case SimdWidth.Bits512: AddTables<Simd512>(rows, firstRow, groups, products, results); break;
            case SimdWidth.Bits256: AddTables<Simd256>(rows, firstRow, groups, products, results); break;
            case SimdWidth.Bits128: AddTables<Simd128>(rows, firstRow, groups, products, results); break;
            default: AddTables<SimdScalar>(rows, firstRow, groups, products, results); break;
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

    internal static void Build<TSimd>(ReadOnlySpan<float> sums, ReadOnlySpan<float> centroids, Span<float> table)
        where TSimd : struct, ISimd<TSimd>
    {
        int length = sums.Length, count = table.Length;
        ArgumentOutOfRangeException.ThrowIfNotEqual(length, Length(length), nameof(sums));
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
                four.CopyTo(table[c..]);
            }

            for (; c < count; c++, centroid += length)
            {
                TSimd sum = TSimd.Zero;
                for (int k = 0; k < length; k += Lanes) TSimd.Accumulate(ref sum, TSimd.Load(halves + k), TSimd.Load(centroid + k));
                table[c] = Reduction.Sum(sum);
            }
        }
    }

    internal static void AddRows<TSimd>(SwappedRows rows, int firstRow, PairOperands groups, Span<float> results)
        where TSimd : struct, ISimd<TSimd>
    {
        groups.ThrowIfOutside(rows.Columns, tokens: 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(groups.Differences.Length, groups.Count * Length(rows.Columns), nameof(groups));
        rows.ThrowIfOutside(firstRow + results.Length, groups.First + groups.Count, groups.Centroids);
        fixed (byte* codes = rows.Codes.Bytes, swaps = rows.Swaps)
        fixed (float* tables = groups.Tables, numbers = groups.Numbers, differences = groups.Differences)
        {
            nint length = Length(rows.Columns);
            for (int row = 0; row < results.Length; row++)
            {
                int at = firstRow + row;
                rows.Fetch(codes, swaps, at + SwappedRows.RowsAhead, groups.First);
                long left = rows.CodeAt(at, groups.First), right = rows.CodeAt(at, rows.Partners + groups.First), swap = rows.SwapAt(at, groups.First);
                results[row] += RowSum<TSimd>(codes, left, right, rows.Codes.Bits, swaps, swap, rows.Columns, tables, numbers, differences, length, groups.Centroids, groups.Count);
            }
        }
    }

    internal static void Decode<TSimd>(SwappedRows rows, int firstRow, PairOperands groups, MatrixView<float> signed)
        where TSimd : struct, ISimd<TSimd>
    {
        nint length = Length(rows.Columns), count = groups.Centroids;
        ArgumentOutOfRangeException.ThrowIfNotEqual(signed.Columns, groups.Count * length, nameof(signed));
        groups.ThrowIfOutside(rows.Columns, tokens: 0);
        rows.ThrowIfOutside(firstRow + (int)signed.Rows, groups.First + groups.Count, groups.Centroids);
        ulong mask = (1ul << rows.Codes.Bits) - 1;
        fixed (byte* codes = rows.Codes.Bytes, swaps = rows.Swaps)
        fixed (float* numbers = groups.Numbers)
        {
            for (int row = 0; row < signed.Rows; row++)
            {
                int at = firstRow + row;
                rows.Fetch(codes, swaps, at + SwappedRows.RowsAhead, groups.First);
                long left = rows.CodeAt(at, groups.First), right = rows.CodeAt(at, rows.Partners + groups.First), swap = rows.SwapAt(at, groups.First);
                float* low = numbers, target = signed.Pointer + row * signed.Stride;
                for (int group = 0; group < groups.Count; group++, left += rows.Codes.Bits, right += rows.Codes.Bits, swap += rows.Columns, low += 2 * count * length)
                {
                    float* smaller = low + (nint)(SwappedRows.BitsAt(codes, left) & mask) * length, larger = low + (count + (nint)(SwappedRows.BitsAt(codes, right) & mask)) * length;
                    for (nint k = 0; k < length; k += Lanes, target += Lanes) TSimd.Store(Signed<TSimd>(smaller + k, larger + k, swaps, swap + k), target);
                }
            }
        }

        signed.KeepAlive();
    }

    internal static void AddTables<TSimd>(SwappedRows rows, int firstRow, PairOperands groups, MatrixView<float> products, MatrixView<float> results)
        where TSimd : struct, ISimd<TSimd>
    {
        int lanes = (int)results.Columns, bits = rows.Codes.Bits;
        ArgumentOutOfRangeException.ThrowIfNotEqual(lanes % Lanes, 0, nameof(results));
        if (products.Rows != results.Rows || products.Columns != lanes) throw new ArgumentException($"Products of {products.Rows} x {products.Columns} do not belong to {results.Rows} x {lanes} results.", nameof(products));
        groups.ThrowIfOutside(rows.Columns, lanes);
        rows.ThrowIfOutside(firstRow + (int)results.Rows, groups.First + groups.Count, groups.Centroids);
        ulong mask = (1ul << bits) - 1;
        nint side = groups.Centroids * (nint)lanes;
        fixed (byte* codes = rows.Codes.Bytes)
        fixed (float* tables = groups.Tables)
        {
            for (int row = 0; row < results.Rows; row++)
            {
                long left = rows.CodeAt(firstRow + row, groups.First), right = rows.CodeAt(firstRow + row, rows.Partners + groups.First);
                float* product = products.Pointer + row * products.Stride, result = results.Pointer + row * results.Stride;
                for (int lane = 0; lane < lanes; lane += Lanes) TSimd.Store(TSimd.Load(result + lane) + (LookedUp<TSimd>(codes, left, right, bits, mask, tables + lane, lanes, side, groups.Count) + TSimd.Load(product + lane)), result + lane);
            }
        }

        products.KeepAlive();
        results.KeepAlive();
    }

    // Apart from the loop over rows, as the next.
    private static TSimd LookedUp<TSimd>(byte* codes, long left, long right, int bits, ulong mask, float* tables, nint lanes, nint side, int groups)
        where TSimd : struct, ISimd<TSimd>
    {
        TSimd ofSmaller = TSimd.Zero, ofLarger = TSimd.Zero;
        for (; groups > 0; groups--, left += bits, right += bits, tables += 2 * side)
        {
            ofSmaller += TSimd.Load(tables + (nint)(SwappedRows.BitsAt(codes, left) & mask) * lanes);
            ofLarger += TSimd.Load(tables + side + (nint)(SwappedRows.BitsAt(codes, right) & mask) * lanes);
        }

        return ofSmaller + ofLarger;
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

    // u d of sixteen pairs. The smaller less the larger is -d: its sign changes where the bit is set.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TSimd Signed<TSimd>(float* smaller, float* larger, byte* swaps, long swap)
        where TSimd : struct, ISimd<TSimd> => TSimd.AddBits(TSimd.Load(smaller) - TSimd.Load(larger), TSimd.ShiftLeft(TSimd.MaskOf((int)SwappedRows.BitsAt(swaps, swap)), 31));
}

/// <summary>What some groups of the first half and their partners are multiplied by.</summary>
/// <param name="first">The first group.</param>
/// <param name="count">Groups.</param>
/// <param name="centroids">Centroids of a group.</param>
/// <param name="tables">[group, itself or its partner, centroid] of <see cref="PairProducts.Build(ReadOnlySpan{float}, ReadOnlySpan{float}, Span{float})"/>, for several vectors [.., centroid, vector].</param>
/// <param name="numbers">[group, itself or its partner, centroid, <see cref="PairProducts.Length"/>].</param>
/// <param name="differences">Half the differences of the groups' pairs for one vector, [group, <see cref="PairProducts.Length"/>].</param>
internal readonly ref struct PairOperands(int first, int count, int centroids, ReadOnlySpan<float> tables, ReadOnlySpan<float> numbers, ReadOnlySpan<float> differences)
{
    public readonly int First = first, Count = count, Centroids = centroids;
    public readonly ReadOnlySpan<float> Tables = tables, Numbers = numbers, Differences = differences;

    /// <summary>Throws where tables for so many vectors or numbers are missing.</summary>
    public void ThrowIfOutside(int columns, int tokens)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(Tables.Length, (long)Count * 2 * Centroids * tokens, nameof(tables));
        ArgumentOutOfRangeException.ThrowIfLessThan(Numbers.Length, (long)Count * 2 * Centroids * PairProducts.Length(columns), nameof(numbers));
    }
}
