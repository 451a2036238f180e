using System.Runtime.CompilerServices;
using TensorCompress.Kernels.Simd;

namespace TensorCompress.Kernels;

/// <summary>
/// Products with rows of codes by look-up: for a group of columns the products of a vector with all its centroids are a table, and a row adds what its codes choose. A product with a centroid is one
/// chain of multiply-adds; a row of some groups is four running sums (group modulo 4) and then (0 + 2) + (1 + 3): the same bits for a vector alone and for sixteen at a time.
/// </summary>
/// <remarks>
/// Bound for one vector: columns x centroids multiply-adds for the tables, sixteen at a time, and for each group of a row a code, an address and an addition, four instructions; tables of some groups
/// stay in a cache while rows pass. For sixteen vectors a code's two or one vector additions are shared by them.
/// </remarks>
internal static unsafe class TableProducts
{
    /// <summary>Vectors of a batch.</summary>
    public const int Tokens = 16;

    /// <summary>Bits of a code at most: four of them are read at once from any bit of a byte on.</summary>
    public const int MostCodeBits = 14;

    /// <summary>Bytes behind the last row that may be read.</summary>
    public const int SlackBytes = 8;

    /// <summary>Floats behind centroids that may be read.</summary>
    public const int NumbersBehind = Lanes - 1;

    private const int Lanes = 16;

    /// <summary>Floats of a table: a multiple of sixteen.</summary>
    public static int TableLength(int centroids) => (centroids + Lanes - 1) & -Lanes;

    /// <summary>Makes the table of a group for one vector.</summary>
    /// <param name="x">The group's part of the vector.</param>
    /// <param name="centroids">[column of the group, centroid], and <see cref="NumbersBehind"/> floats behind.</param>
    /// <param name="count">Centroids.</param>
    /// <param name="table"><see cref="TableLength"/> floats; those behind the centroids have no meaning.</param>
    public static void Build(ReadOnlySpan<float> x, ReadOnlySpan<float> centroids, int count, Span<float> table)
    {
        switch (SimdLevel.Active)
        {
            case SimdWidth.Bits512: Build<Simd512>(x, centroids, count, table); break;
            case SimdWidth.Bits256: Build<Simd256>(x, centroids, count, table); break;
            case SimdWidth.Bits128: Build<Simd128>(x, centroids, count, table); break;
            default: Build<SimdScalar>(x, centroids, count, table); break;
        }
    }

    /// <summary>Makes the tables of a group for sixteen vectors.</summary>
    /// <param name="x">[column of the group, vector].</param>
    /// <param name="centroids">[column of the group, centroid].</param>
    /// <param name="count">Centroids.</param>
    /// <param name="table">[centroid, vector].</param>
    public static void BuildForTokens(ReadOnlySpan<float> x, ReadOnlySpan<float> centroids, int count, Span<float> table)
    {
        switch (SimdLevel.Active)
        {
            case SimdWidth.Bits512: BuildForTokens<Simd512>(x, centroids, count, table); break;
            case SimdWidth.Bits256: BuildForTokens<Simd256>(x, centroids, count, table); break;
            case SimdWidth.Bits128: BuildForTokens<Simd128>(x, centroids, count, table); break;
            default: BuildForTokens<SimdScalar>(x, centroids, count, table); break;
        }
    }

    /// <summary>Adds what the codes of some groups choose, row after row, for one vector.</summary>
    /// <param name="codes">The codes and <see cref="SlackBytes"/> behind the last row; every one is below the number of centroids.</param>
    /// <param name="firstRow">The first row.</param>
    /// <param name="firstGroup">The first group.</param>
    /// <param name="tables">[group, <see cref="TableLength"/>] of these groups.</param>
    /// <param name="length">Floats of a table.</param>
    /// <param name="sums">A sum for each row.</param>
    public static void AddRows(CodeRows codes, int firstRow, int firstGroup, ReadOnlySpan<float> tables, int length, Span<float> sums)
    {
        int groups = tables.Length / length;
        codes.ThrowIfOutside(firstRow + sums.Length, firstGroup + groups, length);
        fixed (byte* bytes = codes.Bytes)
        fixed (float* first = tables)
        {
            for (int row = 0; row < sums.Length; row++)
            {
                long bit = ((long)(firstRow + row) * codes.Groups + firstGroup) * codes.Bits;
                CacheLine.Fetch(bytes + (bit >> 3) + CacheLine.Bytes); // the next tables' codes of this row
                sums[row] += RowSum(bytes, bit, codes.Bits, first, length, groups);
            }
        }
    }

    /// <summary>Adds what the codes of some groups choose, row after row, for sixteen vectors.</summary>
    /// <param name="codes">The codes and <see cref="SlackBytes"/> behind the last row; every one is below the number of centroids.</param>
    /// <param name="firstRow">The first row.</param>
    /// <param name="firstGroup">The first group.</param>
    /// <param name="tables">[group, centroid, vector] of these groups.</param>
    /// <param name="centroids">Centroids of a group.</param>
    /// <param name="sums">[row, vector].</param>
    public static void AddRowsForTokens(CodeRows codes, int firstRow, int firstGroup, ReadOnlySpan<float> tables, int centroids, Span<float> sums)
    {
        switch (SimdLevel.Active)
        {
            case SimdWidth.Bits512: AddRowsForTokens<Simd512>(codes, firstRow, firstGroup, tables, centroids, sums); break;
            case SimdWidth.Bits256: AddRowsForTokens<Simd256>(codes, firstRow, firstGroup, tables, centroids, sums); break;
            case SimdWidth.Bits128: AddRowsForTokens<Simd128>(codes, firstRow, firstGroup, tables, centroids, sums); break;
            default: AddRowsForTokens<SimdScalar>(codes, firstRow, firstGroup, tables, centroids, sums); break;
        }
    }

    // Apart from the loop over rows, so that everything stays in registers.
    private static float RowSum(byte* codes, long bit, int bits, float* table, nint length, int groups)
    {
        ulong mask = (1ul << bits) - 1;
        int bits2 = 2 * bits, bits3 = 3 * bits, step = 4 * bits;
        nint length2 = 2 * length, length3 = 3 * length, length4 = 4 * length;
        float* end = table + (groups >> 2) * length4;
        float s0 = 0, s1 = 0, s2 = 0, s3 = 0;
        for (; table < end; table += length4, bit += step)
        {
            ulong word = Unsafe.ReadUnaligned<ulong>(codes + (bit >> 3)) >> (int)(bit & 7);
            s0 += table[(nint)(word & mask)];
            s1 += table[length + (nint)(word >> bits & mask)];
            s2 += table[length2 + (nint)(word >> bits2 & mask)];
            s3 += table[length3 + (nint)(word >> bits3 & mask)];
        }

        if ((groups & 3) != 0)
        {
            ulong word = Unsafe.ReadUnaligned<ulong>(codes + (bit >> 3)) >> (int)(bit & 7);
            s0 += table[(nint)(word & mask)];
            if ((groups & 3) > 1) s1 += table[length + (nint)(word >> bits & mask)];
            if ((groups & 3) > 2) s2 += table[length2 + (nint)(word >> bits2 & mask)];
        }

        return (s0 + s2) + (s1 + s3);
    }

    internal static void Build<TSimd>(ReadOnlySpan<float> x, ReadOnlySpan<float> centroids, int count, Span<float> table)
        where TSimd : struct, ISimd<TSimd>
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(table.Length, TableLength(count), nameof(table));
        ArgumentOutOfRangeException.ThrowIfLessThan(centroids.Length, (x.Length - 1) * count + table.Length, nameof(centroids));
        fixed (float* input = x, numbers = centroids, results = table)
        {
            for (int c = 0; c < count; c += Lanes)
            {
                TSimd sum = TSimd.Zero;
                for (int k = 0; k < x.Length; k++) TSimd.Accumulate(ref sum, TSimd.BroadcastFrom(input + k), TSimd.Load(numbers + k * (nint)count + c));
                TSimd.Store(sum, results + c);
            }
        }
    }

    internal static void BuildForTokens<TSimd>(ReadOnlySpan<float> x, ReadOnlySpan<float> centroids, int count, Span<float> table)
        where TSimd : struct, ISimd<TSimd>
    {
        int columns = x.Length / Tokens;
        ArgumentOutOfRangeException.ThrowIfNotEqual(table.Length, count * Tokens, nameof(table));
        ArgumentOutOfRangeException.ThrowIfLessThan(centroids.Length, columns * count, nameof(centroids));
        fixed (float* input = x, numbers = centroids, results = table)
        {
            for (int c = 0; c < count; c++)
            {
                TSimd sum = TSimd.Zero;
                for (int k = 0; k < columns; k++) TSimd.Accumulate(ref sum, TSimd.Load(input + k * Tokens), TSimd.BroadcastFrom(numbers + k * (nint)count + c));
                TSimd.Store(sum, results + c * (nint)Tokens);
            }
        }
    }

    internal static void AddRowsForTokens<TSimd>(CodeRows codes, int firstRow, int firstGroup, ReadOnlySpan<float> tables, int centroids, Span<float> sums)
        where TSimd : struct, ISimd<TSimd>
    {
        int rows = sums.Length / Tokens, groups = tables.Length / (centroids * Tokens);
        codes.ThrowIfOutside(firstRow + rows, firstGroup + groups, centroids);
        fixed (byte* bytes = codes.Bytes)
        fixed (float* first = tables, results = sums)
        {
            int bits = codes.Bits;
            ulong mask = (1ul << bits) - 1;
            nint length = centroids * (nint)Tokens;
            for (int row = 0; row < rows; row++)
            {
                long bit = ((long)(firstRow + row) * codes.Groups + firstGroup) * bits;
                float* table = first, y = results + row * (nint)Tokens;
                TSimd s0 = TSimd.Zero, s1 = TSimd.Zero, s2 = TSimd.Zero, s3 = TSimd.Zero;
                for (int group = 0; group < groups; group += 4, table += 4 * length, bit += 4 * bits)
                {
                    ulong word = Unsafe.ReadUnaligned<ulong>(bytes + (nint)(bit >> 3)) >> (int)(bit & 7);
                    int left = groups - group;
                    s0 += TSimd.Load(table + (nint)(word & mask) * Tokens);
                    if (left > 1) s1 += TSimd.Load(table + length + (nint)(word >> bits & mask) * Tokens);
                    if (left > 2) s2 += TSimd.Load(table + 2 * length + (nint)(word >> (2 * bits) & mask) * Tokens);
                    if (left > 3) s3 += TSimd.Load(table + 3 * length + (nint)(word >> (3 * bits) & mask) * Tokens);
                }

                TSimd.Store(TSimd.Load(y) + ((s0 + s2) + (s1 + s3)), y);
            }
        }
    }
}

/// <summary>Codes without gaps, [row, group], as a file has them.</summary>
/// <param name="bytes">The codes and <see cref="TableProducts.SlackBytes"/> behind them.</param>
/// <param name="bits">Bits of a code; 0 where there is one centroid.</param>
/// <param name="groups">Codes of a row.</param>
internal readonly ref struct CodeRows(ReadOnlySpan<byte> bytes, int bits, int groups)
{
    public readonly ReadOnlySpan<byte> Bytes = bytes;
    public readonly int Bits = bits, Groups = groups;

    /// <summary>Throws where rows, groups or codes lie outside what is there.</summary>
    public void ThrowIfOutside(int rows, int groups, int centroids)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(Bits, TableProducts.MostCodeBits, nameof(Bits));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(groups, Groups, nameof(groups));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(1 << Math.Max(0, Bits - 1), centroids, nameof(Bits));
        long needed = ((long)rows * Groups * Bits + 7) / 8 + TableProducts.SlackBytes;
        if (rows > 0 && needed > Bytes.Length) throw new ArgumentException($"Codes of {Bytes.Length} bytes; {needed} are needed with those behind.", nameof(rows));
    }
}
