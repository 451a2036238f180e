using TensorCompress.Compression;
using TensorCompress.Compression.Mpo;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Compression.Mpo;

/// <summary>A tolerance where there are statistics of the inputs is one of the outputs.</summary>
public sealed class MpoToleranceTests
{
    /// <summary>Rows, columns, sites: without and with padding.</summary>
    public static TheoryData<int, int, int, MpoFit> Fits() => new()
    {
        { 48, 60, 2, MpoFit.Automatic },
        { 48, 60, 2, MpoFit.Diagonal },
        { 48, 60, 2, MpoFit.Kronecker },
        { 47, 35, 2, MpoFit.Alternating },
        { 36, 48, 3, MpoFit.Automatic },
        { 31, 40, 3, MpoFit.Kronecker },
        { 20, 24, 1, MpoFit.Automatic },
    };

    [Theory]
    [MemberData(nameof(Fits))]
    public void It_is_kept_by_the_outputs_and_the_next_smaller_bond_does_not_keep_it(int rows, int columns, int sites, MpoFit fit)
    {
        using Matrix<float> weights = RandomMatrices.Trained(rows, columns);
        using LayerStatistics statistics = FitLosses.Activations(columns, 400), weighted = statistics.WithOutputImportance(FitLosses.Importance(rows));
        foreach (LayerStatistics metric in new[] { statistics, weighted })
        {
            foreach (double tolerance in new[] { 0.02, 0.1, 0.2, 0.4 })
            {
                MpoOptions options = new(MpoTruncation.ToTolerance(tolerance)) { Sites = sites, Fit = fit };
                using MatrixProductOperator chain = MpoFactorizer.Factorize(weights.View, options, statistics: metric);
                Assert.InRange(OutputError(metric, weights, chain), 0, tolerance);
                int chi = chain.BondDimensions.Max();
                if (chi == 1) continue;
                using MatrixProductOperator smaller = MpoFactorizer.Factorize(weights.View, new MpoOptions(MpoTruncation.ToChi(chi - 1)) { Sites = sites, Fit = fit }, statistics: metric);
                Assert.True(OutputError(metric, weights, smaller) > tolerance, $"{tolerance}: {chi} where {chi - 1} is enough");
            }
        }
    }

    [Fact]
    public void It_is_of_the_weights_where_they_are_fitted()
    {
        using Matrix<float> weights = RandomMatrices.Trained(48, 60);
        using LayerStatistics statistics = FitLosses.Activations(60, 400);
        MpoOptions options = new(MpoTruncation.ToTolerance(0.2)) { Fit = MpoFit.Weights };
        using MatrixProductOperator known = MpoFactorizer.Factorize(weights.View, options, statistics: statistics), unknown = MpoFactorizer.Factorize(weights.View, options);
        Assert.InRange(known.RelativeError!.Value, 0.1, 0.2);
        Assert.Equal(unknown.BondDimensions, known.BondDimensions);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1e-12)]
    public void Nothing_is_lost_where_nothing_may_be(double tolerance)
    {
        using Matrix<float> weights = RandomMatrices.Trained(24, 30);
        using LayerStatistics statistics = FitLosses.Activations(30, 200);
        using MatrixProductOperator chain = MpoFactorizer.Factorize(weights.View, new MpoOptions(MpoTruncation.ToTolerance(tolerance)), statistics: statistics);
        Assert.InRange(chain.RelativeError!.Value, 0, 1e-12);
    }

    [Fact]
    public void Inputs_that_are_never_active_need_one_bond()
    {
        using Matrix<float> weights = RandomMatrices.Trained(24, 30);
        using var silent = new LayerStatistics(new Matrix<double>(30, 30), 10);
        using MatrixProductOperator chain = MpoFactorizer.Factorize(weights.View, new MpoOptions(MpoTruncation.ToTolerance(0.1)), statistics: silent);
        Assert.Equal(1, chain.BondDimensions[1]);
    }

    [Fact]
    public void Progress_rises_to_the_end_and_the_search_can_be_cancelled()
    {
        using Matrix<float> weights = RandomMatrices.Trained(48, 60);
        using LayerStatistics statistics = FitLosses.Activations(60, 400);
        MpoOptions options = new(MpoTruncation.ToTolerance(0.2));
        var shares = new List<double>();
        MpoFactorizer.Factorize(weights.View, options, statistics: statistics, progress: new Told(shares.Add)).Dispose();
        Assert.Equal(shares.Order(), shares);
        Assert.Equal(1, shares[^1]);
        Assert.True(shares.Count > 10);
        using var source = new CancellationTokenSource();
        int told = 0;
        var cancelling = new Told(_ =>
        {
            if (++told == 5) source.Cancel();
        });
        Assert.Throws<OperationCanceledException>(() => MpoFactorizer.Factorize(weights.View, options, statistics: statistics, progress: cancelling, cancellationToken: source.Token));
        Assert.Equal(5, told);
    }

    private static double OutputError(LayerStatistics statistics, Matrix<float> weights, MatrixProductOperator chain)
    {
        using var dense = new Matrix<float>(weights.Rows, weights.Columns);
        chain.ToDense(dense.View);
        return statistics.OutputError(weights.View, dense.View);
    }

    private sealed class Told(Action<double> tell) : IProgress<double>
    {
        public void Report(double value) => tell(value);
    }
}
