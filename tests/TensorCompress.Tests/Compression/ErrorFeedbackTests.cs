using TensorCompress.Compression;
using TensorCompress.Compression.Scalar;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;
using TensorCompress.Threading;

namespace TensorCompress.Tests.Compression;

public class ErrorFeedbackTests
{
    private const int Inputs = 150, Outputs = 12;

    /// <summary>Greedy rounding with exact least-squares feedback, from the definition: after each column the others take the values that lose least.</summary>
    [Fact]
    public void Scalars_are_rounded_as_by_the_definition()
    {
        const int Columns = 9;
        using LayerStatistics statistics = Correlated(Columns, 1);
        using Matrix<double> metric = statistics.Shrunk(0, 0.01);
        using Matrix<float> weights = RandomMatrices.Gaussian(3, Columns, 2), rounded = new(3, Columns);
        using (ErrorFeedback feedback = ErrorFeedback.Create(metric.View, 1, ComputePool.Shared))
            feedback.Run(weights.View, RoundToQuarters, rounded.View, default);

        int[] order = [.. Enumerable.Range(0, Columns).OrderByDescending(i => metric[i, i])];
        for (int row = 0; row < 3; row++)
        {
            double[] values = [.. Enumerable.Range(0, Columns).Select(i => (double)weights[row, i])];
            for (int step = 0; step < Columns; step++)
            {
                int column = order[step];
                double target = Math.Round(values[column] * 4, MidpointRounding.ToEven) / 4, error = values[column] - target;
                Assert.Equal(target, rounded[row, column]);
                int[] rest = order[(step + 1)..];
                double[] change = MatrixOracle.Solve(rest.Select(i => rest.Select(j => metric[i, j]).ToArray()).ToArray(), [.. rest.Select(i => metric[i, column] * error)]);
                values[column] = target;
                for (int i = 0; i < rest.Length; i++) values[rest[i]] += change[i];
            }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(7)]
    public void Feedback_lowers_the_output_error(int segment)
    {
        using LayerStatistics statistics = Correlated(Inputs, 3);
        using Matrix<double> metric = statistics.Shrunk(0, 0.01);
        using Matrix<float> weights = RandomMatrices.Gaussian(Outputs, Inputs, 4), rounded = new(Outputs, Inputs), nearest = new(Outputs, Inputs);
        using (ErrorFeedback feedback = ErrorFeedback.Create(metric.View, segment, ComputePool.Shared))
            feedback.Run(weights.View, RoundToQuarters, rounded.View, default);
        for (int row = 0; row < Outputs; row++) RoundToQuarters(row, 0, weights.Row(row), nearest.Row(row));
        Assert.True(statistics.OutputError(weights.View, rounded.View) < 0.6 * statistics.OutputError(weights.View, nearest.View));
    }

    [Theory]
    [InlineData(4, 64, false)]
    [InlineData(3, 32, false)]
    [InlineData(2, 64, false)]
    [InlineData(3, 50, true)]
    [InlineData(2, 1000, true)]
    public void Calibrated_codes_beat_plain_rounding_and_do_not_depend_on_threads(int bits, int group, bool symmetric)
    {
        using LayerStatistics statistics = Correlated(Inputs, 5);
        using Matrix<float> weights = RandomMatrices.Gaussian(Outputs, Inputs, 6);
        var options = new ScalarOptions(bits, group, symmetric);
        using var one = new ComputePool(1);
        using var three = new ComputePool(3);
        using CompressedWeight plain = Compress(weights, options, null, one), first = Compress(weights, options, statistics, one), second = Compress(weights, options, statistics, three);
        using Matrix<float> dense = first.ToDense(), again = second.ToDense(), rounded = plain.ToDense();
        Assert.Equal(plain.StoredBytes, first.StoredBytes);
        for (int row = 0; row < Outputs; row++) Assert.True(dense.Row(row).SequenceEqual(again.Row(row)));
        double error = statistics.OutputError(weights.View, dense.View), before = statistics.OutputError(weights.View, rounded.View);
        Assert.True(error < 0.6 * before, $"{error} is not well below {before}");
    }

    [Fact]
    public void Wrong_statistics_are_refused_and_singular_ones_work()
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(4, 20, 7), token = RandomMatrices.Gaussian(1, 20, 8);
        using LayerStatistics other = Correlated(19, 9), single = LayerStatistics.FromActivations(token.View);
        Assert.Throws<ArgumentException>(() => Compress(weights, new ScalarOptions(3), other, ComputePool.Shared));
        using CompressedWeight weight = Compress(weights, new ScalarOptions(3), single, ComputePool.Shared);
        using Matrix<float> dense = weight.ToDense();
        Assert.True(single.OutputError(weights.View, dense.View) < 0.05);
    }

    private static CompressedWeight Compress(Matrix<float> weights, ScalarOptions options, LayerStatistics? statistics, ComputePool pool) =>
        ScalarMethod.Instance.Compress(weights.View, options, new CompressionContext { Pool = pool, Statistics = statistics });

    private static void RoundToQuarters(int row, int column, ReadOnlySpan<float> values, Span<float> rounded)
    {
        for (int i = 0; i < values.Length; i++) rounded[i] = MathF.Round(values[i] * 4) / 4;
    }

    /// <summary>Inputs that follow from a few sources, with noise.</summary>
    private static LayerStatistics Correlated(int dimension, ulong seed)
    {
        const int Tokens = 400;
        using Matrix<float> sources = RandomMatrices.Gaussian(Tokens, 6, seed), mixing = RandomMatrices.Gaussian(dimension, 6, seed + 100), x = RandomMatrices.Gaussian(Tokens, dimension, seed + 200);
        for (nint token = 0; token < Tokens; token++)
        {
            for (nint i = 0; i < dimension; i++)
            {
                float sum = 0.3f * x[token, i];
                for (nint k = 0; k < 6; k++) sum += sources[token, k] * mixing[i, k];
                x[token, i] = sum;
            }
        }

        return LayerStatistics.FromActivations(x.View);
    }
}
