using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Kernels;

public class WeightedRowSumTests
{
    private delegate void Sum(ReadOnlySpan<float> weights, MatrixView<float> rows, Span<float> destination);

    private static Widths<Sum> Widths { get; } = new(
        WeightedRowSum.Core<Simd512>, WeightedRowSum.Core<Simd256>, WeightedRowSum.Core<Simd128>, WeightedRowSum.Core<SimdScalar>);

    [Fact]
    public void Every_element_is_one_running_multiply_add()
    {
        var source = new FloatSource(31);
        for (int dimension = 0; dimension <= 256; dimension++)
        {
            int count = dimension % 23;
            float[] weights = source.Array(count);
            using var rows = new Matrix<float>(count, dimension, source.Array(count * dimension));
            foreach ((string width, Sum run) in Widths.All)
            {
                float[] result = [7f, .. Enumerable.Repeat(float.NaN, dimension), 7f];
                run(weights, rows.View, result.AsSpan(1, dimension));
                Assert.Equal((7f, 7f), (result[0], result[^1]));
                for (int i = 0; i < dimension; i++)
                {
                    float running = 0;
                    double exact = 0, magnitude = 0;
                    for (int j = 0; j < count; j++)
                    {
                        running = MathF.FusedMultiplyAdd(weights[j], rows[j, i], running);
                        exact += (double)weights[j] * rows[j, i];
                        magnitude += Math.Abs((double)weights[j] * rows[j, i]);
                    }

                    string what = $"dimension {dimension}, {count} rows, width {width}";
                    if (FloatBits.FusedMultiplyAdd) FloatBits.AssertEqual([running], result.AsSpan(1 + i, 1), what);
                    FloatBits.AssertNear(_ => exact, result.AsSpan(1 + i, 1), _ => 1.2e-7 * (count + 1) * magnitude, what);
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
            using var weights = new GuardedMemory<float>(5, guardAfter);
            using var rows = new GuardedMatrix(5, dimension, guardAfter);
            using var destination = new GuardedMemory<float>(dimension, guardAfter);
            foreach ((_, Sum run) in Widths.All) run(weights.Span, rows.View, destination.Span);
        }
    }

    [Fact]
    public void Shapes_must_fit()
    {
        using var rows = new Matrix<float>(3, 4);
        Assert.Throws<ArgumentOutOfRangeException>(() => WeightedRowSum.Compute(new float[2], rows.View, new float[4]));
        Assert.Throws<ArgumentOutOfRangeException>(() => WeightedRowSum.Compute(new float[3], rows.View, new float[5]));
    }

    [Fact]
    public void Several_vectors_of_weights_give_the_same_bits_as_one_by_one()
    {
        var source = new FloatSource(33);
        foreach (int dimension in new[] { 1, 15, 16, 63, 64, 65, 130, 192, 200 })
        {
            foreach (int tokens in new[] { 1, 3, 4, 5, 8, 11 })
            {
                const int count = 24;
                using var weights = new Matrix<float>(tokens, count, source.Array(tokens * count));
                using var rows = new Matrix<float>(count, dimension, source.Array(count * dimension));
                using var together = new Matrix<float>(tokens, dimension);
                CheckTokens<Simd512>(WeightedRowSum.MultiplyCore<Simd512>, WeightedRowSum.Core<Simd512>);
                CheckTokens<Simd256>(WeightedRowSum.MultiplyCore<Simd256>, WeightedRowSum.Core<Simd256>);
                CheckTokens<SimdScalar>(WeightedRowSum.MultiplyCore<SimdScalar>, WeightedRowSum.Core<SimdScalar>);

                void CheckTokens<TSimd>(Action<MatrixView<float>, MatrixView<float>, MatrixView<float>> multiply, Sum one)
                {
                    multiply(weights.View, rows.View, together.View);
                    var alone = new float[dimension];
                    for (int token = 0; token < tokens; token++)
                    {
                        one(weights.Row(token), rows.View, alone);
                        FloatBits.AssertEqual(alone, together.Row(token), $"{typeof(TSimd).Name}, dimension {dimension}, token {token} of {tokens}");
                    }
                }
            }
        }
    }
}
