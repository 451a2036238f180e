using TensorCompress.Compression;
using TensorCompress.Compression.Mpo;
using TensorCompress.Compression.Mpo.Contraction;
using TensorCompress.Layers;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;
using TensorCompress.Threading;

namespace TensorCompress.Tests.Compression.Mpo;

public sealed class MpoContractionTests
{
    /// <summary>Rows, columns, sites: panels full and narrow, with padding on either side, one site and many.</summary>
    public static TheoryData<int, int, int> Shapes() => new()
    {
        { 64, 48, 2 }, { 576, 96, 2 }, { 61, 47, 2 }, { 1, 9, 2 }, { 9, 1, 2 }, { 40, 24, 1 }, { 64, 64, 3 }, { 47, 90, 3 }, { 81, 16, 4 },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Every_plan_multiplies_like_the_matrix_alone_and_in_batches_at_any_number_of_threads(int rows, int columns, int sites)
    {
        using Matrix<float> weights = RandomMatrices.Trained(rows, columns), input = RandomMatrices.Gaussian(70, columns, 3);
        using var weight = (MpoWeight)MpoMethod.Instance.Compress(weights.View, MpoOptions.WithChi(9) with { Sites = sites }, new CompressionContext());
        using Matrix<float> dense = weight.ToDense();
        double[,] expected = MatrixOracle.Product(dense.View, input.View);
        using var one = new ComputePool(1);
        using var three = new ComputePool(3);
        foreach (MpoPlan plan in Enum.GetValues<MpoPlan>())
        {
            using MpoLayer layer = weight.CreateLayer(plan);
            using Matrix<float> batch = Multiply(layer, input.View, one), threaded = Multiply(layer, input.View, three), alone = Multiply(layer, input.RowRange(69, 1), three);
            Assert.True(MatrixOracle.LargestError(expected, batch.View) <= 1e-5, $"{plan}: {MatrixOracle.LargestError(expected, batch.View)}");
            for (nint token = 0; token < 70; token++) Assert.True(batch.Row(token).SequenceEqual(threaded.Row(token)));
            if (plan != MpoPlan.Fastest) Assert.True(alone.Row(0).SequenceEqual(batch.Row(69)), plan.ToString());
        }
    }

    [Fact]
    public void Scratch_memory_of_a_large_bond_is_used_in_parts()
    {
        // More bonds than a unit's state has room for: digits and bonds are taken in parts, with the same bits as at once.
        using Matrix<float> weights = RandomMatrices.Gaussian(196, 196), input = RandomMatrices.Gaussian(2, 196, 3);
        using var weight = (MpoWeight)MpoMethod.Instance.Compress(weights.View, MpoOptions.WithChi(196), new CompressionContext());
        double[,] expected = MatrixOracle.Product(weights.View, input.View);
        foreach (MpoPlan plan in Enum.GetValues<MpoPlan>())
        {
            using MpoLayer layer = weight.CreateLayer(plan);
            using Matrix<float> result = Multiply(layer, input.View, ComputePool.Shared);
            Assert.True(MatrixOracle.LargestError(expected, result.View) <= 1e-5);
        }
    }

    [Fact]
    public void The_model_knows_where_rebuilding_pays()
    {
        var shape = new TwoSiteShape(64, 64, 64, 64, 100);
        Assert.NotEqual(ContractionPath.Rebuild, ContractionModel.Choose(MpoPlan.Fastest, shape, 40));
        Assert.Equal(ContractionPath.Rebuild, ContractionModel.Choose(MpoPlan.Fastest, shape, 60)); // 47 by the formula: chi / (2 chi / 64 - 1)
        Assert.NotEqual(ContractionPath.Rebuild, ContractionModel.Choose(MpoPlan.ByShape, shape, 60));
        Assert.Equal(ContractionPath.FromRight, ContractionModel.Choose(MpoPlan.ByShape, new TwoSiteShape(64, 16, 16, 64, 8), 1));
        Assert.Equal(ContractionPath.FromLeft, ContractionModel.Choose(MpoPlan.ByShape, new TwoSiteShape(16, 64, 64, 16, 8), 1));
        Assert.Equal(100 * 64L * 4096 * 2, shape.UsefulMultiplications(ContractionPath.FromRight));
    }

    [Theory]
    [InlineData(CoreFormat.F16, 0.001)]
    [InlineData(CoreFormat.BF16, 0.006)]
    [InlineData(CoreFormat.Int8, 0.01)]
    [InlineData(CoreFormat.Int4, 0.2)]
    public void Rounded_cores_report_the_error_of_the_whole(CoreFormat format, double added)
    {
        using Matrix<float> weights = RandomMatrices.Trained(96, 80);
        MpoOptions options = MpoOptions.WithChi(20);
        using var exact = (MpoWeight)MpoMethod.Instance.Compress(weights.View, options, new CompressionContext());
        using var rounded = (MpoWeight)MpoMethod.Instance.Compress(weights.View, options with { Cores = format }, new CompressionContext());
        using Matrix<float> dense = rounded.ToDense();
        Assert.Equal(MatrixOracle.RelativeError(weights.View, dense.View), rounded.Operator.RelativeError!.Value, 1e-6);
        double plain = exact.Operator.RelativeError!.Value, error = rounded.Operator.RelativeError!.Value;
        Assert.InRange(error, plain - 1e-6, Math.Sqrt(plain * plain + added * added));
        Assert.Equal(format.ByteLength(rounded.Operator.Factors, rounded.Operator.BondDimensions), rounded.StoredBytes);
        Assert.True(rounded.StoredBytes < exact.StoredBytes);
    }

    [Fact]
    public void A_limit_in_bytes_holds_for_every_format()
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(60, 60);
        foreach (CoreFormat format in Enum.GetValues<CoreFormat>())
        {
            using CompressedWeight weight = MpoMethod.Instance.Compress(weights.View, new MpoOptions(MpoTruncation.ToBytes(3000)) { Cores = format }, new CompressionContext());
            Assert.InRange(weight.StoredBytes, 1500, 3000);
        }
    }

    [Fact]
    public void A_tolerance_is_kept_and_not_undercut_by_much()
    {
        using Matrix<float> weights = RandomMatrices.Trained(60, 60);
        foreach (int sites in new[] { 2, 3 })
        {
            using MatrixProductOperator chain = MpoFactorizer.Factorize(weights.View, new MpoOptions(MpoTruncation.ToTolerance(0.2)) { Sites = sites });
            Assert.InRange(chain.RelativeError!.Value, 0.1, 0.2);
            Assert.Equal(chain.RelativeError!.Value, Recomputed(chain, weights), 1e-6);
        }
    }

    [Fact]
    public void A_search_finds_the_split_that_the_matrix_was_made_with()
    {
        // A sum of two Kronecker products of 9 x 4 and 8 x 18: exact at bond dimension 2 in this order alone.
        using Matrix<float> a = RandomMatrices.Gaussian(9, 4), b = RandomMatrices.Gaussian(8, 18), c = RandomMatrices.Gaussian(9, 4, 5), d = RandomMatrices.Gaussian(8, 18, 6);
        using Matrix<float> weights = RandomMatrices.Make(72, 72, (i, j) => (double)a[i / 8, j / 18] * b[i % 8, j % 18] + (double)c[i / 8, j / 18] * d[i % 8, j % 18]);
        // Bond dimension 3 of the default split has the parameters for 2 of this one.
        MpoOptions options = MpoOptions.WithChi(3) with { Search = true };
        using MatrixProductOperator found = MpoFactorizer.Factorize(weights.View, options), balanced = MpoFactorizer.Factorize(weights.View, options with { Search = false });
        Assert.Equal(new SiteFactors([9, 8], [4, 18]), found.Factors);
        Assert.True(found.RelativeError!.Value < 1e-5 && balanced.RelativeError!.Value > 0.3, $"{found.RelativeError!.Value} and {balanced.RelativeError!.Value}");
    }

    [Fact]
    public void Error_curves_are_those_of_the_factorisations()
    {
        using Matrix<float> weights = RandomMatrices.Trained(48, 60);
        SiteFactors factors = SiteFactors.Balanced(48, 60, 2);
        double[] curve = UnfoldingSpectra.ErrorCurve(UnfoldingSpectra.Of(weights.View, factors).Single());
        Assert.Equal(1, curve[0], 1e-9);
        foreach (int chi in new[] { 1, 7, 20 })
        {
            using MatrixProductOperator chain = MpoFactorizer.Factorize(weights.View, MpoOptions.WithChi(chi));
            Assert.Equal(chain.RelativeError!.Value, curve[chi], 1e-5);
            Assert.Equal(chain.RelativeError!.Value, chain.DiscardedError!.Value, 1e-5 * chain.RelativeError!.Value);
        }
    }

    [Fact]
    public void A_layer_explains_itself()
    {
        using Matrix<float> weights = RandomMatrices.Trained(48, 60);
        float[] values = [.. Enumerable.Range(0, 48).SelectMany(row => weights.Row(row).ToArray())];
        using MpoLayer layer = MpoLayer.FromDense(values, 48, 60, chi: 5);
        WeightExplanation explanation = layer.Explain();
        Dictionary<string, string> facts = explanation.Facts.ToDictionary(fact => fact.Key, fact => fact.Value);
        Assert.Equal("6 x 6, 8 x 10", facts["sites"]);
        Assert.Equal("5 of 36", facts["bonds"]);
        Assert.StartsWith("580, 20.1", facts["parameters"], StringComparison.Ordinal); // 5 (36 + 80) of 2880
        WeightSpectrum spectrum = explanation.Spectra.Single();
        Assert.Equal(5, spectrum.Values.Count);
        using MatrixProductOperator chain = MpoFactorizer.Factorize(weights.View, MpoOptions.WithChi(5));
        Assert.Equal(chain.BondSpectra().Single()[0], spectrum.Values[0], 1e-5 * spectrum.Values[0]);
        using CompressedWeight weight = MpoMethod.Instance.Compress(weights.View, MpoOptions.WithChi(5), new CompressionContext());
        Assert.Contains(weight.Explain().Facts, fact => fact is { Key: "method", Value: "mpo" });
        Assert.Equal(2, MpoExplanation.Entropy([1, 1, 1, 1]), 1e-12);
        Assert.Equal(0, MpoExplanation.Entropy([3, 0]), 1e-12);
    }

    private static Matrix<float> Multiply(LinearLayer layer, MatrixView<float> input, ComputePool pool)
    {
        using var context = new ComputeContext(pool);
        var result = new Matrix<float>(input.Rows, layer.OutputDimension);
        layer.Forward(new ActivationBatch(input), result.View, context);
        return result;
    }

    private static double Recomputed(MatrixProductOperator chain, Matrix<float> weights)
    {
        using var dense = new Matrix<float>(weights.Rows, weights.Columns);
        chain.ToDense(dense.View);
        return MatrixOracle.RelativeError(weights.View, dense.View);
    }
}
