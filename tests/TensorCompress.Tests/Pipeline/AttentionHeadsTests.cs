using System.Runtime.InteropServices;
using System.Text;
using TensorCompress.Compression;
using TensorCompress.Compression.Mpo;
using TensorCompress.Compression.Sum;
using TensorCompress.Compression.Tucker;
using TensorCompress.Fuzz;
using TensorCompress.Inference;
using TensorCompress.Models;
using TensorCompress.Pipeline;
using TensorCompress.Storage;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Pipeline;

/// <summary>What methods are told of the attention heads of a model's matrices, and what they make of it.</summary>
public sealed class AttentionHeadsTests : IDisposable
{
    /// <summary>Four heads of 12 channels, two of them for keys and values: no power of two, so that splits can part heads.</summary>
    private const string Configuration =
        """{"model_type":"llama","vocab_size":32,"hidden_size":48,"intermediate_size":80,"num_hidden_layers":1,"num_attention_heads":4,"num_key_value_heads":2,"max_position_embeddings":64,"rms_norm_eps":1e-5,"tie_word_embeddings":true}""";

    private readonly TemporaryFolder _folder = new();
    private readonly string _model;

    public AttentionHeadsTests()
    {
        _model = _folder.Combine("dense");
        Directory.CreateDirectory(_model);
        File.WriteAllText(Path.Combine(_model, "config.json"), Configuration);
        byte[] weights = TinyModels.Weights(Encoding.UTF8.GetBytes(Configuration));
        string path = Path.Combine(_model, CheckpointWriter.WeightsFile);
        File.WriteAllBytes(path + ".random", weights);
        using (SafetensorsFile source = SafetensorsFile.Open(path + ".random"))
        using (SafetensorsWriter writer = SafetensorsWriter.Create(path, new Dictionary<string, string>()))
        {
            foreach (TensorInfo tensor in source.Tensors.Values)
            {
                byte[] bytes = new byte[tensor.ByteLength];
                source.ReadBytes(tensor.Name, 0, bytes);
                if (tensor.Name.Contains(".self_attn.", StringComparison.Ordinal)) Plant(MemoryMarshal.Cast<byte, float>(bytes.AsSpan()), (int)tensor.Shape[0], (int)tensor.Shape[1]);
                writer.Add(tensor, stream => stream.Write(bytes));
            }

            writer.Complete();
        }

        File.Delete(path + ".random");
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Heads_are_rows_of_queries_keys_and_values_and_columns_of_output_projections()
    {
        using ModelCheckpoint checkpoint = ModelCheckpoint.Open(_model);
        ModelDefinition joint = JointLayers.Join(checkpoint.Definition, (_, _) => true);
        foreach (ModelDefinition definition in new[] { checkpoint.Definition, joint })
        {
            BlockDefinition block = definition.Blocks[0];
            foreach (LinearDefinition linear in definition.Linears)
            {
                AttentionHeads? expected = block.Attention.Projections.Contains(linear) ? new(MatrixSide.Rows, 12) : linear == block.Attention.Output ? new(MatrixSide.Columns, 12) : null;
                Assert.Equal(expected, definition.HeadsOf(linear));
            }
        }

        const string fused = """{"model_type":"gpt2","vocab_size":32,"n_embd":24,"n_layer":1,"n_head":2,"n_positions":32,"n_inner":null,"activation_function":"gelu_new"}""";
        using ModelCheckpoint gpt2 = ModelCheckpoint.FromTensors(fused, new MemoryTensors());
        Assert.Equal(new AttentionHeads(MatrixSide.Rows, 12), gpt2.Definition.HeadsOf(Assert.Single(gpt2.Definition.Blocks[0].Attention.Projections)));
    }

    [Theory]
    [InlineData("mpo:share=0.5:sites=2:search=true", false)]
    [InlineData("mpo:share=0.5:sites=3:search=true", false)]
    [InlineData("mpo:share=0.5:sites=2:search=true", true)]
    [InlineData("mpo:share=0.5:search=true", false)]
    [InlineData("mpo:share=0.4:sites=2:search=true+scalar:bits=2", false)]
    public void A_search_parts_no_head_and_leaves_feed_forward_layers_alone(string method, bool withTexts)
    {
        string withHeads = _folder.Combine("with"), without = _folder.Combine("without");
        ModelCompressor.Compress(_model, withHeads, Job(method, withTexts));
        ModelCompressor.Compress(_model, without, Job(method.Replace("search=true", "search=true:head-dimension=1", StringComparison.Ordinal), withTexts));
        using ModelCheckpoint kept = ModelCheckpoint.Open(withHeads), free = ModelCheckpoint.Open(without);
        bool wouldPart = false;
        foreach (LinearDefinition linear in kept.Definition.BlockLinears)
        {
            SiteFactors factors = FactorsOf(kept, linear), best = FactorsOf(free, linear);
            if (kept.Definition.HeadsOf(linear) is not { } heads)
            {
                if (!withTexts) Assert.Equal(best, factors); // with texts the layers before them differ
                continue;
            }

            Assert.True(factors.KeepsHeads(heads), $"{linear.Name}: {factors}");
            wouldPart |= !best.KeepsHeads(heads);
        }

        Assert.True(wouldPart, "no head would have been parted anyway");
    }

    [Fact]
    public void The_race_of_splits_takes_one_between_heads_where_that_is_the_best()
    {
        // Two Kronecker products of heads and channels; the balanced split is 6.8 x 6.8.
        using Matrix<float> a = RandomMatrices.Gaussian(4, 12), b = RandomMatrices.Gaussian(12, 4), c = RandomMatrices.Gaussian(4, 12, 5), d = RandomMatrices.Gaussian(12, 4, 6);
        using Matrix<float> weights = RandomMatrices.Make(48, 48, (i, j) => (double)a[i / 12, j / 4] * b[i % 12, j % 4] + (double)c[i / 12, j / 4] * d[i % 12, j % 4]);
        using Matrix<float> inputs = RandomMatrices.Gaussian(300, 48, 7);
        using LayerStatistics statistics = LayerStatistics.FromActivations(inputs.View);
        foreach (AttentionHeads? heads in new[] { null, new AttentionHeads(MatrixSide.Rows, 12) })
        {
            using var weight = (MpoWeight)MpoMethod.Instance.Compress(weights.View, MpoOptions.WithShare(0.1), new CompressionContext { Statistics = statistics, Heads = heads });
            Assert.Equal(heads is not null, weight.Operator.Factors.Equals(new SiteFactors([4, 12], [12, 4])));
            Assert.Equal(heads is not null, weight.Operator.RelativeError < 1e-3);
        }
    }

    [Fact]
    public void A_width_that_is_given_replaces_that_of_the_model_and_counts_without_a_search_too()
    {
        (string Method, string Queries, string Outputs)[] cases =
        [
            ("mpo:share=0.5:sites=2", "6.8 x 6.8", "6.8 x 6.8"),
            ("mpo:share=0.5:sites=2:head-dimension=12", "8.6 x 6.8", "6.8 x 8.6"),
            ("mpo:share=0.5:sites=2:head-dimension=8", "6.8 x 6.8", "6.8 x 6.8"),
            ("mpo:share=0.5:sites=2:head-dimension=1", "6.8 x 6.8", "6.8 x 6.8"),
        ];
        foreach ((string method, string queries, string outputs) in cases)
        {
            string output = _folder.Combine(Guid.NewGuid().ToString("N"));
            ModelCompressor.Compress(_model, output, Job(method));
            using ModelCheckpoint stored = ModelCheckpoint.Open(output);
            AttentionDefinition attention = stored.Definition.Blocks[0].Attention;
            Assert.Equal(queries, FactorsOf(stored, attention.Projections[0]).ToString());
            Assert.Equal(outputs, FactorsOf(stored, attention.Output).ToString());
            Assert.Equal("8.10 x 6.8", FactorsOf(stored, stored.Definition.Blocks[0].FeedForward.Up).ToString());
        }
    }

    [Theory]
    [InlineData("*.self_attn.*", "mpo:share=0.5:head-dimension=7", "q_proj (48 x 48)", "divisor of 48")]
    [InlineData("*.self_attn.*", "mpo:share=0.5:search=true:head-dimension=7", "q_proj (48 x 48)", "divisor of 48")]
    [InlineData("*.o_proj", "mpo:share=0.5:head-dimension=5", "o_proj", "48 columns")]
    [InlineData("*.self_attn.*", "mpo:share=0.5:output-factors=6,8:input-factors=6,8:head-dimension=12", "q_proj", "leave it out")]
    [InlineData("*.self_attn.*", "mpo:share=0.5:sites=1:head-dimension=12", "q_proj", "leave it out")]
    [InlineData("*.mlp.*", "mpo:share=0.5:head-dimension=12", "none of its layers", "leave that out")]
    [InlineData("*.mlp.*", "mpo:share=0.3:head-dimension=12+scalar:bits=2", "none of its layers", "leave that out")]
    [InlineData("*.o_proj", "tucker:share=0.5:head-dimension=7", "o_proj", "7")]
    public void A_width_that_nothing_can_use_is_refused_before_anything_is_written(string match, string method, string where, string what)
    {
        var job = new CompressionJobOptions { Recipe = new CompressionRecipe([new RecipeRule(match, Parse(method))]) };
        string message = Assert.ThrowsAny<ArgumentException>(() => ModelCompressor.Compress(_model, _folder.Combine("out"), job)).Message;
        Assert.Contains(where, message, StringComparison.Ordinal);
        Assert.Contains(what, message, StringComparison.Ordinal);
        Assert.Equal([_model], Directory.GetFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void Tucker_takes_the_heads_of_output_projections()
    {
        string output = _folder.Combine("out");
        ModelCompressor.Compress(_model, output, Job("tucker:share=0.5"));
        using ModelCheckpoint stored = ModelCheckpoint.Open(output);
        foreach (LinearDefinition linear in stored.Definition.BlockLinears)
        {
            using CompressedWeight weight = WeightLoader.ReadWeight(stored, linear);
            int heads = linear == stored.Definition.Blocks[0].Attention.Output ? 4 : linear == stored.Definition.Blocks[0].FeedForward.Down ? 8 : 6; // 4 of 12, 8 of 10, 6 of 8
            Assert.Equal(heads, (int)weight.Parameters[TuckerMethod.HeadsParameter]!);
        }

        // One head cannot be mixed: parts of equal width then.
        using Matrix<float> weights = RandomMatrices.Gaussian(20, 12);
        using CompressedWeight single = TuckerMethod.Instance.Compress(weights.View, new TuckerOptions(share: 0.5), new CompressionContext { Heads = new AttentionHeads(MatrixSide.Columns, 12) });
        Assert.Equal(3, (int)single.Parameters[TuckerMethod.HeadsParameter]!);
    }

    /// <summary>Two Kronecker products whose split parts heads: behind the boundary are 8 rows and 8 columns, and heads have 12. A search that minds no heads finds it.</summary>
    private static void Plant(Span<float> values, int rows, int columns)
    {
        using Matrix<float> first = RandomMatrices.Gaussian(2 * (rows / 8), 6), second = RandomMatrices.Gaussian(16, 8, 5);
        for (int i = 0; i < rows; i++)
        {
            for (int j = 0; j < columns; j++)
            {
                ref float value = ref values[i * columns + j];
                value *= 0.01f;
                for (int k = 0; k < 2; k++) value += 0.2f * first[k * (rows / 8) + i / 8, j / 8] * second[k * 8 + i % 8, j % 8];
            }
        }
    }

    private static MethodOptions Parse(string method)
    {
        MethodOptions[] terms = [.. method.Split('+').Select(CompressionMethods.ParseOptions)];
        return terms.Length == 1 ? terms[0] : new SumOptions(terms);
    }

    private static SiteFactors FactorsOf(ModelCheckpoint stored, LinearDefinition linear)
    {
        using CompressedWeight weight = WeightLoader.ReadWeight(stored, linear);
        return weight is SumWeight sum ? ((MpoWeight)sum.Terms[0]).Operator.Factors : ((MpoWeight)weight).Operator.Factors;
    }

    private CompressionJobOptions Job(string method, bool withTexts = false)
    {
        using ModelCheckpoint checkpoint = ModelCheckpoint.Open(_model);
        return new CompressionJobOptions
        {
            Recipe = CompressionRecipes.ForBlocks(checkpoint.Definition, Parse(method)),
            Calibration = withTexts ? new CalibrationOptions { Windows = [[.. Enumerable.Range(0, 60).Select(i => 7 * i * i % 31)]] } : null,
        };
    }
}
