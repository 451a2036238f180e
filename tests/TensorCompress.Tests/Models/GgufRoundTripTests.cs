using System.Text.Json.Nodes;
using TensorCompress.Models;
using TensorCompress.Pipeline;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Models;

/// <summary>The golden models written as GGUF in llama.cpp's conventions, read again, and converted back: every time the golden logits.</summary>
public class GgufRoundTripTests
{
    public static TheoryData<string> Names => [.. GoldenModels.Names];

    [SharedTheory]
    [MemberData(nameof(Names))]
    public void A_model_written_as_gguf_gives_the_golden_logits_and_a_folder_made_of_it_too(string name)
    {
        using var folder = new TemporaryFolder();
        string file = folder.Combine("model.gguf"), back = folder.Combine("back");
        GgufExporter.Export(GoldenModels.Folder(name), file, GgufWeightType.F32);
        using (ModelCheckpoint checkpoint = ModelCheckpoint.Open(file))
        {
            Assert.Equal("gguf", checkpoint.Format);
            Assert.DoesNotContain(checkpoint.Warnings, warning => warning.Contains("not used", StringComparison.Ordinal));
            GoldenModels.AssertLogits(checkpoint, name);
        }

        Assert.Equal(file, Assert.Single(Directory.GetFiles(folder.Path)));
        ModelConverter.Convert(file, back);
        using ModelCheckpoint folderOfIt = ModelCheckpoint.Open(back);
        GoldenModels.AssertLogits(folderOfIt, name);
    }

    [SharedTheory]
    [InlineData("llama", GgufWeightType.F16, 0.05)]
    [InlineData("llama-bf16-sharded", GgufWeightType.BF16, 2e-4)]
    [InlineData("gpt_neox", GgufWeightType.Q80, 0.2)]
    [InlineData("gpt_neox", GgufWeightType.Q40, 3)]
    public void Narrower_types_stay_close(string name, GgufWeightType type, double tolerance)
    {
        using var folder = new TemporaryFolder();
        string file = folder.Combine("model.gguf");
        GgufExportReport report = GgufExporter.Export(GoldenModels.Folder(name), file, type);
        Assert.Equal(new FileInfo(file).Length, report.StoredBytes);
        using ModelCheckpoint checkpoint = ModelCheckpoint.Open(file);
        GoldenModels.AssertLogits(checkpoint, name, tolerance);
        if (type is GgufWeightType.Q80 or GgufWeightType.Q40) Assert.Contains(checkpoint.Warnings, warning => warning.Contains("quantised", StringComparison.Ordinal));
        Assert.Equal(checkpoint.Warnings, ModelConverter.Convert(file, folder.Combine("back")).Warnings);
    }

    [SharedFact]
    public void What_is_there_is_not_overwritten()
    {
        using var folder = new TemporaryFolder();
        string file = folder.Combine("model.gguf");
        File.WriteAllText(file, "mine");
        Assert.Throws<OutputExistsException>(() => GgufExporter.Export(GoldenModels.Folder("llama"), file));
        Assert.Equal("mine", File.ReadAllText(file));
    }

    [SharedTheory]
    [InlineData("gemma2", "final_logit_softcapping", "null", "bound")]
    [InlineData("qwen2", "hidden_act", "\"relu\"", "Relu")]
    [InlineData("qwen2", "rope_scaling", """{"rope_type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4, "original_max_position_embeddings": 32}""", "llama3")]
    [InlineData("gpt2", "scale_attn_by_inverse_layer_idx", "true", "scale")]
    public void What_readers_would_compute_otherwise_is_refused(string name, string key, string value, string word)
    {
        using var folder = new TemporaryFolder();
        File.Copy(Path.Combine(GoldenModels.Folder(name), "model.safetensors"), folder.Combine("model.safetensors"));
        JsonObject configuration = JsonNode.Parse(File.ReadAllText(Path.Combine(GoldenModels.Folder(name), "config_v4.json")))!.AsObject();
        configuration[key] = JsonNode.Parse(value);
        File.WriteAllText(folder.Combine("config.json"), configuration.ToJsonString());
        NotSupportedException fault = Assert.Throws<NotSupportedException>(() => GgufExporter.Export(folder.Path, folder.Combine("model.gguf")));
        Assert.Contains(word, fault.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(folder.Combine("model.gguf")));
    }
}
