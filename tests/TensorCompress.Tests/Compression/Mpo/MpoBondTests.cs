using TensorCompress.Compression;
using TensorCompress.Compression.Mpo;
using TensorCompress.Compression.Mpo.Fitting;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;
using TensorCompress.Threading;

namespace TensorCompress.Tests.Compression.Mpo;

/// <summary>Sweeps over pairs of cores, whose bonds move.</summary>
public sealed class MpoBondTests
{
    [Theory]
    [InlineData(36, 48, 3, false)]
    [InlineData(31, 40, 3, false)]
    [InlineData(36, 24, 3, true)]
    [InlineData(24, 16, 4, false)]
    [InlineData(24, 16, 4, true)]
    public void The_loss_never_rises_is_the_squared_output_error_and_the_budget_holds(int rows, int columns, int sites, bool isWeighted)
    {
        using Matrix<float> weights = RandomMatrices.Trained(rows, columns);
        using LayerStatistics statistics = FitLosses.Activations(columns, 300);
        double[]? importance = isWeighted ? FitLosses.Importance(rows) : null;
        SiteFactors factors = SiteFactors.Balanced(rows, columns, sites);
        var problem = new FitProblem(weights.View, factors, ComputePool.Shared, importance?.Select(Math.Sqrt).ToArray());
        using Matrix<double> metric = problem.Metric(statistics, 1e-4);
        long budget = rows * columns / 2;
        int[] even = new SplitBudget(budget).Largest(factors);
        using var whitening = new Whitening(problem, metric, diagonal: false);
        using MatrixProductOperator white = whitening.Decompose(MpoTruncation.ToBonds(even[1..^1]), even, CancellationToken.None), start = whitening.Restore(white);
        using var fit = new BondFit(problem, metric, start, bonds => factors.ParameterCount(bonds) <= budget);
        fit.Run(10, null, CancellationToken.None);
        using MatrixProductOperator result = fit.ToOperator();
        for (int sweep = 1; sweep < fit.Losses.Count; sweep++) Assert.True(fit.Losses[sweep] <= fit.Losses[sweep - 1] * (1 + 1e-9), string.Join(", ", fit.Losses));
        Assert.True(fit.Losses[^1] < 0.98 * fit.Losses[0], string.Join(", ", fit.Losses));
        double measured = FitLosses.Loss(weights, result, metric, importance);
        if (factors.OutputDimension == rows && factors.InputDimension == columns) Assert.Equal(measured, fit.Losses[^1], 1e-6);
        else Assert.InRange(measured, 0.9 * fit.Losses[^1], fit.Losses[^1] + 1e-6); // padding is fitted to zero and cut off
        Assert.True(factors.ParameterCount([.. result.BondDimensions]) <= budget);
    }

    /// <summary>A chain with one thin and one thick bond: even bonds of the same budget cannot hold it, moved ones can.</summary>
    [Fact]
    public void A_budget_moves_to_the_bond_that_needs_it()
    {
        using Matrix<float> weights = Uneven(thin: 2, thick: 12);
        using LayerStatistics statistics = FitLosses.Activations(64, 300);
        var factors = new SiteFactors([4, 4, 4], [4, 4, 4]);
        double share = factors.ParameterCount([1, 2, 12, 1]) / 4096.0 + 0.01;
        double Error(MpoTruncation truncation, out IReadOnlyList<int> bonds)
        {
            using MatrixProductOperator chain = MpoFactorizer.Factorize(weights.View, new MpoOptions(truncation) { Factors = factors, Fit = MpoFit.Alternating, Sweeps = 20 }, statistics: statistics);
            using var dense = new Matrix<float>(64, 64);
            chain.ToDense(dense.View);
            bonds = chain.BondDimensions;
            Assert.True(factors.ParameterCount([.. bonds]) <= share * 4096);
            return statistics.OutputError(weights.View, dense.View);
        }

        int[] even = MpoTruncation.ToShare(share).Limits(factors, 4096, CoreFormat.F32);
        double fixedBonds = Error(MpoTruncation.ToBonds(even[1..^1]), out IReadOnlyList<int> unmoved), moved = Error(MpoTruncation.ToShare(share), out IReadOnlyList<int> bonds);
        Assert.All(unmoved.Zip(even), pair => Assert.True(pair.First <= pair.Second));
        Assert.Equal([1, 2, 12, 1], bonds);
        Assert.True(moved < 0.05 * fixedBonds, $"{moved} against {fixedBonds}");
    }

    [Fact]
    public void Moved_bonds_have_the_same_bytes_at_any_number_of_threads()
    {
        using Matrix<float> weights = RandomMatrices.Trained(36, 48);
        using LayerStatistics statistics = FitLosses.Activations(48, 300);
        using var one = new ComputePool(1);
        using var three = new ComputePool(3);
        MpoOptions options = MpoOptions.WithShare(0.4) with { Sites = 3 };
        using MatrixProductOperator a = MpoFactorizer.Factorize(weights.View, options, one, statistics), b = MpoFactorizer.Factorize(weights.View, options, three, statistics);
        Assert.Equal(a.BondDimensions, b.BondDimensions);
        for (int site = 0; site < 3; site++)
        {
            for (nint row = 0; row < a.Cores[site].Rows; row++) Assert.True(a.Cores[site].Row(row).SequenceEqual(b.Cores[site].Row(row)));
        }
    }

    private static Matrix<float> Uneven(int thin, int thick)
    {
        using Matrix<float> a = RandomMatrices.Gaussian(16, thin, 1), b = RandomMatrices.Gaussian(thin * 16, thick, 2), c = RandomMatrices.Gaussian(thick, 16, 3);
        double[,,] tensor = new double[16, 16, 16];
        for (int x = 0; x < 16; x++)
        {
            for (int y = 0; y < 16; y++)
            {
                for (int z = 0; z < 16; z++)
                {
                    for (int p = 0; p < thin; p++)
                    {
                        for (int q = 0; q < thick; q++) tensor[x, y, z] += (double)a[x, p] * b[p * 16 + y, q] * c[q, z];
                    }
                }
            }
        }

        // Digit k of row and column are the halves of index k.
        return RandomMatrices.Make(64, 64, (row, column) => tensor[row / 16 * 4 + column / 16, row / 4 % 4 * 4 + column / 4 % 4, row % 4 * 4 + column % 4]);
    }
}
