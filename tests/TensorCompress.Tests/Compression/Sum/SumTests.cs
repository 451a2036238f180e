using System.Buffers.Binary;
using System.Text;
using System.Text.Json.Nodes;
using TensorCompress.Compression;
using TensorCompress.Compression.LowRank;
using TensorCompress.Compression.Mpo;
using TensorCompress.Compression.Scalar;
using TensorCompress.Compression.Sum;
using TensorCompress.Layers;
using TensorCompress.Numerics;
using TensorCompress.Storage;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;
using TensorCompress.Threading;

namespace TensorCompress.Tests.Compression.Sum;

public sealed class SumTests
{
    private const string Layer = "model.layers.0.mlp.up_proj";

    [Theory]
    [InlineData("lowrank:rank=4:factors=f16+scalar:bits=2:group=16", 0, true)]
    [InlineData("lowrank:rank=4:factors=f16+scalar:bits=2:group=16", 0, false)]
    [InlineData("scalar:bits=2:group=16+lowrank:rank=4", 3, true)]
    [InlineData("mpo:chi=6+scalar:bits=2:group=16", 0, true)]
    [InlineData("mpo:chi=6+lowrank:rank=4", 2, true)]
    [InlineData("mpo:chi=6+lowrank:rank=4+scalar:bits=3", 1, false)]
    public void No_round_raises_the_error_and_the_terms_together_beat_each_alone(string terms, int columns, bool isCalibrated)
    {
        using Matrix<float> weights = RandomMatrices.Trained(36, 48, 3);
        using LayerStatistics statistics = Correlated(48, 5);
        SumOptions options = Options(terms, columns);
        var context = new CompressionContext { Statistics = isCalibrated ? statistics : null };
        using OutlierSplit split = OutlierSplit.Create(weights.View, columns, context.Statistics, ComputePool.Shared);
        using var factorizer = new SumFactorizer(split, options, context, null);
        factorizer.Run(CancellationToken.None);
        Assert.True(factorizer.Errors.Count > 1, "one round is no alternation");
        for (int round = 1; round < factorizer.Errors.Count; round++) Assert.True(factorizer.Errors[round] <= factorizer.Errors[round - 1]);

        double sum = Error(weights, options, context.Statistics);
        foreach (MethodOptions term in options.Terms) Assert.True(sum < 0.9 * Error(weights, term, context.Statistics), $"{term.ToText()}: {Error(weights, term, context.Statistics)} alone, {sum} in the sum");
    }

    /// <summary>A fit to outputs can leave a residual that is larger than W itself; then the codes come first.</summary>
    [Theory]
    [InlineData("mpo:chi=1+scalar:bits=2")]
    [InlineData("scalar:bits=2+mpo:chi=1")]
    [InlineData("btt:rank=1+scalar:bits=3")]
    public void The_order_of_the_terms_never_makes_a_sum_worse_than_one_of_them(string terms)
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(36, 48, 3);
        using LayerStatistics statistics = Correlated(48, 5);
        SumOptions options = Options(terms, 0);
        double sum = Error(weights, options, statistics);
        Assert.All(options.Terms, term => Assert.True(sum <= Error(weights, term, statistics), $"{sum} in the sum, {Error(weights, term, statistics)} of {term.ToText()} alone"));
    }

    [Fact]
    public void Every_stored_byte_is_counted()
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(24, 40, 1);
        using CompressedWeight first = Compress(weights, new LowRankOptions(3), null), second = Compress(weights, new ScalarOptions(3), null), sum = Compress(weights, Options("lowrank:rank=3+scalar:bits=3", 5), null);
        Assert.Equal(first.StoredBytes + second.StoredBytes + 5 * (24 * 2 + 4), sum.StoredBytes);
        Assert.Equal(sum.StoredBytes * 8.0 / (24 * 40), sum.BitsPerWeight);
        Assert.Equal(
            ["term0.lowrank.outer", "term0.lowrank.inner", "term1.scalar.codes", "term1.scalar.scales", "term1.scalar.zeros", "column_values", "column_indices"],
            sum.Parts.Select(part => part.Name));
    }

    [Fact]
    public void Outlier_columns_come_back_exactly_and_save_the_others()
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(20, 64, 2);
        int[] outliers = [7, 30, 31];
        for (nint row = 0; row < 20; row++)
        {
            foreach (int column in outliers) weights[row, column] *= 50;
        }

        using CompressedWeight plain = Compress(weights, new ScalarOptions(3, 64), null), beside = Compress(weights, Options("scalar:bits=3:group=64:scales=f32", 3, ElementType.F32), null);
        Assert.Equal(outliers, Assert.IsType<SumWeight>(beside).OutlierColumns);
        using Matrix<float> without = plain.ToDense(), with = beside.ToDense();
        for (nint row = 0; row < 20; row++)
        {
            foreach (int column in outliers)
            {
                Assert.Equal(weights[row, column], with[row, column], MathF.Abs(weights[row, column]) * 1e-6f);
                without[row, column] = with[row, column] = weights[row, column]; // the rest alone is compared
            }
        }

        Assert.True(MatrixOracle.RelativeError(weights.View, with.View) < 0.3 * MatrixOracle.RelativeError(weights.View, without.View));
    }

    [Fact]
    public void Outlier_columns_are_chosen_by_second_moment_times_squared_norm()
    {
        using Matrix<float> weights = RandomMatrices.Constant(8, 10, 0.1f), x = RandomMatrices.Gaussian(300, 10, 4);
        for (nint row = 0; row < 8; row++) (weights[row, 2], weights[row, 5]) = (0.2f, 0.3f);
        for (nint token = 0; token < 300; token++) (x[token, 5], x[token, 8]) = (x[token, 5] * 0.1f, x[token, 8] * 9);
        using LayerStatistics statistics = LayerStatistics.FromActivations(x.View);
        using CompressedWeight byNorm = Compress(weights, Options("scalar:bits=2", 2), null), byBoth = Compress(weights, Options("scalar:bits=2", 2), statistics);
        Assert.Equal([2, 5], ((SumWeight)byNorm).OutlierColumns);
        Assert.Equal([2, 8], ((SumWeight)byBoth).OutlierColumns);
    }

    /// <summary>The best columns leave a residual that is orthogonal, in the metric, to the inputs that they stand for.</summary>
    [Fact]
    public void With_statistics_no_other_columns_beside_the_same_terms_are_better()
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(12, 32, 6);
        using LayerStatistics statistics = Correlated(32, 7);
        using CompressedWeight compressed = Compress(weights, Options("scalar:bits=2:group=16", 4, ElementType.F32), statistics);
        var sum = (SumWeight)compressed;
        using Matrix<float> dense = sum.ToDense();
        double before = statistics.OutputError(weights.View, dense.View);
        foreach (int column in sum.OutlierColumns)
        {
            for (nint row = 0; row < 12; row++)
            {
                double gradient = 0, scale = 0;
                for (int j = 0; j < 32; j++)
                {
                    double term = ((double)weights[row, j] - dense[row, j]) * statistics.SecondMoment.Row(j)[column];
                    gradient += term;
                    scale += Math.Abs(term);
                }

                Assert.True(Math.Abs(gradient) < 2e-3 * scale, $"row {row}, column {column}: {gradient} of {scale}"); // the ridge of the metric
                dense[row, column] += 0.02f;
                Assert.True(statistics.OutputError(weights.View, dense.View) > before);
                dense[row, column] -= 0.02f;
            }
        }
    }

    [Fact]
    public void Columns_make_good_what_correlated_inputs_lose()
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(16, 48, 8);
        using LayerStatistics statistics = Correlated(48, 9);
        using CompressedWeight weight = Compress(weights, Options("scalar:bits=2", 4), statistics);
        using Matrix<float> dense = weight.ToDense();
        double plain = Error(weights, new ScalarOptions(2), statistics), beside = statistics.OutputError(weights.View, dense.View);
        foreach (int column in ((SumWeight)weight).OutlierColumns)
        {
            for (nint row = 0; row < 16; row++) dense[row, column] = weights[row, column];
        }

        double copied = statistics.OutputError(weights.View, dense.View);
        Assert.True(beside < 0.8 * copied && beside < 0.8 * plain, $"{beside}, with the columns as they are {copied}, without them {plain}");
        Assert.True(Error(weights, Options("scalar:bits=2", 1000), statistics) < 1e-3); // all columns
    }

    [Fact]
    public void Layer_keeps_the_precision_that_was_asked_for()
    {
        using Matrix<float> weights = RandomMatrices.Trained(32, 64, 4);
        using CompressedWeight weight = Compress(weights, Options("lowrank:rank=2+scalar:bits=4:group=32", 2), null);
        using var exact = (SumLayer)weight.CreateLayer(RuntimeOptions.Exact);
        using var fast = (SumLayer)weight.CreateLayer();
        Assert.IsType<ScalarLayer>(exact.Terms[1]);
        Assert.IsNotType<ScalarLayer>(fast.Terms[1]);
    }

    [Fact]
    public void From_dense_is_compress_and_pack()
    {
        using Matrix<float> weights = RandomMatrices.Trained(16, 24, 4);
        using SumLayer layer = SumLayer.FromDense(Flat(weights), 16, 24, Options("lowrank:rank=2+scalar:bits=4", 1));
        using CompressedWeight weight = Compress(weights, Options("lowrank:rank=2+scalar:bits=4", 1), null);
        using Matrix<float> dense = weight.ToDense();
        float[] row = new float[24];
        for (int i = 0; i < 16; i++)
        {
            layer.DecodeRow(i, row);
            Assert.True(row.AsSpan().SequenceEqual(dense.Row(i)));
        }
    }

    [Fact]
    public void Explanation_has_what_every_term_says()
    {
        using Matrix<float> weights = RandomMatrices.Trained(24, 24, 4);
        using CompressedWeight weight = Compress(weights, Options("mpo:chi=3+scalar:bits=3", 2), null);
        WeightExplanation explanation = weight.Explain();
        Dictionary<string, string> facts = explanation.Facts.ToDictionary();
        Assert.Equal("mpo", facts["term0 method"]);
        Assert.Contains("3 of", facts["term0 bonds"], StringComparison.Ordinal);
        Assert.Equal("scalar", facts["term1 method"]);
        Assert.Contains("bytes", facts["outlier columns"], StringComparison.Ordinal);
        Assert.Contains(explanation.Spectra, spectrum => spectrum.Name.StartsWith("term0 singular", StringComparison.Ordinal));
    }

    [Fact]
    public void A_recipe_may_write_terms_as_text_or_as_methods_with_options()
    {
        const string AsText = """{"rules": [{"match": "*", "method": "sum", "terms": "mpo:share=0.3:output-factors=2,3:input-factors=4,5+scalar:bits=2:symmetric", "outlier-columns": 4}]}""";
        const string AsObjects = """
            {"rules": [{"match": "*", "method": "sum", "outlier-columns": 4, "terms": [
              {"method": "mpo", "share": 0.3, "output-factors": [2, 3], "input-factors": [4, 5]}, {"method": "scalar", "bits": 2, "symmetric": true}]}]}
            """;
        MethodOptions first = CompressionRecipe.Parse(Encoding.UTF8.GetBytes(AsText)).Rules[0].Options, second = CompressionRecipe.Parse(Encoding.UTF8.GetBytes(AsObjects)).Rules[0].Options;
        Assert.Equal(first, second);
        var sum = Assert.IsType<SumOptions>(first);
        Assert.Equal(4, sum.OutlierColumns);
        Assert.Equal(new ScalarOptions(2, symmetric: true), sum.Terms[1]);
        Assert.Equal(0.3, Assert.IsType<MpoOptions>(sum.Terms[0]).Truncation.Share);
    }

    [Theory]
    [InlineData("""{"match": "*", "method": "sum"}""", "terms")]
    [InlineData("""{"match": "*", "method": "sum", "terms": "scalar:bits=2"}""", "outlier columns")]
    [InlineData("""{"match": "*", "method": "sum", "terms": "scalar:bits=2+scalar:bits=2:bits=3"}""", "twice")]
    [InlineData("""{"match": "*", "method": "sum", "terms": "scalar:bits=2+nothing"}""", "no method")]
    [InlineData("""{"match": "*", "method": "sum", "terms": "scalar:bits=2+scalar:rank=2"}""", "rank")]
    [InlineData("""{"match": "*", "method": "sum", "terms": "scalar+scalar+scalar+scalar+scalar"}""", "1 to 4")]
    [InlineData("""{"match": "*", "method": "sum", "terms": "scalar", "outlier-columns": -1}""", "-1")]
    [InlineData("""{"match": "*", "method": "sum", "terms": "scalar+scalar", "rounds": 0}""", "rounds")]
    [InlineData("""{"match": "*", "method": "sum", "terms": "scalar", "outlier-columns": 1, "column-type": "u8"}""", "column-type")]
    [InlineData("""{"match": "*", "method": "sum", "terms": [{"bits": 2}]}""", "terms")]
    [InlineData("""{"match": "*", "method": "sum", "terms": [null]}""", "terms")]
    [InlineData("""{"match": "*", "method": "sum", "terms": [{"method": "scalar", "bits": null}]}""", "terms")]
    public void Sums_that_make_no_sense_are_refused(string rule, string named)
    {
        var fault = Assert.Throws<TensorFormatException>(() => CompressionRecipe.Parse(Encoding.UTF8.GetBytes($$"""{"rules": [{{rule}}]}""")));
        Assert.Contains(named, fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_sum_of_sums_is_refused()
    {
        SumOptions inner = Options("scalar+scalar", 0);
        Assert.Contains("no sums", Assert.Throws<ArgumentException>(() => new SumOptions([inner, new ScalarOptions(2)])).Message, StringComparison.Ordinal);
        using Matrix<float> weights = RandomMatrices.Gaussian(8, 12, 1);
        using CompressedWeight weight = Compress(weights, inner, null);
        JsonObject parameters = weight.Parameters;
        parameters["terms"]![0]!["method"] = "sum";
        Assert.Equal(TensorFormatError.Unsupported, Refused(weight, parameters, _ => { }));
        parameters["terms"]![0]!["method"] = "nothing";
        Assert.Equal(TensorFormatError.Unsupported, Refused(weight, parameters, _ => { }));
        parameters["terms"]![0]!["method"] = "scalar";
        parameters["terms"]![0]!["version"] = 1000;
        Assert.Equal(TensorFormatError.Version, Refused(weight, parameters, _ => { }));
    }

    [Theory]
    [InlineData(0, -1)]
    [InlineData(1, 12)]
    [InlineData(1, 0)]
    public void Inputs_of_columns_that_do_not_ascend_or_are_not_there_are_refused(int place, int value)
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(8, 12, 1);
        using CompressedWeight weight = Compress(weights, Options("scalar", 2), null);
        Assert.Equal(TensorFormatError.Value, Refused(weight, weight.Parameters, stored =>
            BinaryPrimitives.WriteInt32LittleEndian(stored.Bytes[$"{Layer}.sum.column_indices"].AsSpan(4 * place), value)));
    }

    private static TensorFormatError Refused(CompressedWeight weight, JsonObject parameters, Action<MemoryTensors> damage)
    {
        using MemoryTensors stored = MemoryTensors.Of(Layer, weight);
        damage(stored);
        JsonObject read = JsonNode.Parse(parameters.ToJsonString())!.AsObject();
        return Assert.Throws<TensorFormatException>(() => weight.Method.Read(new StoredWeight(Layer, weight.OutputDimension, weight.InputDimension, read, stored))).Kind;
    }

    private static SumOptions Options(string terms, int columns, ElementType type = ElementType.F16) => new([.. terms.Split('+').Select(CompressionMethods.ParseOptions)], columns, type);

    private static double Error(Matrix<float> weights, MethodOptions options, LayerStatistics? statistics)
    {
        using CompressedWeight weight = Compress(weights, options, statistics);
        using Matrix<float> dense = weight.ToDense();
        return statistics?.OutputError(weights.View, dense.View) ?? MatrixOracle.RelativeError(weights.View, dense.View);
    }

    private static CompressedWeight Compress(Matrix<float> weights, MethodOptions options, LayerStatistics? statistics) =>
        options.Method.Compress(weights.View, options, new CompressionContext { Statistics = statistics });

    private static float[] Flat(Matrix<float> weights)
    {
        var flat = new float[weights.Rows * weights.Columns];
        for (nint row = 0; row < weights.Rows; row++) weights.Row(row).CopyTo(flat.AsSpan((int)(row * weights.Columns)));
        return flat;
    }

    /// <summary>Inputs that follow from a few sources, with noise.</summary>
    private static LayerStatistics Correlated(int dimension, ulong seed)
    {
        using Matrix<float> sources = RandomMatrices.Gaussian(400, 5, seed), mixing = RandomMatrices.Gaussian(dimension, 5, seed + 100), x = RandomMatrices.Gaussian(400, dimension, seed + 200);
        MatrixProduct.Multiply(sources, mixing.Transposed, x.View, beta: 0.4f);
        return LayerStatistics.FromActivations(x.View);
    }
}
