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
        System.Text.Json.Nodes.JsonObject configuration = System.Text.Json.Nodes.JsonNode.Parse(
            """{"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 10, "max_position_embeddings": 32}""")!.AsObject();
        foreach ((string key, System.Text.Json.Nodes.JsonNode? value) in System.Text.Json.Nodes.JsonNode.Parse(changes)!.AsObject()) configuration[key] = value?.DeepClone();
        using ModelCheckpoint checkpoint = ModelCheckpoint.FromTensors(configuration.ToJsonString(), new MemoryTensors());
        TensorFormatException fault = Assert.Throws<TensorFormatException>(() => checkpoint.Definition);
        Assert.Equal(TensorFormatError.Unsupported, fault.Kind);
        Assert.Contains(word, fault.Message, StringComparison.Ordinal);
        Assert.Contains("supported: ", fault.Message, StringComparison.Ordinal);
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
