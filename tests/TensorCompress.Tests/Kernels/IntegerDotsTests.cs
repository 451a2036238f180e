using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Kernels;

public sealed class IntegerDotsTests
{
    private delegate void Product(IntegerRows<short> weights, IntegerRows<sbyte> inputs, MatrixView<float> scales, MatrixView<float> destination);

    private static readonly (string Name, Product Run)[] Products =
    [
        ("512", IntegerDots.Core<Shorts512, TileOfSix>), ("512, two tokens", IntegerDots.Core<Shorts512, TileOfTwo>), ("256", IntegerDots.Core<Shorts256, TileOfTwo>), ("128", IntegerDots.Core<Shorts128, TileOfTwo>),
        ("128, six tokens", IntegerDots.Core<Shorts128, TileOfSix>), ("scalar", IntegerDots.Core<ShortsScalar, TileOfTwo>), ("chosen", IntegerDots.Add),
    ];

    [Theory]
    [InlineData(32)]
    [InlineData(96)]
    [InlineData(1024)]
    public void Products_are_the_formula_at_every_width_for_all_rows_and_tokens(int columns)
    {
        var source = new FloatSource(columns);
        for (int shape = 0; shape < 9 * 13; shape++)
        {
            int rows = 1 + shape % 9, tokens = 1 + shape / 9;
            using GuardedMatrix weights = new(rows, columns / 2, shape % 2 == 0), inputs = new(tokens, columns / 4, shape % 2 == 0), scales = new(tokens, 1, shape % 2 == 0), results = new(tokens, rows, shape % 2 == 0);
            IntegerRows<short> w = new(weights.View);
            IntegerRows<sbyte> x = new(inputs.View);
            for (int row = 0; row < rows; row++)
            {
                foreach (ref short number in w.Row(row)) number = (short)source.Integer(255);
            }

            for (int token = 0; token < tokens; token++)
            {
                foreach (ref sbyte number in x.Row(token)) number = (sbyte)source.Integer(92);
                scales.View.Row(token)[0] = source.Next();
            }

            foreach ((string name, Product run) in Products)
            {
                for (int token = 0; token < tokens; token++) results.View.Row(token).Fill(0.37f);
                run(w, x, scales.View, results.View);
                for (int token = 0; token < tokens; token++)
                {
                    for (int row = 0; row < rows; row++)
                    {
                        float product = Dot(w.Row(row), x.Row(token)) * scales.View.Row(token)[0];
                        Assert.True(results.View.Row(token)[row] == 0.37f + product, $"{columns} columns, row {row} of {rows}, token {token} of {tokens}, {name}");
                    }
                }
            }
        }
    }

    [Theory]
    [InlineData(176, 92)] // two neighbours of a codebook together are at most 353
    [InlineData(-176, 92)]
    [InlineData(-176, -92)]
    [InlineData(127, 127)]
    public void The_largest_sums_of_a_span_are_exact(int weight, int activation)
    {
        const int Columns = CodewordByteProducts.SpanColumns;
        Assert.True((long)Math.Abs(weight) * Math.Abs(activation) * Columns < 1 << 24);
        using Matrix<float> weights = new(5, Columns / 2), inputs = new(7, Columns / 4), scales = new(7, 1), results = new(7, 5);
        for (int row = 0; row < 5; row++) new IntegerRows<short>(weights.View).Row(row).Fill((short)weight);
        for (int token = 0; token < 7; token++) new IntegerRows<sbyte>(inputs.View).Row(token).Fill((sbyte)activation);
        foreach ((string name, Product run) in Products)
        {
            for (int token = 0; token < 7; token++)
            {
                scales[token, 0] = 1;
                results.Row(token).Clear();
            }

            run(new IntegerRows<short>(weights.View), new IntegerRows<sbyte>(inputs.View), scales.View, results.View);
            for (int token = 0; token < 7; token++) Assert.All(results.Row(token).ToArray(), sum => Assert.True(sum == weight * activation * Columns, name));
        }
    }

    [Fact]
    public void Some_columns_and_rows_of_larger_matrices_are_multiplied_alone()
    {
        var source = new FloatSource(3);
        using Matrix<float> weights = new(8, 64), inputs = new(9, 48), scales = new(9, 2), results = new(9, 11);
        IntegerRows<short> w = new(weights.View);
        IntegerRows<sbyte> x = new(inputs.View);
        for (int row = 0; row < 8; row++)
        {
            foreach (ref short number in w.Row(row)) number = (short)source.Integer(255);
        }

        for (int token = 0; token < 9; token++)
        {
            foreach (ref sbyte number in x.Row(token)) number = (sbyte)source.Integer(92);
            scales[token, 1] = source.Next();
        }

        foreach ((string name, Product run) in Products)
        {
            for (int token = 0; token < 9; token++) results.Row(token).Fill(-5);
            run(w.Part(6, 32, 64), x.Part(9, 96, 64), scales.View.ColumnRange(1, 1), results.View.ColumnRange(2, 6));
            for (int token = 0; token < 9; token++)
            {
                for (int column = 0; column < 11; column++)
                {
                    float product = column is < 2 or > 7 ? 0 : Dot(w.Row(column - 2)[32..96], x.Row(token)[96..160]) * scales[token, 1];
                    Assert.True(results[token, column] == -5 + product, $"{name}: {token}, {column}");
                }
            }
        }
    }

    [Fact]
    public void Shapes_must_fit()
    {
        using Matrix<float> weights = new(3, 32), inputs = new(2, 16), scales = new(2, 1), results = new(2, 3);
        IntegerRows<short> w = new(weights.View);
        IntegerRows<sbyte> x = new(inputs.View);
        IntegerDots.Add(w, x, scales.View, results.View);
        Assert.Throws<ArgumentException>(() => IntegerDots.Add(w, x.Part(2, 0, 32), scales.View, results.View));
        Assert.Throws<ArgumentException>(() => IntegerDots.Add(w, x, scales.RowRange(0, 1), results.View));
        Assert.Throws<ArgumentException>(() => IntegerDots.Add(w, x, scales.View, results.RowRange(0, 1)));
        Assert.Throws<ArgumentException>(() => IntegerDots.Add(w.Part(2, 0, 64), x, scales.View, results.View));
        Assert.Throws<ArgumentOutOfRangeException>(() => IntegerDots.Add(w.Part(3, 0, 48), x.Part(2, 0, 48), scales.View, results.View));
        Assert.Throws<ArgumentOutOfRangeException>(() => w.Part(3, 32, 33));
        Assert.Throws<ArgumentOutOfRangeException>(() => w.Part(4, 0, 32));
    }

    private static int Dot(ReadOnlySpan<short> weights, ReadOnlySpan<sbyte> inputs)
    {
        int sum = 0;
        for (int i = 0; i < weights.Length; i++) sum += weights[i] * inputs[i];
        return sum;
    }
}
