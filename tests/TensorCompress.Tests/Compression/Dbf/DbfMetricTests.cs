using TensorCompress.Compression;
using TensorCompress.Compression.Dbf;
using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;
using TensorCompress.Threading;
using DenseMatrix = MathNet.Numerics.LinearAlgebra.Matrix<double>;
using DenseVector = MathNet.Numerics.LinearAlgebra.Vector<double>;

namespace TensorCompress.Tests.Compression.Dbf;

/// <summary>The solver and the fit of the scales in the metric of a second moment.</summary>
public sealed class DbfMetricTests
{
    [Theory]
    [InlineData(0.02, 1)]
    [InlineData(0.4, 0.06)]
    [InlineData(0.02, 0)]
    public void Penalised_systems_have_the_solutions_of_dense_ones(double ridge, double penalty)
    {
        const int Channels = 12, Columns = 40;
        using LayerStatistics statistics = Correlated(Columns);
        using Matrix<float> weights = RandomMatrices.Gaussian(6, Columns, 3), factor = RandomMatrices.Gaussian(Channels, 20, 4, 0.2), gram = new(Channels, Channels);
        using var target = new DbfTarget(weights.View, statistics, 0, ComputePool.Shared, default);
        DbfMetric metric = target.Metric!;
        MatrixProduct.SymmetricRankK(factor, gram.View);
        float[] penalties = [.. Enumerable.Range(1, Channels).Select(i => (float)(penalty * i / Channels))];
        using Matrix<float> cross = RandomMatrices.Gaussian(Channels, Columns, 5), pulls = RandomMatrices.Gaussian(Channels, Columns, 6), unknowns = new(Channels, Columns);
        pulls.View.CopyTo(unknowns.View);
        using var system = new PenalizedGram(gram, ridge, penalties, metric, ComputePool.Shared);
        system.Solve(cross.View, unknowns.View, metric);

        double mean = penalties.Average(value => (double)value);
        Assert.InRange(system.Groups.Count, penalty > 0 ? 3 : 1, penalty > 0 ? 16 : 1);
        Assert.Equal(Enumerable.Range(0, Columns), system.Groups.SelectMany(group => Enumerable.Range(group.Start, group.End - group.Start)));
        foreach ((int start, int end, double share, _) in system.Groups)
        {
            for (int j = start; j < end; j++)
            {
                // Columns within a factor of two of each other: their common shift is within its root of each.
                Assert.InRange((ridge + share * mean) / (ridge + mean / metric.Values[j]), 0.7071, 1.4143);

                // (G + r I) V w + diag(p) V P = C + diag(p) (Z - U) P with P = w share, all times w^-1/2 on the right.
                double w = metric.Values[j];
                DenseMatrix left = DenseMatrix.Build.Dense(Channels, Channels, (a, b) => w * gram[a, b] + (a == b ? w * ridge + penalties[a] * w * share : 0));
                DenseVector right = DenseVector.Build.Dense(Channels, i => Math.Sqrt(w) * cross[i, j] + penalties[i] * w * share * pulls[i, j]), solution = left.Solve(right);
                for (int i = 0; i < Channels; i++) Assert.Equal(solution[i], unknowns[i, j], 1e-4 * solution.AbsoluteMaximum());
            }
        }
    }

    [Fact]
    public void Fitted_scales_are_stationary_in_the_metric()
    {
        using LayerStatistics statistics = Correlated(28);
        using Matrix<float> weights = RandomMatrices.Gaussian(20, 28, 9);
        using var target = new DbfTarget(weights.View, statistics.WithOutputImportance(Enumerable.Range(1, 20).Select(i => (double)i)), 0.25, ComputePool.Shared, default);
        using var solver = new DbfSolver(target, 10, DbfSchedule.ForRate(0.5) with { Rounds = 10 }, 0, ComputePool.Shared);
        for (int round = 0; round < 10; round++) solver.Step(null);
        solver.Finish(null);
        DbfIterate iterate = solver.Best!;
        DbfScaleFit.Run(target, iterate, 2000, ComputePool.Shared, null);

        // Each scale times the derivative of the squared error tr(E H E^T) by it, over its square times the second derivative: by how much of itself the scale is off.
        DenseMatrix approximation = DenseMatrix.Build.Dense(20, 28), metric = DenseMatrix.Build.Dense(28, 28, (i, j) => target.Metric!.Moment[i, j]);
        DenseMatrix[] channels = [.. Enumerable.Range(0, 10).Select(c =>
            DenseMatrix.Build.Dense(20, 28, (i, j) => iterate.OutputScale[i] * iterate.Outer[c, i] * iterate.MiddleScale[c] * iterate.Inner[c, j] * iterate.InputScale[j]))];
        foreach (DenseMatrix channel in channels) approximation += channel;
        DenseMatrix error = (DenseMatrix.Build.Dense(20, 28, (i, j) => target.Values[i, j]) - approximation) * metric;
        double middle = channels.Max(channel => Math.Abs(channel.PointwiseMultiply(error).Enumerate().Sum()) / channel.PointwiseMultiply(channel * metric).Enumerate().Sum());
        double output = Enumerable.Range(0, 20).Max(i => Math.Abs(approximation.Row(i) * error.Row(i)) / (approximation.Row(i) * (approximation * metric).Row(i)));
        double input = Enumerable.Range(0, 28).Max(j => Math.Abs(approximation.Column(j) * error.Column(j)) / (approximation.Column(j) * approximation.Column(j) * metric[j, j]));
        Assert.InRange(middle, 0, 1e-3);
        Assert.InRange(output, 0, 1e-3);
        Assert.InRange(input, 0, 1e-3);
    }

    /// <summary>Figures of this solver and 2 or 3 per cent: flips would hide what a worse one leaves.</summary>
    [Theory]
    [InlineData(12, false, 0.275)]
    [InlineData(12, true, 0.292)]
    [InlineData(36, false, 0.0775)]
    [InlineData(36, true, 0.087)]
    [InlineData(80, false, 0.0178)]
    [InlineData(80, true, 0.0226)]
    public void Errors_in_the_metric_are_low_without_flips(int middle, bool savesRounds, double most)
    {
        using LayerStatistics statistics = Correlated(64);
        using Matrix<float> weights = RandomMatrices.Gaussian(48, 64, 5);
        DbfSchedule schedule = DbfSchedule.ForRate(middle / 55.0, savesRounds) with { FlipSweeps = 0 };
        using var factorizer = new DbfFactorizer(weights.View, new DbfOptions(middleDimension: middle, schedule: schedule), new CompressionContext { Statistics = statistics });
        using DbfWeight weight = factorizer.Run();
        Assert.InRange(factorizer.Error, 0.9 * most, most);
    }

    [Theory]
    [InlineData(1e60)]
    [InlineData(1e-60)]
    [InlineData(1e-300)]
    public void Only_ratios_of_second_moments_count(double scale)
    {
        using LayerStatistics statistics = Correlated(24);
        using Matrix<float> weights = RandomMatrices.Gaussian(20, 24, 5);
        foreach (double share in new[] { 0.5, 1 })
        {
            var options = new DbfOptions(middleDimension: 12, diagonalShare: share);
            using LayerStatistics scaled = new(RandomMatrices.MakeDouble(24, 24, (i, j) => statistics.SecondMoment.Row(i)[j] * scale), 300);
            using DbfFactorizer expected = new(weights.View, options, new CompressionContext { Statistics = statistics }), factorizer = new(weights.View, options, new CompressionContext { Statistics = scaled });
            using DbfWeight usual = expected.Run(), weight = factorizer.Run();
            Assert.Equal(expected.Error, factorizer.Error, 0.02 * expected.Error);
            Assert.True(factorizer.IsOptimal);
            using Matrix<float> dense = weight.ToDense();
            using LayerStatistics shrunk = statistics.WithShrinkage(share);
            Assert.Equal(factorizer.Error, Math.Pow(shrunk.OutputError(weights.View, dense.View), 2), 1e-2 * factorizer.Error);
        }
    }

    [Fact]
    public void A_power_of_four_before_the_second_moment_changes_no_bit()
    {
        using LayerStatistics statistics = Correlated(24);
        using LayerStatistics scaled = new(RandomMatrices.MakeDouble(24, 24, (i, j) => statistics.SecondMoment.Row(i)[j] * 1024), 300);
        using Matrix<float> weights = RandomMatrices.Gaussian(20, 24, 5);
        using DbfFactorizer expected = new(weights.View, new DbfOptions(middleDimension: 12), new CompressionContext { Statistics = statistics });
        using DbfFactorizer factorizer = new(weights.View, new DbfOptions(middleDimension: 12), new CompressionContext { Statistics = scaled });
        using DbfWeight usual = expected.Run(), weight = factorizer.Run();
        using MemoryTensors a = MemoryTensors.Of("x", usual), b = MemoryTensors.Of("x", weight);
        Assert.All(a.Bytes, part => Assert.Equal(part.Value, b.Bytes[part.Key]));
    }

    [Fact]
    public void An_indefinite_second_moment_is_refused_at_once_unless_shrinkage_makes_it_definite()
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(10, 6, 5);
        using LayerStatistics indefinite = new(RandomMatrices.MakeDouble(6, 6, (i, j) => i == j ? 1 : i + j == 1 ? 1.5 : 0), 10);
        var context = new CompressionContext { Statistics = indefinite };
        string message = Assert.Throws<ArgumentException>(() => Factorizer(0.1)).Message;
        Assert.Contains("not positive semi-definite", message, StringComparison.Ordinal);
        Assert.Contains("-0.35", message, StringComparison.Ordinal);
        foreach (double share in new[] { 0.5, 1 })
        {
            using DbfFactorizer factorizer = Factorizer(share);
            using DbfWeight weight = factorizer.Run();
            Assert.InRange(factorizer.Error, 0.01, 0.9);
        }

        DbfFactorizer Factorizer(double share) => new(weights.View, new DbfOptions(middleDimension: 3, diagonalShare: share), context);
    }

    [Fact]
    public void A_singular_second_moment_is_no_indefinite_one()
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(10, 40, 5), activations = RandomMatrices.LowRank(3, 40, 1, 7);
        for (nint i = 0; i < activations.Rows; i++) (activations[i, 3], activations[i, 5]) = (0, 1e4f);
        using LayerStatistics statistics = LayerStatistics.FromActivations(activations.View);
        using var factorizer = new DbfFactorizer(weights.View, new DbfOptions(middleDimension: 6, diagonalShare: 0), new CompressionContext { Statistics = statistics });
        using DbfWeight weight = factorizer.Run();
        Assert.InRange(factorizer.Error, 0, 0.5);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void More_channels_than_a_side_has_elements_take_the_least_ridge(bool withMetric)
    {
        using LayerStatistics statistics = Correlated(32);
        using Matrix<float> weights = RandomMatrices.Gaussian(32, 32, 5);
        var schedule = new DbfSchedule { Rounds = 10, InnerSteps = 2, Ridge = 1e-6, FirstRidge = 1e-6, RandomStarts = false, KeepsBest = true, RefitSweeps = 3 };
        using var factorizer = new DbfFactorizer(weights.View, new DbfOptions(middleDimension: 200, schedule: schedule), new CompressionContext { Statistics = withMetric ? statistics : null });
        using DbfWeight weight = factorizer.Run();
        Assert.InRange(factorizer.Error, 0, withMetric ? 0.004 : 0.02);
    }

    /// <summary>Inputs of which neighbours are alike, some larger than others: normalised, the eigenvalues span three decades.</summary>
    private static LayerStatistics Correlated(int dimension)
    {
        using Matrix<float> activations = RandomMatrices.Gaussian(300, dimension, 11);
        for (nint i = 0; i < activations.Rows; i++)
        {
            for (int j = 1; j < dimension; j++) activations[i, j] = 0.9f * activations[i, j - 1] + 0.3f * activations[i, j];
            for (int j = 0; j < dimension; j += 5) activations[i, j] *= 4;
        }

        return LayerStatistics.FromActivations(activations.View);
    }
}
