using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Kernels;

public sealed class SwapPatternProductsTests
{
    private const int Tokens = TableProducts.Tokens;

    private static readonly Widths<Adder> Adders = new(
        SwapPatternProducts.AddRowsForTokens<Simd512>, SwapPatternProducts.AddRowsForTokens<Simd256>, SwapPatternProducts.AddRowsForTokens<Simd128>, SwapPatternProducts.AddRowsForTokens<SimdScalar>);

    private delegate void Adder(SwappedRows rows, int firstRow, int firstGroup, ReadOnlySpan<float> x, ReadOnlySpan<float> centroids, int count, Span<float> sums);

    [Fact]
    public void Rows_are_those_of_the_exchanged_columns_with_the_same_bits_alone_and_together()
    {
        var source = new FloatSource(11);
        foreach (int columns in new[] { 1, 2, 3, 4 })
        {
            foreach (int count in new[] { 1, 2, 5, 16, 33 })
            {
                foreach ((int rows, int partners, int first) in new[] { (1, 1, 0), (5, 4, 0), (7, 11, 4), (3, 22, 9), (40, 3, 1) })
                    Check(source, columns, count, rows, partners, first);
            }
        }
    }

    private static void Check(FloatSource source, int columns, int count, int rows, int partners, int first)
    {
        using SwappedSample sample = new(source, rows, partners, columns, count);
        int groups = partners - first, firstRow = rows / 3, used = rows - firstRow, length = TableProducts.TableLength(count);
        string what = $"{columns} columns, {count} centroids, {rows} x {partners} from {first}";
        using GuardedMemory<float> x = new(groups * 2 * columns * Tokens), centroids = new(groups * 2 * columns * count), sums = new(used * Tokens), tables = new(groups * 2 * length << columns), single = new(used);
        source.Array(x.Length).CopyTo(x.Span);
        source.Array(centroids.Length).CopyTo(centroids.Span);
        float Number(int group, int half, int column, int centroid) => centroids.Span[((group * 2 + half) * columns + column) * count + centroid];
        float[]? reference = null;
        foreach ((string width, Adder add) in Adders.All)
        {
            sums.Span.Fill(0.25f);
            add(sample.Rows, firstRow, first, x.Span, centroids.Span, count, sums.Span);
            for (int i = 0; i < sums.Length; i++)
            {
                (int row, int token) = (firstRow + i / Tokens, i % Tokens);
                double expected = 0.25 + sample.Product(row, first, groups, Number, pair => x.Span[pair * Tokens + token]);
                Assert.True(Math.Abs(expected - sums.Span[i]) <= 1e-5, $"{what}, width {width}: {sums.Span[i]}, not {expected}");
            }

            if (FloatBits.FusedMultiplyAdd) FloatBits.AssertEqual(reference ??= sums.Span.ToArray(), sums.Span, what + width);
        }

        for (int token = 0; token < Tokens; token += 7)
        {
            Tables(x.Span, centroids.Span, token, columns, count, tables.Span);
            single.Span.Fill(0.25f);
            SwapPatternProducts.AddRows(sample.Rows, firstRow, first, tables.Span, length, single.Span);
            if (reference is not null) FloatBits.AssertEqual([.. Enumerable.Range(0, used).Select(row => reference[row * Tokens + token])], single.Span, $"{what}, token {token}");
        }
    }

    // As a caller makes them: every group and its partner, pattern after pattern.
    private static void Tables(ReadOnlySpan<float> x, ReadOnlySpan<float> centroids, int token, int columns, int count, Span<float> tables)
    {
        int length = TableProducts.TableLength(count);
        float[] values = new float[2 * columns], chosen = new float[columns], numbers = new float[columns * count + TableProducts.NumbersBehind];
        for (int group = 0; tables.Length > 0; group++)
        {
            for (int k = 0; k < values.Length; k++) values[k] = x[(group * 2 * columns + k) * Tokens + token];
            for (int half = 0; half < 2; half++)
            {
                centroids.Slice((group * 2 + half) * columns * count, columns * count).CopyTo(numbers);
                for (int pattern = 0; pattern < 1 << columns; pattern++, tables = tables[length..])
                {
                    SwapPatternProducts.Choose(values, pattern, half != 0, chosen);
                    TableProducts.Build(chosen, numbers, count, tables[..length]);
                }
            }
        }
    }

    [Fact]
    public void What_lies_outside_is_refused()
    {
        byte[] codes = new byte[4 + TableProducts.SlackBytes], swaps = new byte[2 + TableProducts.SlackBytes];
        float[] tables = new float[2 * 16 << 2], sums = new float[4];
        SwappedRows Rows(int bits, int groups, int columns) => new(new CodeRows(codes, bits, groups), swaps, columns);
        SwapPatternProducts.AddRows(Rows(4, 2, 2), 0, 0, tables, 16, sums);
        Assert.Throws<ArgumentException>(() => SwapPatternProducts.AddRows(Rows(4, 2, 2), 1, 0, tables, 16, sums));
        Assert.Throws<ArgumentOutOfRangeException>(() => SwapPatternProducts.AddRows(Rows(4, 2, 2), 0, 1, tables, 16, sums));
        Assert.Throws<ArgumentOutOfRangeException>(() => SwapPatternProducts.AddRows(Rows(4, 3, 2), 0, 0, tables, 16, sums.AsSpan(0, 1)));
        Assert.Throws<ArgumentOutOfRangeException>(() => SwapPatternProducts.AddRows(Rows(4, 2, 5), 0, 0, tables, 16, sums));
        swaps = new byte[TableProducts.SlackBytes];
        Assert.Throws<ArgumentException>(() => SwapPatternProducts.AddRows(Rows(4, 2, 2), 0, 0, tables, 16, sums));
        Assert.Throws<ArgumentException>(() => SwapPatternProducts.AddRowsForTokens(Rows(4, 2, 2), 0, 0, new float[4 * Tokens], new float[4 * 16], 16, new float[4 * Tokens]));
        Assert.Throws<ArgumentOutOfRangeException>(() => SwapPatternProducts.AddRowsForTokens(Rows(4, 2, 2), 0, 0, new float[3 * Tokens], new float[4 * 16], 16, []));
    }
}
