using System.Text.Json;
using TensorCompress.Inference;
using TensorCompress.Models;
using TensorCompress.Storage;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Models;

/// <summary>Tiny random models, one per feature, against the logits that transformers computes, in both spellings of the configuration.</summary>
public class GoldenArchitectureTests
{
    private const double Tolerance = 2e-4;

    public static TheoryData<string, string> Supported
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (string model in new[] { "llama", "llama-bf16-sharded", "llama-untied-bias", "gpt2", "gpt2-bare" })
                foreach (string configuration in new[] { "config.json", "config_v4.json" }) data.Add(model, configuration);
            return data;
        }
    }

    [SharedTheory]
    [MemberData(nameof(Supported))]
    public void Logits_of_every_position_whole_token_by_token_and_in_pieces(string name, string configuration)
    {
        string folder = SharedData.Path("fixtures/golden-models/" + name);
        using CheckpointFolder files = CheckpointFolder.Open(folder);
        using LanguageModel model = LanguageModel.Load(ModelCheckpoint.FromTensors(File.ReadAllText(Path.Combine(folder, configuration)), files.Tensors));
        using JsonDocument golden = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "golden.json")));
        int[] ids = Ints(golden.RootElement.GetProperty("ids"));
        JsonElement expected = golden.RootElement.GetProperty("logits");
        foreach (int piece in new[] { ids.Length, 1, 7 })
        {
            using Session session = model.CreateSession();
            for (int start = 0; start < ids.Length; start += piece)
            {
                session.Append(ids.AsSpan(start, Math.Min(piece, ids.Length - start)), (first, logits) =>
                {
                    for (int row = 0; row < logits.Rows; row++)
                    {
                        Span<float> actual = logits.Row(row);
                        for (int i = 0; i < actual.Length; i++) Assert.Equal(expected[first + row][i].GetDouble(), actual[i], Tolerance);
                    }
                });
            }
        }

        int[] greedy = Ints(golden.RootElement.GetProperty("greedy"));
        using Session generation = model.CreateSession();
        var options = new GenerationOptions { MaxTokens = greedy.Length, IgnoreEndOfText = true };
        Assert.Equal(greedy, generation.Generate(ids, options).Where(step => step.Id >= 0).Select(step => step.Id));
    }

    [SharedTheory]
    [InlineData("llama-yarn-rope", "yarn")]
    [InlineData("llama3-rope", "llama3")]
    [InlineData("qwen3", "qwen3")]
    public void What_is_not_supported_is_refused_by_name(string name, string word)
    {
        TensorFormatException fault = Assert.Throws<TensorFormatException>(() => LanguageModel.Load(SharedData.Path("fixtures/golden-models/" + name)));
        Assert.Equal(TensorFormatError.Unsupported, fault.Kind);
        Assert.Contains(word, fault.Message, StringComparison.Ordinal);
        Assert.Contains("supported: ", fault.Message, StringComparison.Ordinal);
    }

    private static int[] Ints(JsonElement array) => [.. array.EnumerateArray().Select(value => value.GetInt32())];
}
