using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Kernels;

public sealed class PairProductsTests
{
    private const int Tokens = 5, Lanes = 32;

    private static readonly Widths<Filler> Fillers = new(PairProducts.Fill<Simd512>, PairProducts.Fill<Simd256>, PairProducts.Fill<Simd128>, PairProducts.Fill<SimdScalar>);

    private static readonly Widths<Builder> Builders = new(PairProducts.Build<Simd512>, PairProducts.Build<Simd256>, PairProducts.Build<Simd128>, PairProducts.Build<SimdScalar>);

    private static readonly Widths<Adder> Adders = new(PairProducts.AddRows<Simd512>, PairProducts.AddRows<Simd256>, PairProducts.AddRows<Simd128>, PairProducts.AddRows<SimdScalar>);

    private static readonly Widths<Decoder> Decoders = new(PairProducts.Decode<Simd512>, PairProducts.Decode<Simd256>, PairProducts.Decode<Simd128>, PairProducts.Decode<SimdScalar>);

    private static readonly Widths<Looker> Lookers = new(PairProducts.AddTables<Simd512>, PairProducts.AddTables<Simd256>, PairProducts.AddTables<Simd128>, PairProducts.AddTables<SimdScalar>);

    private delegate void Filler(ReadOnlySpan<float> numbers, int columns, Span<float> centroids);

    private delegate void Builder(ReadOnlySpan<float> sums, ReadOnlySpan<float> centroids, Span<float> table);

    private delegate void Adder(SwappedRows rows, int firstRow, PairOperands groups, Span<float> results);

    private delegate void Decoder(SwappedRows rows, int firstRow, PairOperands groups, MatrixView<float> signed);

    private delegate void Looker(SwappedRows rows, int firstRow, PairOperands groups, MatrixView<float> products, MatrixView<float> results);

    [Fact]
    public void Centroids_are_filled_up_with_zeros_and_tables_hold_their_products_with_half_the_sums()
    {
        var source = new FloatSource(3);
        for (int columns = 1; columns <= 70; columns++)
        {
            int count = 1 + columns * 7 % 11, length = PairProducts.Length(columns);
            float[] x = source.Array(2 * columns), differences = new float[columns];
            using GuardedMemory<float> sums = new(length), numbers = new((count - 1) * columns + length), centroids = new(count * length), table = new(count);
            PairProducts.Halve(x, sums.Span[..columns], differences);
            for (int k = 0; k < columns; k++) Assert.Equal(((double)x[2 * k + 1] - x[2 * k]) / 2, differences[k], 1e-7);
            source.Array(numbers.Length).CopyTo(numbers.Span);
            numbers.Span[(count * columns)..].Fill(float.NaN);
            float[]? reference = null;
            for (int i = 0; i < Builders.All.Count; i++)
            {
                string width = Builders.All[i].Name;
                centroids.Span.Fill(float.NaN);
                Fillers.All[i].Run(numbers.Span, columns, centroids.Span);
                for (int place = 0; place < centroids.Length; place++)
                    Assert.Equal(place % length < columns ? numbers.Span[place / length * columns + place % length] : 0, centroids.Span[place]);
                Builders.All[i].Run(sums.Span, centroids.Span, table.Span);
                for (int place = 0; place < count; place++)
                {
                    double expected = Enumerable.Range(0, columns).Sum(k => ((double)x[2 * k] + x[2 * k + 1]) / 2 * numbers.Span[place * columns + k]);
                    Assert.True(Math.Abs(expected - table.Span[place]) <= 1e-5, $"{columns} columns, width {width}");
                }

                if (FloatBits.FusedMultiplyAdd) FloatBits.AssertEqual(reference ??= table.Span.ToArray(), table.Span, width);
            }
        }
    }

    [Fact]
    public void Rows_are_those_of_the_exchanged_columns_with_the_same_bits_alone_and_together_at_every_width()
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
        int groups = partners - first, firstRow = rows / 3, used = rows - firstRow, length = PairProducts.Length(columns), numbers = count * length;
        string what = $"{columns} columns, {count} centroids, {rows} x {partners} from {first}";
        float[] x = source.Array(Tokens * groups * 2 * columns);
        using GuardedMemory<float> centroids = new(groups * 2 * numbers), tables = new(groups * 2 * count * Lanes), oneTable = new(groups * 2 * count), oneDifference = new(groups * length), oneResult = new(used);
        using GuardedMatrix signed = new(used, groups * length, guardAfter: true), products = new(used, Lanes, guardAfter: true), results = new(used, Lanes, guardAfter: true);
        using Matrix<float> sums = new(1, groups * length), differences = new(groups * length, Lanes);
        for (int i = 0; i < centroids.Length; i++) centroids.Span[i] = i % length < columns ? source.Next() : 0;
        float[]? reference = null;
        for (int i = 0; i < Adders.All.Count; i++)
        {
            string width = Adders.All[i].Name;
            float[] alone = new float[used * Tokens];
            for (int token = 0; token < Tokens; token++)
            {
                for (int group = 0; group < groups; group++)
                {
                    PairProducts.Halve(x.AsSpan((token * groups + group) * 2 * columns, 2 * columns), sums.Row(0).Slice(group * length, length), oneDifference.Span.Slice(group * length, length));
                    for (int table = 2 * group; table < 2 * group + 2; table++)
                        Builders.All[i].Run(sums.Row(0).Slice(group * length, length), centroids.Span.Slice(table * numbers, numbers), oneTable.Span.Slice(table * count, count));
                }

                for (int k = 0; k < oneDifference.Length; k++) differences[k, token] = oneDifference.Span[k];
                for (int place = 0; place < oneTable.Length; place++) tables.Span[place * Lanes + token] = oneTable.Span[place];
                oneResult.Span.Fill(0.25f);
                Adders.All[i].Run(sample.Rows, firstRow, new PairOperands(first, groups, count, oneTable.Span, centroids.Span, oneDifference.Span), oneResult.Span);
                for (int row = 0; row < used; row++)
                {
                    alone[row * Tokens + token] = oneResult.Span[row];
                    double expected = 0.25 + sample.Product(
                        firstRow + row, first, groups, (group, half, column, centroid) => centroids.Span[(group * 2 + half) * numbers + centroid * length + column], k => x[token * groups * 2 * columns + k]);
                    Assert.True(Math.Abs(expected - oneResult.Span[row]) <= 2e-5, $"{what}, width {width}: {oneResult.Span[row]}, not {expected}");
                }
            }

            for (int row = 0; row < used; row++) results.View.Row(row).Fill(0.25f);
            var operands = new PairOperands(first, groups, count, tables.Span, centroids.Span, default);
            Decoders.All[i].Run(sample.Rows, firstRow, operands, signed.View);
            LaneDotsTests.Products.All[i].Run(signed.View, differences.View, products.View);
            Lookers.All[i].Run(sample.Rows, firstRow, operands, products.View, results.View);
            for (int row = 0; row < used; row++) FloatBits.AssertEqual(alone.AsSpan(row * Tokens, Tokens), results.View.Row(row)[..Tokens], $"{what}, row {row}, width {width}");
            if (FloatBits.FusedMultiplyAdd) FloatBits.AssertEqual(reference ??= alone, alone, what + width);
        }
    }

    [Fact]
    public void What_lies_outside_is_refused()
    {
        byte[] codes = new byte[4 + TableProducts.SlackBytes], swaps = new byte[3 + TableProducts.SlackBytes];
        float[] floats = new float[2 * 16 * 16], results = new float[4];
        void Add(int firstRow, int groups, int columns, int first = 0, int tables = 2 * 16, int numbers = 2 * 16 * 16, int differences = 16) => PairProducts.AddRows(
            new SwappedRows(new CodeRows(codes, 4, groups), swaps, columns), firstRow, new PairOperands(first, 1, 16, floats.AsSpan(0, tables), floats.AsSpan(0, numbers), floats.AsSpan(0, differences)), results);
        Add(0, 2, 6);
        Assert.Throws<ArgumentException>(() => Add(1, 2, 6));
        Assert.Throws<ArgumentException>(() => Add(0, 2, 9));
        Assert.Throws<ArgumentOutOfRangeException>(() => Add(0, 2, 6, first: 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => Add(0, 3, 6));
        Assert.Throws<ArgumentOutOfRangeException>(() => Add(0, 2, 17));
        Assert.Throws<ArgumentOutOfRangeException>(() => Add(0, 2, 6, tables: 31));
        Assert.Throws<ArgumentOutOfRangeException>(() => Add(0, 2, 6, numbers: 2 * 16 * 16 - 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => Add(0, 2, 6, differences: 15));
        Assert.Throws<ArgumentOutOfRangeException>(() => PairProducts.Build(new float[16], new float[15], new float[1]));
        Assert.Throws<ArgumentOutOfRangeException>(() => PairProducts.Build(new float[6], new float[16], new float[1]));
        using Matrix<float> signed = new(4, 16), narrow = new(4, 15), results16 = new(4, 16), results32 = new(4, 32);
        void Several(MatrixView<float> decoded, MatrixView<float> products, MatrixView<float> sums, int tables = 2 * 16 * 16)
        {
            var rows = new SwappedRows(new CodeRows(codes, 4, 2), swaps, 6);
            var groups = new PairOperands(0, 1, 16, floats.AsSpan(0, tables), floats, default);
            PairProducts.Decode(rows, 0, groups, decoded);
            PairProducts.AddTables(rows, 0, groups, products, sums);
        }

        Several(signed.View, signed.View, results16.View);
        Assert.Throws<ArgumentOutOfRangeException>(() => Several(narrow.View, signed.View, results16.View));
        Assert.Throws<ArgumentOutOfRangeException>(() => Several(signed.View, narrow.View, narrow.View));
        Assert.Throws<ArgumentException>(() => Several(signed.View, signed.View, results32.View));
        Assert.Throws<ArgumentOutOfRangeException>(() => Several(signed.View, signed.View, results16.View, tables: 2 * 16 * 16 - 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => PairProducts.Fill(new float[21], 6, new float[32]));
    }
}
