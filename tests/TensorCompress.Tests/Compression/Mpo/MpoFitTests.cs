using TensorCompress.Compression;
using TensorCompress.Compression.Mpo;
using TensorCompress.Compression.Mpo.Fitting;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;
using TensorCompress.Threading;

namespace TensorCompress.Tests.Compression.Mpo;

public sealed class MpoFitTests
{
    [Theory]
    [InlineData(48, 36, 2, 6)]
    [InlineData(47, 35, 2, 6)]
    [InlineData(36, 48, 3, 5)]
    [InlineData(31, 40, 3, 5)]
    [InlineData(24, 24, 1, 1)]
    [InlineData(16, 16, 4, 3)]
    public void The_loss_never_rises_and_is_the_squared_output_error(int rows, int columns, int sites, int chi)
    {
        using Matrix<float> weights = RandomMatrices.Trained(rows, columns);
        using LayerStatistics statistics = FitLosses.Activations(columns, 400);
        SiteFactors factors = SiteFactors.Balanced(rows, columns, sites);
        var problem = new FitProblem(weights.View, factors, ComputePool.Shared);
        using Matrix<double> metric = problem.Metric(statistics, 1e-4);
        using MatrixProductOperator start = Start(problem, metric, chi);
        using var fit = new AlternatingFit(problem, metric, start);
        fit.Run(12, null, CancellationToken.None);
        using MatrixProductOperator result = fit.ToOperator();
        for (int sweep = 1; sweep < fit.Losses.Count; sweep++) Assert.True(fit.Losses[sweep] <= fit.Losses[sweep - 1] * (1 + 1e-9) + 1e-14, string.Join(", ", fit.Losses));
        // Padding counts in the fit: it is to be zero, which is cut off without loss.
        bool isPadded = factors.OutputDimension != rows || factors.InputDimension != columns;
        foreach ((double reported, double measured) in new[] { (fit.Losses[0], FitLosses.Loss(weights, start, metric)), (fit.Losses[^1], FitLosses.Loss(weights, result, metric)) })
        {
            if (isPadded) Assert.InRange(measured, 0.9 * reported, reported + 1e-6);
            else Assert.Equal(measured, reported, 1e-6);
        }

        if (sites > 1) Assert.True(fit.Losses[^1] < 0.98 * fit.Losses[0], $"{fit.Losses[0]} to {fit.Losses[^1]}");
        else Assert.InRange(fit.Losses[^1], -1e-12, 1e-9);
    }

    [Fact]
    public void Cholesky_and_conjugate_gradients_go_to_the_same_core()
    {
        using Matrix<float> weights = RandomMatrices.Trained(40, 30);
        using LayerStatistics statistics = FitLosses.Activations(30, 200);
        var problem = new FitProblem(weights.View, SiteFactors.Balanced(40, 30, 2), ComputePool.Shared);
        using Matrix<double> metric = problem.Metric(statistics, 1e-3);
        using MatrixProductOperator start = Start(problem, metric, 5);
        double[] losses = new double[2];
        foreach (bool direct in new[] { false, true })
        {
            using var fit = new AlternatingFit(problem, metric, start) { Solver = direct ? CoreSolver.Cholesky : CoreSolver.Gradients };
            fit.Run(20, null, CancellationToken.None);
            losses[direct ? 1 : 0] = fit.Losses[^1];
        }

        Assert.Equal(losses[1], losses[0], 0.01 * losses[1]);
    }

    [Theory]
    [InlineData(CoreSolver.Cholesky)]
    [InlineData(CoreSolver.Gradients)]
    [InlineData(null)]
    public void Weighted_outputs_have_a_loss_that_falls_below_the_one_without_weights(object? solver)
    {
        using Matrix<float> weights = RandomMatrices.Trained(48, 36);
        using LayerStatistics statistics = FitLosses.Activations(36, 300);
        double[] importance = FitLosses.Importance(48);
        double[] losses = new double[2];
        foreach (bool isWeighted in new[] { false, true })
        {
            var problem = new FitProblem(weights.View, SiteFactors.Balanced(48, 36, 2), ComputePool.Shared, isWeighted ? [.. importance.Select(Math.Sqrt)] : null);
            using Matrix<double> metric = problem.Metric(statistics, 1e-4);
            using MatrixProductOperator start = Start(problem, metric, 6);
            using var whitening = new Whitening(problem, metric, diagonal: false);
            using MatrixProductOperator white = whitening.Decompose(MpoTruncation.ToChi(6), problem.Factors.Bonds(6), CancellationToken.None);
            using var joint = new JointFit(problem, whitening, metric, white);
            using var fit = new AlternatingFit(problem, metric, start) { Solver = solver as CoreSolver? ?? CoreSolver.Cheapest };
            if (solver is null) joint.Run(12, null, CancellationToken.None);
            else fit.Run(12, null, CancellationToken.None);
            List<double> reported = solver is null ? joint.Losses : fit.Losses;
            for (int sweep = 1; sweep < reported.Count; sweep++) Assert.True(reported[sweep] <= reported[sweep - 1] * (1 + 1e-9), string.Join(", ", reported));
            using MatrixProductOperator raw = solver is null ? joint.ToOperator() : fit.ToOperator();
            using MatrixProductOperator result = solver is null ? whitening.Restore(raw) : raw.Copy();
            Assert.Equal(FitLosses.Loss(weights, result, metric, isWeighted ? importance : null), reported[^1], 1e-5);
            losses[isWeighted ? 1 : 0] = FitLosses.Loss(weights, result, metric, importance);
        }

        Assert.True(losses[1] < 0.93 * losses[0], $"{losses[1]} against {losses[0]}");
    }

    [Fact]
    public void Fitted_outputs_are_better_than_fitted_weights_at_the_same_bonds()
    {
        using Matrix<float> weights = RandomMatrices.Trained(64, 64);
        using LayerStatistics statistics = FitLosses.Activations(64, 1000);
        double Error(MpoFit fit)
        {
            using MatrixProductOperator chain = MpoFactorizer.Factorize(weights.View, MpoOptions.WithChi(12) with { Fit = fit }, statistics: statistics);
            using var dense = new Matrix<float>(64, 64);
            chain.ToDense(dense.View);
            Assert.Equal(12, chain.BondDimensions[1]);
            return statistics.OutputError(weights.View, dense.View);
        }

        double plain = Error(MpoFit.Weights), kronecker = Error(MpoFit.Kronecker), alternating = Error(MpoFit.Alternating);
        Assert.True(kronecker < plain, $"{kronecker} against {plain}");
        Assert.True(alternating < 0.75 * plain, $"{alternating} against {plain}");
        Assert.True(alternating < kronecker);
        Assert.Equal(alternating, Error(MpoFit.Automatic));
    }

    [Fact]
    public void A_Kronecker_second_moment_is_found_and_makes_its_start_the_best_there_is()
    {
        using Matrix<double> a = SecondMoment(4, 1), b = SecondMoment(6, 2), product = RandomMatrices.MakeDouble(24, 24, (i, j) => a[i / 6, j / 6] * b[i % 6, j % 6]);
        Matrix<double>[] factors = KroneckerMetric.Fit(product, [4, 6], diagonal: false);
        for (int i = 0; i < 24; i++)
        {
            for (int j = 0; j < 24; j++) Assert.Equal(product[i, j], factors[0][i / 6, j / 6] * factors[1][i % 6, j % 6], 1e-9);
        }

        using Matrix<float> weights = RandomMatrices.Gaussian(20, 24);
        using var statistics = new LayerStatistics(RandomMatrices.MakeDouble(24, 24, (i, j) => product[i, j]), 1);
        MpoOptions options = MpoOptions.WithChi(4) with { Factors = new SiteFactors([4, 5], [4, 6]), Ridge = 1e-12 };
        using MatrixProductOperator start = MpoFactorizer.Factorize(weights.View, options with { Fit = MpoFit.Kronecker }, statistics: statistics);
        using MatrixProductOperator fitted = MpoFactorizer.Factorize(weights.View, options, statistics: statistics);
        using Matrix<float> x = new(20, 24), y = new(20, 24);
        start.ToDense(x.View);
        fitted.ToDense(y.View);
        Assert.Equal(statistics.OutputError(weights.View, x.View), statistics.OutputError(weights.View, y.View), 1e-4);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void Singular_statistics_are_fitted_too(int activeChannels)
    {
        using Matrix<float> weights = RandomMatrices.Trained(24, 30);
        using var statistics = new LayerStatistics(RandomMatrices.MakeDouble(30, 30, (i, j) => i == j && i < activeChannels ? 1 : 0), 10);
        using MatrixProductOperator chain = MpoFactorizer.Factorize(weights.View, MpoOptions.WithChi(4), statistics: statistics);
        using var dense = new Matrix<float>(24, 30);
        chain.ToDense(dense.View);
        Assert.InRange(statistics.OutputError(weights.View, dense.View), 0, activeChannels == 0 ? 0 : 0.05);
        Assert.True(double.IsFinite(chain.RelativeError!.Value));
    }

    [Theory]
    [InlineData(1e-30f)]
    [InlineData(1e30f)]
    public void The_scale_of_the_weights_does_not_matter(float scale)
    {
        using Matrix<float> weights = RandomMatrices.Trained(24, 30), scaled = RandomMatrices.Make(24, 30, (i, j) => weights[i, j] * (double)scale);
        using LayerStatistics statistics = FitLosses.Activations(30, 200);
        using MatrixProductOperator chain = MpoFactorizer.Factorize(weights.View, MpoOptions.WithChi(5), statistics: statistics), other = MpoFactorizer.Factorize(scaled.View, MpoOptions.WithChi(5), statistics: statistics);
        Assert.Equal(chain.RelativeError!.Value, other.RelativeError!.Value, 1e-4);
    }

    [Fact]
    public void Statistics_of_another_size_and_fits_without_statistics_are_refused()
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(24, 30);
        using LayerStatistics statistics = FitLosses.Activations(24, 50);
        Assert.Throws<ArgumentException>(() => MpoFactorizer.Factorize(weights.View, MpoOptions.WithChi(5), statistics: statistics));
        var fault = Assert.Throws<ArgumentException>(() => MpoFactorizer.Factorize(weights.View, MpoOptions.WithChi(5) with { Fit = MpoFit.Kronecker }));
        Assert.Contains("calibration", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_indefinite_second_moment_is_refused_as_such()
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(24, 30);
        using var statistics = new LayerStatistics(RandomMatrices.MakeDouble(30, 30, (i, j) => i == j ? 1 : -0.9), 10);
        foreach (MpoFit fit in new[] { MpoFit.Kronecker, MpoFit.Alternating })
        {
            var fault = Assert.Throws<ArgumentException>(() => MpoFactorizer.Factorize(weights.View, MpoOptions.WithChi(4) with { Fit = fit }, statistics: statistics));
            Assert.Contains("second moment", fault.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void The_fit_has_the_same_bytes_at_any_number_of_threads()
    {
        using Matrix<float> weights = RandomMatrices.Trained(48, 40);
        using LayerStatistics statistics = FitLosses.Activations(40, 300);
        using var one = new ComputePool(1);
        using var three = new ComputePool(3);
        using MatrixProductOperator a = MpoFactorizer.Factorize(weights.View, MpoOptions.WithChi(7), one, statistics), b = MpoFactorizer.Factorize(weights.View, MpoOptions.WithChi(7), three, statistics);
        for (int site = 0; site < 2; site++)
        {
            for (nint row = 0; row < a.Cores[site].Rows; row++) Assert.True(a.Cores[site].Row(row).SequenceEqual(b.Cores[site].Row(row)));
        }
    }

    private static MatrixProductOperator Start(FitProblem problem, Matrix<double> metric, int chi)
    {
        using var whitening = new Whitening(problem, metric, diagonal: false);
        using MatrixProductOperator white = whitening.Decompose(MpoTruncation.ToChi(chi), problem.Factors.Bonds(chi), CancellationToken.None);
        return whitening.Restore(white);
    }

    private static Matrix<double> SecondMoment(int size, ulong seed)
    {
        using Matrix<double> root = RandomMatrices.GaussianDouble(size, size, seed);
        return RandomMatrices.MakeDouble(size, size, (i, j) => Enumerable.Range(0, size).Sum(k => root[i, k] * root[j, k]));
    }
}
