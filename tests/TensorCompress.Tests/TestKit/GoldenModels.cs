using System.Text.Json;
using TensorCompress.Inference;
using TensorCompress.Models;

namespace TensorCompress.Tests.TestKit;

/// <summary>Tiny random models with the logits that transformers computes.</summary>
internal static class GoldenModels
{
    public const double Tolerance = 2e-4;

    public static IReadOnlyList<string> Names { get; } =
    [
        "gemma2", "gemma3", "gemma3-linear-rope", "gpt2", "gpt2-bare", "gpt_neox", "gpt_neox-sequential", "granite", "llama", "llama-bf16-sharded", "llama-linear-rope",
        "llama-untied-bias", "llama-yarn-rope", "llama3-rope", "mistral-window", "olmo2", "phi3", "phi3-partial-window", "qwen2", "qwen3", "smollm3",
    ];

    public static string Folder(string name) => SharedData.Path("fixtures/golden-models/" + name);

    public static JsonDocument Golden(string name) => JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Folder(name), "golden.json")));

    public static int[] Ints(JsonElement array) => [.. array.EnumerateArray().Select(value => value.GetInt32())];

    /// <summary>The logits of all positions, the ids appended in pieces; and, at the usual tolerance, the ids that follow.</summary>
    public static void AssertLogits(ModelCheckpoint checkpoint, string name, double tolerance = Tolerance, params ReadOnlySpan<int> pieces)
    {
        using LanguageModel model = LanguageModel.Load(checkpoint);
        using JsonDocument golden = Golden(name);
        int[] ids = Ints(golden.RootElement.GetProperty("ids"));
        JsonElement expected = golden.RootElement.GetProperty("logits");
        foreach (int piece in pieces.IsEmpty ? [ids.Length] : pieces)
        {
            using Session session = model.CreateSession();
            for (int start = 0; start < ids.Length; start += Math.Min(piece, ids.Length))
            {
                session.Append(ids.AsSpan(start, Math.Min(piece, ids.Length - start)), (first, logits) =>
                {
                    for (int row = 0; row < logits.Rows; row++)
                    {
                        Span<float> actual = logits.Row(row);
                        for (int i = 0; i < actual.Length; i++) Assert.Equal(expected[first + row][i].GetDouble(), actual[i], tolerance);
                    }
                });
            }
        }

        if (tolerance > Tolerance) return;
        int[] greedy = Ints(golden.RootElement.GetProperty("greedy"));
        using Session generation = model.CreateSession();
        var options = new GenerationOptions { MaxTokens = greedy.Length, IgnoreEndOfText = true };
        Assert.Equal(greedy, generation.Generate(ids, options).Where(step => step.Id >= 0).Select(step => step.Id));
    }
}
