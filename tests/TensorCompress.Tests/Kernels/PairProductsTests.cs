using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Kernels;

public sealed class PairProductsTests
{
    private static readonly Widths<Builder> Builders = new(PairProducts.Build<Simd512>, PairProducts.Build<Simd256>, PairProducts.Build<Simd128>, PairProducts.Build<SimdScalar>);

    private static readonly Widths<Adder> Adders = new(PairProducts.AddRows<Simd512>, PairProducts.AddRows<Simd256>, PairProducts.AddRows<Simd128>, PairProducts.AddRows<SimdScalar>);

    private delegate void Builder(ReadOnlySpan<float> sums, ReadOnlySpan<float> differences, ReadOnlySpan<float> centroids, int columns, Span<float> sumTable, Span<float> differenceTable);

    private delegate void Adder(SwappedRows rows, int firstRow, int firstGroup, ReadOnlySpan<float> sumTables, ReadOnlySpan<float> differenceTables, int count, Span<float> results);

    [Fact]
    public void Tables_hold_sums_and_column_by_column_differences_of_all_centroids()
    {
        var source = new FloatSource(3);
        for (int columns = 1; columns <= 70; columns++)
        {
            int count = 1 + columns * 7 % 11, length = PairProducts.Length(columns);
            float[] x = source.Array(2 * columns);
            using GuardedMemory<float> sums = new(length), differences = new(length), centroids = new((count - 1) * columns + length), sumTable = new(count), differenceTable = new(count * length);
            PairProducts.Halve(x, sums.Span[..columns], differences.Span[..columns]);
            source.Array(centroids.Length).CopyTo(centroids.Span);
            foreach ((string width, Builder build) in Builders.All)
            {
                differenceTable.Span.Fill(float.NaN);
                build(sums.Span, differences.Span, centroids.Span, columns, sumTable.Span, differenceTable.Span);
                for (int c = 0; c < count; c++)
                {
                    double expected = Enumerable.Range(0, columns).Sum(k => ((double)x[2 * k] + x[2 * k + 1]) / 2 * centroids.Span[c * columns + k]);
                    Assert.True(Math.Abs(expected - sumTable.Span[c]) <= 1e-5, $"{columns} columns, width {width}");
                    for (int k = 0; k < length; k++)
                    {
                        double difference = k < columns ? ((double)x[2 * k + 1] - x[2 * k]) / 2 * centroids.Span[c * columns + k] : 0;
                        Assert.True(Math.Abs(difference - differenceTable.Span[c * length + k]) <= 1e-6, $"{columns} columns, column {k}, width {width}");
                    }
                }
            }
        }
    }

    [Fact]
    public void Rows_are_those_of_the_exchanged_columns_with_the_same_bits_at_every_width()
    {
        var source = new FloatSource(11);
        for (int columns = 1; columns <= 50; columns += columns < 20 ? 1 : 5)
        {
            foreach ((int rows, int partners, int first, int count) in new[] { (1, 1, 0, 1), (5, 4, 0, 16), (7, 11, 4, 5), (3, 6, 5, 33), (40, 3, 1, 2) })
                Check(source, columns, count, rows, partners, first);
        }
    }

    private static void Check(FloatSource source, int columns, int count, int rows, int partners, int first)
    {
        using SwappedSample sample = new(source, rows, partners, columns, count);
        int groups = partners - first, firstRow = rows / 3, used = rows - firstRow, length = PairProducts.Length(columns), numbers = count * columns;
        string what = $"{columns} columns, {count} centroids, {rows} x {partners} from {first}";
        float[] x = source.Array(groups * 2 * columns), centroids = source.Array(groups * 2 * numbers + PairProducts.NumbersBehind);
        using GuardedMemory<float> sumTables = new(groups * 2 * count), differenceTables = new(groups * 2 * count * length), results = new(used);
        float[] sums = new float[length], differences = new float[length];
        float[]? reference = null;
        for (int i = 0; i < Adders.All.Count; i++)
        {
            for (int table = 0; table < 2 * groups; table++)
            {
                PairProducts.Halve(x.AsSpan(table / 2 * 2 * columns, 2 * columns), sums, differences);
                Builders.All[i].Run(
                    sums, differences, centroids.AsSpan(table * numbers), columns, sumTables.Span.Slice(table * count, count), differenceTables.Span.Slice(table * count * length, count * length));
            }

            results.Span.Fill(0.25f);
            Adders.All[i].Run(sample.Rows, firstRow, first, sumTables.Span, differenceTables.Span, count, results.Span);
            for (int row = 0; row < used; row++)
            {
                double expected = 0.25 + sample.Product(firstRow + row, first, groups, (group, half, column, centroid) => centroids[(group * 2 + half) * numbers + centroid * columns + column], k => x[k]);
                Assert.True(Math.Abs(expected - results.Span[row]) <= 2e-5, $"{what}, width {Adders.All[i].Name}: {results.Span[row]}, not {expected}");
            }

            if (FloatBits.FusedMultiplyAdd) FloatBits.AssertEqual(reference ??= results.Span.ToArray(), results.Span, what + Adders.All[i].Name);
        }
    }

    [Fact]
    public void What_lies_outside_is_refused()
    {
        byte[] codes = new byte[4 + TableProducts.SlackBytes], swaps = new byte[3 + TableProducts.SlackBytes];
        float[] sumTables = new float[2 * 16], differenceTables = new float[2 * 16 * 16], results = new float[4];
        SwappedRows Rows(int bits, int groups, int columns) => new(new CodeRows(codes, bits, groups), swaps, columns);
        PairProducts.AddRows(Rows(4, 2, 6), 0, 0, sumTables, differenceTables, 16, results);
        Assert.Throws<ArgumentException>(() => PairProducts.AddRows(Rows(4, 2, 6), 1, 0, sumTables, differenceTables, 16, results));
        Assert.Throws<ArgumentException>(() => PairProducts.AddRows(Rows(4, 2, 9), 0, 0, sumTables, differenceTables, 16, results));
        Assert.Throws<ArgumentOutOfRangeException>(() => PairProducts.AddRows(Rows(4, 2, 6), 0, 1, sumTables, differenceTables, 16, results));
        Assert.Throws<ArgumentOutOfRangeException>(() => PairProducts.AddRows(Rows(4, 2, 17), 0, 0, sumTables, differenceTables, 16, results));
        Assert.Throws<ArgumentOutOfRangeException>(() => PairProducts.AddRows(Rows(4, 2, 6), 0, 0, sumTables, new float[2 * 16 * 15], 16, results));
        Assert.Throws<ArgumentOutOfRangeException>(() => PairProducts.Build(new float[16], new float[16], new float[15], 6, new float[1], new float[16]));
        Assert.Throws<ArgumentOutOfRangeException>(() => PairProducts.Build(new float[6], new float[16], new float[16], 6, new float[1], new float[16]));
    }
}
