using TensorCompress.Calibration;
using TensorCompress.Compression;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;
using TensorCompress.Threading;

namespace TensorCompress.Tests.Calibration;

public class SecondMomentAccumulatorTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(999)]
    [InlineData(2500)]
    public void Tokens_beyond_the_percentile_are_scaled_down_to_it(int tokens)
    {
        const int Dimension = 5;
        using Matrix<float> x = RandomMatrices.Gaussian(tokens, Dimension, 21);
        for (int i = 0; i < tokens; i += 400) Scale(x.Row(i), 1000 + i);
        using var accumulator = new SecondMomentAccumulator(Dimension, tokens, ComputePool.Shared);
        for (int start = 0; start < tokens; start += 130) accumulator.Add(x.RowRange(start, Math.Min(130, tokens - start)));
        using InputMoments moments = accumulator.Finish();
        LayerStatistics statistics = moments.Statistics;

        // The oracle: sort the norms, clip what is beyond the largest but 0.1 %, rounded up.
        double[] norms = [.. Enumerable.Range(0, tokens).Select(i => Norm(x.Row(i)))];
        var clipped = (int)Math.Ceiling(tokens * SecondMomentAccumulator.ClippedShare);
        double limit = norms.OrderDescending().ElementAt(Math.Min(clipped, tokens - 1));
        for (int i = 0; i < Dimension; i++)
        {
            for (int j = 0; j < Dimension; j++)
            {
                double sum = 0;
                for (int token = 0; token < tokens; token++)
                {
                    double factor = Math.Min(1, limit / norms[token]);
                    sum += factor * factor * x[token, i] * x[token, j];
                }

                Assert.Equal(sum / tokens, statistics.SecondMoment.Row(i)[j], 1e-5 * (1 + Math.Abs(sum / tokens)));
            }
        }

        Assert.Equal(tokens, statistics.TokenCount);
    }

    [Fact]
    public void Partners_are_scaled_with_their_tokens_and_lost_with_them()
    {
        const int Tokens = 1500, Dimension = 5, Partners = 3;
        using Matrix<float> x = RandomMatrices.Gaussian(Tokens, Dimension + Partners, 24);
        for (int i = 0; i < Tokens; i += 400) Scale(x.Row(i), 500 + i);
        x[33, Dimension + 1] = float.NaN;
        using var accumulator = new SecondMomentAccumulator(Dimension, Tokens, ComputePool.Shared, Partners);
        for (int start = 0; start < Tokens; start += 250) accumulator.Add(x.RowRange(start, 250));
        using InputMoments moments = accumulator.Finish();

        int[] kept = [.. Enumerable.Range(0, Tokens).Where(token => token != 33)];
        double[] norms = [.. Enumerable.Range(0, Tokens).Select(i => Norm(x.Row(i)[..Dimension]))];
        double limit = kept.Select(token => norms[token]).OrderDescending().ElementAt((int)Math.Ceiling(Tokens * SecondMomentAccumulator.ClippedShare));
        Assert.Equal(kept.Length, moments.Statistics.TokenCount);
        for (int p = 0; p < Partners; p++)
        {
            for (int i = 0; i < Dimension; i++)
            {
                double expected = kept.Sum(token => Math.Pow(Math.Min(1, limit / norms[token]), 2) * x[token, Dimension + p] * x[token, i]) / kept.Length;
                Assert.Equal(expected, moments.Cross![p, i], 1e-5 * (1 + Math.Abs(expected)));
            }
        }
    }

    [Fact]
    public void Single_tokens_that_are_not_finite_are_left_out_and_many_are_an_error()
    {
        using Matrix<float> x = RandomMatrices.Gaussian(500, 4, 22);
        x[17, 2] = float.NaN;
        using (var accumulator = new SecondMomentAccumulator(4, 500, ComputePool.Shared))
        {
            accumulator.Add(x.View);
            using InputMoments moments = accumulator.Finish();
            LayerStatistics statistics = moments.Statistics;
            Assert.Equal(499, statistics.TokenCount);
            Assert.True(statistics.Diagonal().All(double.IsFinite));
        }

        for (int i = 0; i < 10; i++) x[i, 0] = float.PositiveInfinity;
        using var damaged = new SecondMomentAccumulator(4, 500, ComputePool.Shared);
        damaged.Add(x.View);
        Assert.Throws<ArithmeticException>(damaged.Finish);
        using var empty = new SecondMomentAccumulator(4, 500, ComputePool.Shared);
        Assert.Throws<ArithmeticException>(empty.Finish);
    }

    [Fact]
    public void The_number_of_threads_does_not_change_a_bit()
    {
        using Matrix<float> x = RandomMatrices.Gaussian(700, 33, 23);
        using var one = new ComputePool(1);
        using var three = new ComputePool(3);
        using LayerStatistics first = Collect(x, one), second = Collect(x, three);
        for (nint i = 0; i < 33; i++) Assert.True(first.SecondMoment.Row(i).SequenceEqual(second.SecondMoment.Row(i)));
    }

    private static LayerStatistics Collect(Matrix<float> x, ComputePool pool)
    {
        using var accumulator = new SecondMomentAccumulator((int)x.Columns, x.Rows, pool);
        accumulator.Add(x.View);
        return accumulator.Finish().Statistics;
    }

    private static void Scale(Span<float> row, float factor)
    {
        foreach (ref float value in row) value *= factor;
    }

    private static double Norm(ReadOnlySpan<float> row)
    {
        double square = 0;
        foreach (float value in row) square += (double)value * value;
        return Math.Sqrt(square);
    }
}
