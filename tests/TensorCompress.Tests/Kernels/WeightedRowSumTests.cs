using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Kernels;

public class WeightedRowSumTests
{
    private delegate void Sum(MatrixView<float> weights, MatrixView<float> rows, MatrixView<float> destination);

    private static Widths<Sum> Widths { get; } = new(
        WeightedRowSum.Core<Simd512>, WeightedRowSum.Core<Simd256>, WeightedRowSum.Core<Simd128>, WeightedRowSum.Core<SimdScalar>);

    [Fact]
    public void Every_element_is_one_running_multiply_add_that_goes_on_from_the_destination()
    {
        var source = new FloatSource(31);
        for (int dimension = 0; dimension <= 256; dimension++)
        {
            int count = dimension % 23, tokens = 1 + dimension % 6;
            using Matrix<float> weights = new(tokens, count, source.Array(tokens * count)), rows = new(count, dimension, source.Array(count * dimension));
            float[] start = source.Array(tokens * dimension);
            foreach ((string width, Sum run) in Widths.All)
            {
                using var framed = new Matrix<float>(tokens, dimension + 2);
                for (int t = 0; t < tokens; t++)
                {
                    framed.Row(t).Fill(7f);
                    start.AsSpan(t * dimension, dimension).CopyTo(framed.Row(t)[1..]);
                }

                run(weights.View, rows.View, framed.View.ColumnRange(1, dimension));
                for (int t = 0; t < tokens; t++)
                {
                    Assert.Equal((7f, 7f), (framed[t, 0], framed[t, dimension + 1]));
                    for (int i = 0; i < dimension; i++)
                    {
                        float running = start[t * dimension + i];
                        double exact = running, magnitude = Math.Abs(exact);
                        for (int j = 0; j < count; j++)
                        {
                            running = MathF.FusedMultiplyAdd(weights[t, j], rows[j, i], running);
                            exact += (double)weights[t, j] * rows[j, i];
                            magnitude += Math.Abs((double)weights[t, j] * rows[j, i]);
                        }

                        string what = $"dimension {dimension}, {count} rows, token {t} of {tokens}, width {width}";
                        if (FloatBits.FusedMultiplyAdd) FloatBits.AssertEqual([running], framed.Row(t).Slice(1 + i, 1), what);
                        FloatBits.AssertNear(_ => exact, framed.Row(t).Slice(1 + i, 1), _ => 1.2e-7 * (count + 1) * magnitude, what);
                    }
                }
            }
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Nothing_outside_the_operands_is_touched(bool guardAfter)
    {
        for (int dimension = 0; dimension <= 140; dimension++)
        {
            foreach (int tokens in new[] { 1, 2, 4, 7 })
            {
                using GuardedMatrix weights = new(tokens, 5, guardAfter), rows = new(5, dimension, guardAfter), destination = new(tokens, dimension, guardAfter);
                foreach ((_, Sum run) in Widths.All) run(weights.View, rows.View, destination.View);
            }
        }
    }

    [Fact]
    public void A_NaN_reaches_its_token_or_its_column_only()
    {
        foreach ((string width, Sum run) in Widths.All)
        {
            using Matrix<float> weights = RandomMatrices.Constant(5, 6, 1f), rows = RandomMatrices.Constant(6, 70, 1f), sums = new(5, 70);
            weights[3, 2] = float.NaN;
            rows[4, 65] = float.NaN;
            run(weights.View, rows.View, sums.View);
            for (int t = 0; t < 5; t++)
            {
                for (int i = 0; i < 70; i++) Assert.True(float.IsNaN(sums[t, i]) == (t == 3 || i == 65), $"width {width}, token {t}, column {i}");
            }
        }
    }

    [Fact]
    public void Shapes_must_fit_and_the_product_overwrites()
    {
        using Matrix<float> weights = new(2, 3, [1, 2, 3, 4, 5, 6]), rows = new(3, 1, [1, 10, 100]), sums = new(2, 1, [7, 7]), wrong = new(3, 1);
        WeightedRowSum.Multiply(weights.View, rows.View, sums.View);
        Assert.Equal((321f, 654f), (sums[0, 0], sums[1, 0]));
        Assert.Throws<ArgumentException>(() => WeightedRowSum.Add(weights.View, rows.View, wrong.View));
        Assert.Throws<ArgumentException>(() => WeightedRowSum.Add(weights.View, rows.RowRange(0, 2), sums.View));
    }

    [Fact]
    public void Several_tokens_at_once_give_the_same_bits_as_one_by_one_in_two_parts()
    {
        var source = new FloatSource(33);
        foreach (int dimension in new[] { 1, 15, 16, 31, 32, 33, 63, 64, 65, 130, 192, 200 })
        {
            foreach (int tokens in new[] { 1, 2, 3, 4, 5, 8, 11 })
            {
                const int count = 24;
                using Matrix<float> weights = new(tokens, count, source.Array(tokens * count)), rows = new(count, dimension, source.Array(count * dimension));
                foreach ((string width, Sum run) in Widths.All)
                {
                    using Matrix<float> together = new(tokens, dimension), alone = new(1, dimension);
                    run(weights.View, rows.View, together.View);
                    for (int token = 0; token < tokens; token++)
                    {
                        alone.Row(0).Clear();
                        run(weights.RowRange(token, 1).ColumnRange(0, 9), rows.RowRange(0, 9), alone.View);
                        run(weights.RowRange(token, 1).ColumnRange(9, count - 9), rows.RowRange(9, count - 9), alone.View);
                        FloatBits.AssertEqual(alone.Row(0), together.Row(token), $"width {width}, dimension {dimension}, token {token} of {tokens}");
                    }
                }
            }
        }
    }
}
