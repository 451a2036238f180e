using System.Text.Json;
using TensorCompress.Inference;
using TensorCompress.Kernels;
using TensorCompress.Tests.TestKit;
using TensorCompress.Tokenization;

namespace TensorCompress.Tests.Inference;

/// <summary>Trained models reproduce what their reference programs gave.</summary>
public class GoldenModelTests
{
    private static readonly string Stories = TestFiles.Golden("stories260K/stories260K.bin");

    [Fact]
    public void Stories260K_reproduces_logits_and_greedy_ids() =>
        CheckLogits(Stories, TestFiles.Golden("stories260K/ref_logits.json"));

    [Theory]
    [InlineData("ref_greedy256.txt", "", 256)]
    [InlineData("ref_greedy200_dog.txt", "Once upon a time, there was a little dog", 200)]
    public void Stories260K_reproduces_greedy_text_to_the_letter(string golden, string prompt, int steps) =>
        CheckGreedyText(Stories, TestFiles.Golden("stories260K/" + golden), prompt, steps);

    [SharedFact]
    public void Stories260K_is_the_same_model_in_every_container()
    {
        using LanguageModel original = LanguageModel.Load(Stories);
        float[] expected = LastLogits(original, [1, 403, 407, 261, 378]);
        foreach (string path in new[] { "models/stories260K/stories260K_v1.bin", "models/stories260K" })
        {
            using LanguageModel other = LanguageModel.Load(SharedData.Path(path));
            Assert.Equal(expected, LastLogits(other, [1, 403, 407, 261, 378]));
        }
    }

    [SharedFact]
    public void Stories260K_int8_reproduces_greedy_text() =>
        CheckGreedyText(SharedData.Path("models/stories260K/stories260K-q8.bin"), SharedData.Path("models/stories260K/ref_q8_greedy256.txt"), "", 256, agreeingCharacters: 60);

    [SharedTheory]
    [InlineData("models/babyllama361/model5000.bin")]
    [InlineData("models/babyllama361")]
    public void Babyllama361_reproduces_logits_text_and_greedy_ids(string path)
    {
        CheckLogits(SharedData.Path(path), SharedData.Path("models/babyllama361/ref_logits.json"));
        CheckGreedyText(SharedData.Path(path), SharedData.Path("models/babyllama361/ref_greedy256.txt"), "", 256);
    }

    [SharedTheory]
    [InlineData("models/gpt2-basic/MODEL_64x3")]
    [InlineData("models/gpt2-basic/MODEL_48x2")]
    public void Gpt2Basic_runs_from_ids(string path)
    {
        using LanguageModel model = LanguageModel.Load(SharedData.Path(path));
        Assert.Null(model.Tokenizer);
        using Session session = model.CreateSession();
        int[] ids = [.. session.Generate([1, 2, 3], new GenerationOptions { MaxTokens = 8 }).Where(piece => piece.Id >= 0).Select(piece => piece.Id)];
        Assert.Equal(8, ids.Length);
        Assert.All(ids, id => Assert.InRange(id, 0, model.Definition.VocabularySize - 1));
    }

    private static void CheckLogits(string modelPath, string goldenPath)
    {
        using LanguageModel model = LanguageModel.Load(modelPath);
        using JsonDocument golden = JsonDocument.Parse(File.ReadAllBytes(goldenPath));
        foreach (JsonElement entry in golden.RootElement.EnumerateArray())
        {
            int[] ids = [.. entry.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32())];
            string prompt = entry.GetProperty("prompt").GetString()!;
            Assert.Equal(ids, model.Tokenizer!.Encode(prompt, new EncodeOptions()));
            float[] logits = LastLogits(model, ids);
            foreach (JsonElement pair in entry.GetProperty("last_top8").EnumerateArray())
                Assert.Equal(pair[1].GetDouble(), logits[pair[0].GetInt32()], 1e-4);
            Assert.Equal(entry.GetProperty("last_logsumexp").GetDouble(), Softmax.LogSumExp(logits), 1e-4);

            int[] expected = [.. entry.GetProperty("greedy48").EnumerateArray().Select(id => id.GetInt32())];
            using Session session = model.CreateSession();
            int[] actual = [.. session.Generate(ids, new GenerationOptions { MaxTokens = expected.Length, IgnoreEndOfText = true }).Where(piece => piece.Id >= 0).Select(piece => piece.Id)];
            Assert.Equal(expected, actual);
        }
    }

    // The reference program prints one piece per step and stops at BOS; its text ends with a newline that it adds.
    private static void CheckGreedyText(string modelPath, string goldenPath, string prompt, int steps, int? agreeingCharacters = null)
    {
        using LanguageModel model = LanguageModel.Load(modelPath);
        using Session session = model.CreateSession();
        int[] ids = model.Tokenizer!.Encode(prompt, new EncodeOptions());
        var all = new List<int>(ids);
        all.AddRange(session.Generate(ids, new GenerationOptions { MaxTokens = steps - ids.Length + 1 }).Where(piece => piece.Id >= 0).Select(piece => piece.Id));
        string text = model.Tokenizer.Decode([.. all.Take(steps + 1)]);
        string golden = File.ReadAllText(goldenPath);
        if (agreeingCharacters is { } count) Assert.Equal(golden[..count], text[..count]);
        else Assert.Equal(golden.TrimEnd('\n'), text.TrimEnd('\n'));
    }

    private static float[] LastLogits(LanguageModel model, int[] ids)
    {
        using Session session = model.CreateSession();
        return session.Append(ids).ToArray();
    }
}
