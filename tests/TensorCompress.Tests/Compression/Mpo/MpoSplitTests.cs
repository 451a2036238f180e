using TensorCompress.Compression;
using TensorCompress.Compression.LowRank;
using TensorCompress.Compression.Mpo;
using TensorCompress.Compression.Mpo.Fitting;
using TensorCompress.Layers;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;
using TensorCompress.Threading;

namespace TensorCompress.Tests.Compression.Mpo;

public sealed class MpoSplitTests
{
    [Theory]
    [InlineData(48, 36, 6)]
    [InlineData(47, 35, 6)]
    [InlineData(64, 64, 16)]
    public void Both_cores_at_once_never_raise_the_loss_and_end_as_low_as_alternating_ones(int rows, int columns, int chi)
    {
        using Matrix<float> weights = RandomMatrices.Trained(rows, columns);
        using LayerStatistics statistics = Activations(columns, 400);
        var problem = new FitProblem(weights.View, SiteFactors.Balanced(rows, columns, 2), ComputePool.Shared);
        using Matrix<double> metric = problem.Metric(statistics, 1e-4);
        using var whitening = new Whitening(problem, metric, diagonal: false);
        using MatrixProductOperator white = whitening.Decompose(MpoTruncation.ToChi(chi), problem.Factors.Bonds(chi), CancellationToken.None), start = whitening.Restore(white);
        using var joint = new JointFit(problem, whitening, metric, white);
        joint.Run(30, null, CancellationToken.None);
        for (int sweep = 1; sweep < joint.Losses.Count; sweep++) Assert.True(joint.Losses[sweep] < joint.Losses[sweep - 1], string.Join(", ", joint.Losses));
        using var alternating = new AlternatingFit(problem, metric, start) { Solver = CoreSolver.Cholesky };
        alternating.Run(30, null, CancellationToken.None);
        Assert.Equal(alternating.Losses[0], joint.Losses[0], 1e-5);
        Assert.InRange(joint.Losses[^1], 0.8 * alternating.Losses[^1], 1.05 * alternating.Losses[^1]);
    }

    [Fact]
    public void The_loss_of_both_cores_at_once_is_the_squared_output_error()
    {
        using Matrix<float> weights = RandomMatrices.Trained(40, 60);
        using LayerStatistics statistics = Activations(60, 400);
        var problem = new FitProblem(weights.View, SiteFactors.Balanced(40, 60, 2), ComputePool.Shared);
        using Matrix<double> metric = problem.Metric(statistics, 1e-9);
        using var whitening = new Whitening(problem, metric, diagonal: false);
        using MatrixProductOperator white = whitening.Decompose(MpoTruncation.ToChi(12), problem.Factors.Bonds(12), CancellationToken.None);
        using var joint = new JointFit(problem, whitening, metric, white);
        joint.Run(3, null, CancellationToken.None);
        using MatrixProductOperator fitted = joint.ToOperator(), chain = whitening.Restore(fitted);
        Assert.Equal(Math.Sqrt(joint.Losses[^1]), Error(chain, weights, statistics), 1e-3 * Math.Sqrt(joint.Losses[^1]));
    }

    [Theory]
    [InlineData(true, 1)]
    [InlineData(true, 5)]
    [InlineData(false, 5)]
    public void The_normal_matrix_of_an_end_is_that_of_the_formula(bool isFirst, int bond)
    {
        var factors = new SiteFactors([2, 2], [3, 4]);
        int own = isFirst ? 3 : 4, others = 12 / own;
        using Matrix<double> root = RandomMatrices.GaussianDouble(12, 12), rows = RandomMatrices.GaussianDouble(others * bond, 2, 4);
        using Matrix<double> metric = RandomMatrices.MakeDouble(12, 12, (i, j) => Enumerable.Range(0, 12).Sum(k => root[i, k] * root[j, k]));
        using var end = new EndNormalMatrix(metric, factors, isFirst, ComputePool.Shared);
        using Matrix<double> normal = end.Build(rows);
        int Place(int i, int k) => isFirst ? i * others + k : k * own + i;
        for (int i = 0; i < own; i++)
        {
            for (int j = 0; j <= i; j++)
            {
                for (int b = 0; b < bond; b++)
                {
                    for (int c = 0; c < bond; c++)
                    {
                        double expected = 0;
                        for (int k = 0; k < others; k++)
                        {
                            for (int l = 0; l < others; l++)
                            {
                                for (int o = 0; o < 2; o++) expected += metric[Place(i, k), Place(j, l)] * rows[k * bond + b, o] * rows[l * bond + c, o];
                            }
                        }

                        Assert.Equal(expected, normal[i * bond + b, j * bond + c], 1e-9);
                    }
                }
            }
        }
    }

    [Theory]
    [InlineData(48, 48)]
    [InlineData(24, 72)]
    [InlineData(72, 30)]
    public void With_statistics_and_a_budget_the_chosen_split_is_never_worse_than_whitened_low_rank(int rows, int columns)
    {
        using Matrix<float> weights = RandomMatrices.Trained(rows, columns);
        using LayerStatistics statistics = Activations(columns, 500);
        foreach (double share in new[] { 0.3, 0.5 })
        {
            using MatrixProductOperator chosen = MpoFactorizer.Factorize(weights.View, MpoOptions.WithShare(share), statistics: statistics);
            using MatrixProductOperator balanced = MpoFactorizer.Factorize(weights.View, MpoOptions.WithShare(share) with { Fit = MpoFit.Alternating }, statistics: statistics);
            Assert.True(chosen.ParameterCount <= share * rows * columns);
            Assert.Equal(SiteFactors.Balanced(rows, columns, 2), balanced.Factors);
            using CompressedWeight lowRank = LowRankMethod.Instance.Compress(weights.View, new LowRankOptions(share: share), new CompressionContext { Statistics = statistics });
            using Matrix<float> dense = lowRank.ToDense();
            double error = Error(chosen, weights, statistics);
            Assert.True(error <= (1 + 1e-3) * statistics.OutputError(weights.View, dense.View), $"{error} with {chosen.Factors}");
            Assert.True(error <= (1 + 1e-3) * Error(balanced, weights, statistics), $"{error} with {chosen.Factors}");
        }
    }

    [Fact]
    public void A_search_compares_splits_of_equal_parameters_and_so_takes_no_tolerance()
    {
        using Matrix<float> weights = RandomMatrices.Trained(36, 60);
        using LayerStatistics statistics = Activations(60, 300);
        long parameters = SiteFactors.Balanced(36, 60, 2).ParameterCount([1, 9, 1]);
        foreach (LayerStatistics? known in new[] { null, statistics })
        {
            using MatrixProductOperator found = MpoFactorizer.Factorize(weights.View, MpoOptions.WithChi(9) with { Search = true }, statistics: known);
            Assert.InRange(found.ParameterCount, 0.85 * parameters, parameters);
        }

        var fault = Assert.Throws<ArgumentException>(() => MpoFactorizer.Factorize(weights.View, new MpoOptions(MpoTruncation.ToTolerance(0.1)) { Search = true }));
        Assert.Contains("tolerance", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_search_over_numbers_of_sites_finds_how_many_the_matrix_was_made_with()
    {
        using MatrixProductOperator made = RandomOperator(new SiteFactors([3, 4, 4], [4, 4, 3]), 3);
        using Matrix<float> weights = new(48, 48);
        made.ToDense(weights.View);
        using LayerStatistics statistics = Activations(48, 300);
        foreach (LayerStatistics? known in new[] { null, statistics })
        {
            MpoOptions options = MpoOptions.WithShare(0.12) with { Search = true };
            using MatrixProductOperator two = MpoFactorizer.Factorize(weights.View, options, statistics: known), any = MpoFactorizer.Factorize(weights.View, options with { SearchSites = true }, statistics: known);
            Assert.Equal(2, two.Factors.Sites);
            Assert.Equal(made.Factors, any.Factors);
            Assert.InRange(any.ParameterCount, 1, 0.12 * 48 * 48);
            Assert.True(any.RelativeError < 1e-3 && two.RelativeError > 0.1, $"{any.RelativeError} and {two.RelativeError}");
        }

        MethodOptions parsed = CompressionMethods.ParseOptions("mpo:share=0.5:search=true"), fixedSites = CompressionMethods.ParseOptions("mpo:share=0.5:search=true:sites=2");
        Assert.Equal(MpoOptions.WithShare(0.5) with { Search = true, SearchSites = true }, parsed);
        Assert.Equal(MpoOptions.WithShare(0.5) with { Search = true }, fixedSites);
        foreach (MethodOptions options in new[] { parsed, fixedSites, CompressionMethods.ParseOptions("mpo:bonds=4:search=true") }) Assert.Equal(options, CompressionMethods.ParseOptions(options.ToText()));
        Assert.Throws<ArgumentException>(() => MpoFactorizer.Factorize(weights.View, new MpoOptions(MpoTruncation.ToBonds(4)) { Search = true, SearchSites = true }));
    }

    [Theory]
    [InlineData(CoreFormat.Int8)]
    [InlineData(CoreFormat.Int4)]
    public void Other_splits_keep_a_limit_in_bytes_with_their_scales(CoreFormat format)
    {
        SiteFactors usual = new([1, 48], [24, 2]), other = new([1, 48], [48, 1]);
        int wouldBeOver = 0;
        for (int bytes = 400; bytes < 2000; bytes++)
        {
            long parameters = usual.ParameterCount(MpoTruncation.ToBytes(bytes).Limits(usual, 48 * 48, format));
            var budget = new SplitBudget(parameters, bytes, format);
            int[] bonds = budget.Largest(other);
            Assert.True(other.ParameterCount(bonds) <= parameters && format.ByteLength(other, bonds) <= bytes, $"{bytes} bytes");
            if (format.ByteLength(other, new SplitBudget(parameters).Largest(other)) > bytes) wouldBeOver++;
        }

        Assert.True(wouldBeOver > 0, "scales make no difference");
    }

    [Fact]
    public void Rows_may_change_places_within_their_digits()
    {
        // Permutations of o_1 and of o_2 permute rows of the two cores; other permutations are other problems.
        using Matrix<float> weights = RandomMatrices.Trained(24, 30);
        int[] first = [2, 0, 3, 1], second = [5, 3, 1, 0, 2, 4];
        int[] order = [.. Enumerable.Range(0, 24).Select(row => first[row / 6] * 6 + second[row % 6])];
        using Matrix<float> permuted = NeuronOrder.PermuteRows(weights.View, order);
        MpoOptions options = MpoOptions.WithChi(5) with { Factors = new SiteFactors([4, 6], [5, 6]) };
        using MatrixProductOperator chain = MpoFactorizer.Factorize(weights.View, options), other = MpoFactorizer.Factorize(permuted.View, options);
        Assert.Equal(chain.RelativeError!.Value, other.RelativeError!.Value, 1e-9);
        using Matrix<float> dense = new(24, 30), otherDense = new(24, 30);
        chain.ToDense(dense.View);
        other.ToDense(otherDense.View);
        for (int row = 0; row < 24; row++)
        {
            for (int column = 0; column < 30; column++) Assert.Equal(dense[order[row], column], otherDense[row, column], 1e-5);
        }
    }

    [Theory]
    [InlineData(1, 48, 36, 1)]
    [InlineData(2, 24, 18, 2)]
    [InlineData(3, 16, 12, 3)]
    [InlineData(48, 1, 1, 36)]
    [InlineData(5, 10, 19, 2)]
    public void Splits_near_a_product_of_two_matrices_multiply_like_the_matrix(int output1, int output2, int input1, int input2)
    {
        using Matrix<float> weights = RandomMatrices.Trained(48, 36), input = RandomMatrices.Gaussian(21, 36, 3);
        MpoOptions options = MpoOptions.WithChi(11) with { Factors = new SiteFactors([output1, output2], [input1, input2]) };
        using var weight = (MpoWeight)MpoMethod.Instance.Compress(weights.View, options, new CompressionContext());
        using Matrix<float> dense = weight.ToDense();
        double[,] expected = MatrixOracle.Product(dense.View, input.View);
        using var one = new ComputePool(1);
        using var three = new ComputePool(3);
        foreach (MpoPlan plan in Enum.GetValues<MpoPlan>())
        {
            using MpoLayer layer = weight.CreateLayer(plan);
            using Matrix<float> batch = Multiply(layer, input.View, one), threaded = Multiply(layer, input.View, three), alone = Multiply(layer, input.RowRange(20, 1), three);
            Assert.True(MatrixOracle.LargestError(expected, batch.View) <= 1e-5, $"{plan}: {MatrixOracle.LargestError(expected, batch.View)}");
            for (nint token = 0; token < 21; token++) Assert.True(batch.Row(token).SequenceEqual(threaded.Row(token)));
            if (plan != MpoPlan.Fastest) Assert.True(alone.Row(0).SequenceEqual(batch.Row(20)), plan.ToString());
        }
    }

    [Fact]
    public void The_runtime_options_plan_reaches_the_layer()
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(24, 30);
        using CompressedWeight weight = MpoMethod.Instance.Compress(weights.View, MpoOptions.WithChi(4), new CompressionContext());
        using var byShape = (MpoLayer)weight.CreateLayer();
        using var fastest = (MpoLayer)weight.CreateLayer(new RuntimeOptions { Plan = RuntimePlan.Fastest });
        Assert.Equal(MpoPlan.ByShape, byShape.Plan);
        Assert.Equal(MpoPlan.Fastest, fastest.Plan);
    }

    [Theory]
    [InlineData(1, 24, 30, 1, true)]
    [InlineData(24, 1, 1, 30, true)]
    [InlineData(2, 12, 15, 2, false)]
    public void An_operator_that_is_a_product_of_two_matrices_says_so(int output1, int output2, int input1, int input2, bool isProduct)
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(24, 30);
        MpoOptions options = MpoOptions.WithChi(4) with { Factors = new SiteFactors([output1, output2], [input1, input2]) };
        using CompressedWeight weight = MpoMethod.Instance.Compress(weights.View, options, new CompressionContext());
        using var layer = (MpoLayer)weight.CreateLayer();
        Assert.Equal(isProduct, layer.Explain().Facts.Any(fact => fact.Key == "form" && fact.Value.Contains("low-rank", StringComparison.Ordinal)));
    }

    [Fact]
    public void Wrong_uses_answer()
    {
        using Matrix<float> weights = RandomMatrices.Trained(24, 30);
        using MatrixProductOperator exact = MpoFactorizer.Factorize(weights.View, MpoOptions.WithChi(100_000));
        Assert.Equal(SiteFactors.Balanced(24, 30, 2).UsefulBonds()[0], exact.BondDimensions[1]);
        Assert.True(exact.RelativeError!.Value < 1e-6);
        var shapes = Assert.Throws<ArgumentException>(() => MpoFactorizer.Factorize(weights.View, MpoOptions.WithChi(4) with { Factors = new SiteFactors([4, 5], [5, 6]) }));
        Assert.Contains("4 x 5 = 20", shapes.Message, StringComparison.Ordinal);
        using LayerStatistics others = Activations(24, 50);
        var statistics = Assert.Throws<ArgumentException>(() => MpoFactorizer.Factorize(weights.View, MpoOptions.WithShare(0.5), statistics: others));
        Assert.Contains("another layer or model", statistics.Message, StringComparison.Ordinal);
        using var silent = new LayerStatistics(new Matrix<double>(30, 30), 10);
        using MatrixProductOperator singular = MpoFactorizer.Factorize(weights.View, MpoOptions.WithShare(0.5), statistics: silent);
        Assert.True(double.IsFinite(singular.RelativeError!.Value));
    }

    [Fact]
    public void The_minimum_along_a_line_is_the_first_one()
    {
        // (t - 1)^2 (t - 5)^2: minima at 1 and 5.
        var two = new LossAlongLine(-60, 46, -12, 1);
        Assert.Equal(1, two.Minimum(), 1e-9);
        Assert.Equal(-25, two.At(1), 1e-9);
        Assert.Equal(0.25, new LossAlongLine(-1, 2, 0, 0).Minimum(), 1e-9);
        Assert.Equal(0, new LossAlongLine(1, 2, 0, 0).Minimum());
    }

    private static MatrixProductOperator RandomOperator(SiteFactors factors, int bond)
    {
        int[] bonds = [1, .. Enumerable.Repeat(bond, factors.Sites - 1), 1];
        Matrix<double>[] cores = [.. Enumerable.Range(0, factors.Sites).Select(site => RandomMatrices.GaussianDouble(bonds[site] * factors.Outputs[site], factors.Inputs[site] * bonds[site + 1], (ulong)site + 3))];
        return new MatrixProductOperator(factors.OutputDimension, factors.InputDimension, factors, bonds, cores);
    }

    private static double Error(MatrixProductOperator chain, Matrix<float> weights, LayerStatistics statistics)
    {
        using var dense = new Matrix<float>(weights.Rows, weights.Columns);
        chain.ToDense(dense.View);
        return statistics.OutputError(weights.View, dense.View);
    }

    private static Matrix<float> Multiply(MpoLayer layer, MatrixView<float> input, ComputePool pool)
    {
        using var context = new ComputeContext(pool);
        var result = new Matrix<float>(input.Rows, layer.OutputDimension);
        layer.Forward(new ActivationBatch(input), result.View, context);
        return result;
    }

    /// <summary>Inputs with a decaying spectrum in a random basis, as those of trained models.</summary>
    private static LayerStatistics Activations(int dimension, int tokens)
    {
        using Matrix<float> mix = RandomMatrices.Gaussian(dimension, dimension, 9), noise = RandomMatrices.Gaussian(tokens, dimension, 10);
        using Matrix<float> activations = RandomMatrices.Make(tokens, dimension, (t, j) => Enumerable.Range(0, dimension).Sum(k => noise[t, k] * Math.Pow(k + 1, -0.75) * mix[k, j]));
        return LayerStatistics.FromActivations(activations.View);
    }
}
