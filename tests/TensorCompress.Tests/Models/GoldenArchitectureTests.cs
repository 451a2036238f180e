using System.Text.Json.Nodes;
using TensorCompress.Inference;
using TensorCompress.Models;
using TensorCompress.Storage;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Models;

/// <summary>Tiny random models, one per feature, against the logits that transformers computes, in both spellings of the configuration.</summary>
public class GoldenArchitectureTests
{
    public static TheoryData<string, string> Supported
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (string model in GoldenModels.Names)
                foreach (string configuration in new[] { "config.json", "config_v4.json" }) data.Add(model, configuration);
            return data;
        }
    }

    [SharedTheory]
    [MemberData(nameof(Supported))]
    public void Logits_of_every_position_whole_token_by_token_and_in_pieces(string name, string configuration)
    {
        using CheckpointFolder files = CheckpointFolder.Open(GoldenModels.Folder(name));
        using ModelCheckpoint checkpoint = ModelCheckpoint.FromTensors(File.ReadAllText(Path.Combine(GoldenModels.Folder(name), configuration)), files.Tensors);
        GoldenModels.AssertLogits(checkpoint, name, GoldenModels.Tolerance, int.MaxValue, 1, 7);
    }

    [Theory]
    [InlineData("""{"model_type": "mixtral"}""", "mixtral")]
    [InlineData("""{"model_type": "lama"}""", "the closest is llama")]
    [InlineData("""{"model_type": "llama", "rope_scaling": {"rope_type": "longrope"}}""", "longrope")]
    [InlineData("""{"model_type": "llama", "hidden_act": "xielu"}""", "xielu")]
    public void What_is_not_supported_is_refused_by_name(string changes, string word)
    {
        TensorFormatException fault = Assert.Throws<TensorFormatException>(() => Define(changes));
        Assert.Equal(TensorFormatError.Unsupported, fault.Kind);
        Assert.Contains(word, fault.Message, StringComparison.Ordinal);
        Assert.Contains("supported: ", fault.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"model_type": "llama", "head_dim": 65536}""")]
    [InlineData("""{"model_type": "llama", "head_dim": 16384, "num_attention_heads": 2048}""")]
    [InlineData("""{"model_type": "gpt_neox", "hidden_size": 16777216, "num_attention_heads": 1}""")]
    public void Heads_that_no_tensor_could_back_are_not_believed(string changes) => Assert.Equal(TensorFormatError.Value, Assert.Throws<TensorFormatException>(() => Define(changes)).Kind);

    [Fact]
    public void Rare_spellings_mean_what_transformers_takes_them_for()
    {
        Assert.All(
            Define("""{"model_type": "qwen2", "num_hidden_layers": 2, "use_sliding_window": true, "sliding_window": 4, "max_window_layers": 0}""").Blocks,
            block => Assert.Equal(4, block.Attention.Window));
        Assert.All(Define("""{"model_type": "qwen2", "use_sliding_window": false, "sliding_window": 4, "max_window_layers": 0}""").Blocks, block => Assert.Null(block.Attention.Window));
        Assert.Equal(128, Define("""{"model_type": "qwen3"}""").Blocks[0].Attention.HeadDimension);
        Assert.Equal(8, Define("""{"model_type": "mistral", "head_dim": null, "sliding_window": null}""").Blocks[0].Attention.HeadDimension);
        RotaryDefinition yarn = Define("""{"model_type": "llama", "rope_parameters": {"rope_type": "yarn", "rope_theta": 500.0, "original_max_position_embeddings": 8}}""").Blocks[0].Attention.Rotary!;
        Assert.Equal((4.0, 500.0), (yarn.Scaling!.Factor, yarn.Theta));
        Assert.Null(Define("""{"model_type": "llama", "rope_scaling": null, "rope_parameters": null}""").Blocks[0].Attention.Rotary!.Scaling);
        Assert.Null(Define("""{"model_type": "gemma2"}""").Head);
        Assert.NotNull(Define("""{"model_type": "llama"}""").Head);
    }

    private static ModelDefinition Define(string changes)
    {
        JsonObject configuration = JsonNode.Parse(
            """{"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 10, "max_position_embeddings": 32}""")!.AsObject();
        foreach ((string key, JsonNode? value) in JsonNode.Parse(changes)!.AsObject()) configuration[key] = value?.DeepClone();
        using ModelCheckpoint checkpoint = ModelCheckpoint.FromTensors(configuration.ToJsonString(), new MemoryTensors());
        return checkpoint.Definition;
    }

    [Theory]
    [InlineData("auto_map", """{"AutoModel": "modeling.Evil"}""")]
    [InlineData("trust_remote_code", "true")]
    [InlineData("_attn_implementation", "\"flash_attention_2\"")]
    public void Z07_what_would_load_code_is_ignored_and_said(string key, string value)
    {
        using ModelCheckpoint checkpoint = ModelCheckpoint.FromTensors(
            $$"""{"model_type": "llama", "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 10, "max_position_embeddings": 32, "{{key}}": {{value}}}""",
            new MemoryTensors());
        Assert.Contains(key, Assert.Single(checkpoint.Warnings), StringComparison.Ordinal);
    }

    [SharedFact]
    public void A_missing_bias_is_zero_and_said()
    {
        // The conversion of the sorting model lacks the biases of the query-key-value projections.
        using ModelCheckpoint checkpoint = ModelCheckpoint.Open(SharedData.Path("models/nano-gpt-sort"));
        Assert.Contains("3 biases", Assert.Single(checkpoint.Warnings), StringComparison.Ordinal);
        using LanguageModel model = LanguageModel.Load(checkpoint);
        using Session session = model.CreateSession();
        Assert.Equal(3, session.Append([0, 1, 2]).Length);
    }
}
