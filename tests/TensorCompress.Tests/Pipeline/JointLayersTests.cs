using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json.Nodes;
using TensorCompress.Compression;
using TensorCompress.Fuzz;
using TensorCompress.Inference;
using TensorCompress.Layers;
using TensorCompress.Models;
using TensorCompress.Pipeline;
using TensorCompress.Storage;
using TensorCompress.Tensors;
using TensorCompress.Tests.Storage;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Pipeline;

/// <summary>Layers with the same input as one matrix, through whole checkpoints.</summary>
public sealed class JointLayersTests : IDisposable
{
    private const string Signs = "dbf:bits=3:solver=4/2/0.05/1.2/1/1/0/1/2/0.4/0.06/1/0";
    private const string Queries = "model.layers.0.self_attn.q_proj", Joint = Queries + "+k_proj+v_proj";

    /// <summary>Biases at queries, keys and values, none at gate and up; four query heads for two of keys.</summary>
    private const string WithBiases =
        """{"model_type":"qwen2","vocab_size":32,"hidden_size":16,"intermediate_size":24,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,"max_position_embeddings":32,"rms_norm_eps":1e-6,"tie_word_embeddings":true}""";

    private readonly TemporaryFolder _folder = new();

    private static string ModelPath => TestFiles.Golden("stories260K/stories260K.bin");

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(Signs, false)]
    [InlineData(Signs, true)]
    [InlineData("lowrank:share=0.5", false)]
    [InlineData("lowrank:share=0.5", true)]
    [InlineData("scalar:bits=4:group=32", true)]
    [InlineData("mpo:share=0.5:sites=2", false)]
    public void A_joint_model_computes_what_its_decoded_layers_compute_and_counts_its_bytes_once(string method, bool withTexts)
    {
        string output = _folder.Combine("joint"), dense = _folder.Combine("dense"), gguf = _folder.Combine("joint.gguf");
        CompressionReport report = ModelCompressor.Compress(ModelPath, output, Job(method, withTexts));
        Assert.Empty(report.Warnings);
        Assert.True(CheckpointVerifier.Verify(output).Passed);
        using ModelCheckpoint source = ModelCheckpoint.Open(ModelPath), stored = ModelCheckpoint.Open(output);
        int blocks = source.Definition.Blocks.Count;
        Assert.Equal(4 * blocks, report.Layers.Count); // queries to values, output, gate and up, down
        Assert.Equal(report.Layers.Select(layer => layer.Name).Order(), stored.Manifest!.Layers.Keys.Order());
        Assert.Equal(source.Definition.ParameterCount, stored.Definition.ParameterCount);

        long tensors = stored.Tensors.Tensors.Values.Where(tensor => tensor.Name.Contains($".{method.Split(':')[0]}.", StringComparison.Ordinal)).Sum(tensor => tensor.ByteLength);
        long weights = source.Definition.BlockLinears.Sum(linear => (long)linear.OutputDimension * linear.InputDimension);
        Assert.Equal(tensors, report.Layers.Sum(layer => layer.StoredBytes));
        Assert.Equal(8.0 * tensors / weights, report.Size.LinearBitsPerWeight, 1e-9);
        Assert.Equal(report.Size, ModelSize.Of(stored));

        float[] joint = Logits(stored);
        ModelConverter.Convert(output, dense, ElementType.F32);
        GgufExporter.Export(output, gguf, GgufWeightType.F32);
        using ModelCheckpoint decoded = ModelCheckpoint.Open(dense), exported = ModelCheckpoint.Open(gguf);
        Assert.Equal(source.Definition.Linears.Select(linear => linear.Name), decoded.Definition.Linears.Select(linear => linear.Name));
        AssertNear(joint, Logits(decoded), 2e-4);
        AssertNear(joint, Logits(exported), 2e-4);

        using Matrix<float> whole = LayerExplanation.ReadDense(stored, Joint), keys = LayerExplanation.ReadDense(stored, "model.layers.0.self_attn.k_proj.weight");
        int row = source.Definition.Blocks[0].Attention.Projections[0].OutputDimension;
        for (nint i = 0; i < keys.Rows; i++) Assert.True(keys.Row(i).SequenceEqual(whole.Row(row + i)));
        Assert.Contains(LayerExplanation.Of(stored, Queries).Facts, fact => fact.Value == Queries && fact.Key == $"rows 0 to {row - 1}");
    }

    [Fact]
    public void What_is_read_is_what_was_written_and_another_run_writes_the_same_bytes()
    {
        string[] outputs = [_folder.Combine("one"), _folder.Combine("two")];
        foreach (string output in outputs) ModelCompressor.Compress(ModelPath, output, Job(Signs, withTexts: true));
        Assert.Equal(File.ReadAllBytes(Path.Combine(outputs[0], CheckpointWriter.WeightsFile)), File.ReadAllBytes(Path.Combine(outputs[1], CheckpointWriter.WeightsFile)));
        using ModelCheckpoint stored = ModelCheckpoint.Open(outputs[0]);
        foreach (LinearDefinition linear in stored.Definition.BlockLinears)
        {
            using CompressedWeight weight = WeightLoader.ReadWeight(stored, linear);
            foreach (WeightPart part in weight.Parts)
            {
                using var written = new MemoryStream();
                part.Write(written);
                byte[] bytes = new byte[part.ByteLength];
                stored.Tensors.ReadBytes($"{linear.Name}.{weight.Method.Name}.{part.Name}", 0, bytes);
                Assert.Equal(bytes, written.ToArray());
            }
        }
    }

    /// <summary>Queries, keys and values that look at the same few directions of the input: each alone has to store them.</summary>
    [Theory]
    [InlineData("lowrank:rank=5", "lowrank:rank=3")] // 5 (128 + 64) stored numbers, and 3 (128 + 96 + 96)
    [InlineData("dbf:bits=3", "dbf:bits=3")]
    public void Shared_factors_have_lower_errors_at_equal_bits(string jointMethod, string separateMethod)
    {
        string source = StructuredModel();
        double[] errors = new double[2], bits = new double[2];
        foreach (bool isJoint in new[] { false, true })
        {
            var recipe = new CompressionRecipe([new RecipeRule("model.layers.0.self_attn.?_proj", CompressionMethods.ParseOptions(isJoint ? jointMethod : separateMethod)) { IsJoint = isJoint }]);
            string output = _folder.Combine(isJoint ? "joint" : "separate");
            ModelCompressor.Compress(source, output, new CompressionJobOptions { Recipe = recipe });
            using ModelCheckpoint exact = ModelCheckpoint.Open(source), stored = ModelCheckpoint.Open(output);
            foreach (LinearDefinition linear in exact.Definition.Blocks[0].Attention.Projections)
            {
                using Matrix<float> before = DenseTensors.Read(exact, linear), after = LayerExplanation.ReadDense(stored, linear.Name);
                errors[isJoint ? 1 : 0] += Math.Pow(MatrixOracle.RelativeError(before.View, after.View), 2);
            }

            LinearDefinition[] layers = [.. stored.Definition.Blocks[0].Attention.Projections];
            bits[isJoint ? 1 : 0] = layers.Sum(linear =>
            {
                using CompressedWeight weight = WeightLoader.ReadWeight(stored, linear);
                return 8.0 * weight.StoredBytes;
            }) / layers.Sum(linear => (double)linear.OutputDimension * linear.InputDimension);
        }

        Assert.True(bits[1] <= bits[0] * 1.001, $"{bits[1]} and {bits[0]} bits");
        Assert.True(errors[1] < 0.9 * errors[0], $"squared errors {errors[1]} and {errors[0]}");
    }

    [Fact]
    public void Members_with_and_without_biases_keep_them()
    {
        string recipe = $$"""{"rules":[{"match":"model.layers.1.self_attn.k_proj","method":"dense","type":"f32"},{"match":"model.layers.*","method":"dense","type":"f32","joint":true}]}""";
        TinyModels.Compress(Encoding.UTF8.GetBytes(WithBiases), recipe, _folder.Path);
        using ModelCheckpoint dense = ModelCheckpoint.Open(_folder.Combine("dense")), joint = ModelCheckpoint.Open(_folder.Combine("compressed"));
        Assert.Equal(3, joint.Definition.Blocks[1].Attention.Projections.Count); // queries and values are no neighbours
        Assert.Single(joint.Definition.Blocks[0].Attention.Projections);
        AssertNear(Logits(dense), Logits(joint), 0);
    }

    [Fact]
    public void An_order_of_neurons_is_undone_in_gate_and_up_together()
    {
        string output = _folder.Combine("ordered"), dense = _folder.Combine("dense");
        ModelCompressor.Compress(ModelPath, output, Job("mpo:chi=24:neuron-order=true", withTexts: false));
        ModelConverter.Convert(output, dense, ElementType.F32);
        using ModelCheckpoint stored = ModelCheckpoint.Open(output), decoded = ModelCheckpoint.Open(dense), source = ModelCheckpoint.Open(ModelPath);
        Assert.True(NeuronOrders.Read(stored).Count > 0);
        AssertNear(Logits(stored), Logits(decoded), 2e-4);
        LinearDefinition up = source.Definition.Blocks[0].FeedForward.Up;
        using Matrix<float> exact = DenseTensors.Read(source, up), approximate = DenseTensors.Read(decoded, up);
        Assert.True(MatrixOracle.RelativeError(exact.View, approximate.View) < 0.9); // in another order it would be about 1.4
    }

    [Fact]
    public void A_checkpoint_of_fused_layers_has_nothing_to_join_and_the_report_says_so()
    {
        const string fused = """{"model_type":"gpt2","vocab_size":32,"n_embd":16,"n_layer":1,"n_head":4,"n_positions":32,"n_inner":null,"activation_function":"gelu_new"}""";
        TinyModels.Compress(Encoding.UTF8.GetBytes(fused), """{"rules":[{"match":"*","method":"lowrank","rank":2}]}""", _folder.Path);
        var job = new CompressionJobOptions { Recipe = new CompressionRecipe([new RecipeRule("transformer.h.*", CompressionMethods.ParseOptions("lowrank:rank=2")) { IsJoint = true }]) };
        CompressionReport report = ModelCompressor.Compress(_folder.Combine("dense"), _folder.Combine("again"), job);
        Assert.Contains(report.Warnings, warning => warning.StartsWith("nothing was joined", StringComparison.Ordinal));
        Assert.Equal(4, report.Layers.Count);
    }

    [Theory]
    [InlineData("[0, 15]", null, TensorFormatError.Inconsistent)] // a row too few
    [InlineData("[0, 17]", null, TensorFormatError.Inconsistent)] // one twice
    [InlineData("[1, 15]", null, TensorFormatError.Inconsistent)]
    [InlineData("[-1, 17]", null, TensorFormatError.Inconsistent)]
    [InlineData("[0, 0]", null, TensorFormatError.Inconsistent)]
    [InlineData("[2147483647, 2147483647]", null, TensorFormatError.Inconsistent)]
    [InlineData("[0]", null, TensorFormatError.Structure)]
    [InlineData("\"0-16\"", null, TensorFormatError.Structure)]
    [InlineData("[0, 8]", "[8, 16]", TensorFormatError.Inconsistent)] // the rows of a key head are a query's
    [InlineData("[8, 16]", "[0, 8]", TensorFormatError.Inconsistent)] // keys before queries
    public void Rows_that_do_not_fit_are_refused(string queries, string? keys, TensorFormatError kind)
    {
        string model = TinyJointModel();
        Change(model, layers =>
        {
            layers[Joint]!["rows"]![Queries] = JsonNode.Parse(queries);
            if (keys is not null) layers[Joint]!["rows"]!["model.layers.0.self_attn.k_proj"] = JsonNode.Parse(keys);
        });
        ReaderVerdicts.Rejected(() => LanguageModel.Load(model), kind);
    }

    [Fact]
    public void Members_that_are_not_there_or_twice_are_refused()
    {
        (string Name, Action<JsonObject> Change)[] changes =
        [
            ("no such layer", layers => Rename(layers[Joint]!["rows"]!.AsObject(), Queries, "model.layers.7.self_attn.q_proj")),
            ("another input", layers => Rename(layers[Joint]!["rows"]!.AsObject(), Queries, "model.layers.0.mlp.down_proj")),
            ("by itself too", layers => layers[Queries] = layers["model.layers.0.self_attn.o_proj"]!.DeepClone()),
            ("another name", layers => Rename(layers, Joint, "joint")),
            ("one member", layers => layers["model.layers.0.self_attn.o_proj"]!["rows"] = JsonNode.Parse("""{"model.layers.0.self_attn.o_proj": [0, 16]}""")),
            ("in two layers", layers => layers["model.layers.0.mlp.gate_proj+up_proj"]!["rows"] = JsonNode.Parse($$"""{"{{Queries}}": [0, 24], "model.layers.0.mlp.up_proj": [24, 24]}""")),
        ];
        foreach ((string name, Action<JsonObject> change) in changes)
        {
            string model = TinyJointModel(name);
            LanguageModel.Load(model).Dispose();
            Change(model, change);
            ReaderVerdicts.Rejected(() => LanguageModel.Load(model), TensorFormatError.Inconsistent);
        }
    }

    [Fact]
    public void A_recipe_says_joint_by_true_or_false()
    {
        Assert.True(Assert.Single(Parse("true").Rules).IsJoint);
        Assert.False(Assert.Single(Parse("false").Rules).IsJoint);
        Assert.Equal(TensorFormatError.Value, Assert.Throws<TensorFormatException>(() => Parse("1")).Kind);

        static CompressionRecipe Parse(string value) => CompressionRecipe.Parse(Encoding.UTF8.GetBytes($$"""{"rules":[{"match":"*","method":"lowrank","rank":2,"joint":{{value}}}]}"""));
    }

    /// <summary>Stacked without loss, every architecture computes its golden logits.</summary>
    [SharedTheory]
    [MemberData(nameof(GoldenNames))]
    public void Every_architecture_runs_joint_layers(string name)
    {
        string output = _folder.Combine("joint");
        var job = new CompressionJobOptions { Recipe = new CompressionRecipe([new RecipeRule("*", CompressionMethods.ParseOptions("dense:type=f32")) { IsJoint = true }]) };
        ModelCompressor.Compress(GoldenModels.Folder(name), output, job);
        using ModelCheckpoint joint = ModelCheckpoint.Open(output);
        bool isFused = name.StartsWith("gpt", StringComparison.Ordinal) || name.StartsWith("phi3", StringComparison.Ordinal);
        Assert.Equal(!isFused, joint.Definition.BlockLinears.Any(linear => linear.Members.Count > 0));
        GoldenModels.AssertLogits(joint, name);
    }

    public static TheoryData<string> GoldenNames => [.. GoldenModels.Names];

    private static CompressionJobOptions Job(string method, bool withTexts)
    {
        using ModelCheckpoint checkpoint = ModelCheckpoint.Open(ModelPath);
        return new CompressionJobOptions
        {
            Recipe = CompressionRecipes.ForBlocks(checkpoint.Definition, CompressionMethods.ParseOptions(method), isJoint: true),
            Calibration = withTexts ? new CalibrationOptions { Windows = [[.. Enumerable.Range(0, 90).Select(i => 7 * i * i % 500)]] } : null,
        };
    }

    private string TinyJointModel(string name = "tiny")
    {
        string folder = Directory.CreateDirectory(_folder.Combine(name)).FullName;
        TinyModels.Compress(Encoding.UTF8.GetBytes(WithBiases), """{"rules":[{"match":"model.layers.0.*","method":"lowrank","rank":2,"joint":true}]}""", folder);
        return Path.Combine(folder, "compressed");
    }

    /// <summary>A model of 64 channels whose queries, keys and values are of rank four in the same directions, and a little noise.</summary>
    private string StructuredModel()
    {
        const int channels = 64;
        TinyModels.Compress(Encoding.UTF8.GetBytes(WithBiases.Replace("\"hidden_size\":16", "\"hidden_size\":64", StringComparison.Ordinal)), """{"rules":[{"match":"model.embed_tokens","method":"dense","type":"f32"}]}""", _folder.Path);
        string plain = _folder.Combine("dense"), output = _folder.Combine("structured");
        Directory.CreateDirectory(output);
        File.Copy(Path.Combine(plain, "config.json"), Path.Combine(output, "config.json"));
        using SafetensorsFile source = SafetensorsFile.Open(Path.Combine(plain, CheckpointWriter.WeightsFile));
        using SafetensorsWriter writer = SafetensorsWriter.Create(Path.Combine(output, CheckpointWriter.WeightsFile), new Dictionary<string, string>());
        using Matrix<float> right = RandomMatrices.Gaussian(4, channels, 3);
        ulong seed = 4;
        foreach (TensorInfo tensor in source.Tensors.Values)
        {
            byte[] bytes = new byte[tensor.ByteLength];
            source.ReadBytes(tensor.Name, 0, bytes);
            if (tensor.Name.Contains(".self_attn.", StringComparison.Ordinal) && tensor.Shape.Count == 2)
            {
                Span<float> values = MemoryMarshal.Cast<byte, float>(bytes.AsSpan());
                using Matrix<float> left = RandomMatrices.Gaussian((int)tensor.Shape[0], 4, seed++), noise = RandomMatrices.Gaussian((int)tensor.Shape[0], channels, seed++);
                for (int row = 0; row < left.Rows; row++)
                {
                    for (int column = 0; column < channels; column++)
                    {
                        float sum = 0.05f * noise[row, column];
                        for (int k = 0; k < 4; k++) sum += left[row, k] * right[k, column];
                        values[row * channels + column] = sum;
                    }
                }
            }

            writer.Add(tensor, stream => stream.Write(bytes));
        }

        writer.Complete();
        return output;
    }

    private static void Change(string model, Action<JsonObject> change)
    {
        string path = Path.Combine(model, "config.json");
        JsonObject configuration = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        change(configuration[CompressionManifest.ConfigurationKey]!["layers"]!.AsObject());
        File.WriteAllText(path, configuration.ToJsonString());
    }

    private static void Rename(JsonObject parent, string from, string to)
    {
        JsonNode taken = parent[from]!.DeepClone();
        parent.Remove(from);
        parent[to] = taken;
    }

    private static float[] Logits(ModelCheckpoint checkpoint)
    {
        using LanguageModel model = LanguageModel.Load(checkpoint, new LanguageModelOptions { WithoutTokenizer = true, Runtime = RuntimeOptions.Exact });
        using Session session = model.CreateSession();
        float[] last = [];
        session.Append([1, 3, 7, 6, 8], (_, logits) => last = logits.Row(logits.Rows - 1).ToArray());
        return last;
    }

    private static void AssertNear(float[] expected, float[] actual, double tolerance)
    {
        for (int i = 0; i < expected.Length; i++) Assert.Equal(expected[i], actual[i], tolerance);
    }
}
