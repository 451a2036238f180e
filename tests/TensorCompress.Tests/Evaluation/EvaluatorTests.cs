using TensorCompress.Compression;
using TensorCompress.Evaluation;
using TensorCompress.Inference;
using TensorCompress.Pipeline;
using TensorCompress.Tests.TestKit;
using TensorCompress.Tokenization;

namespace TensorCompress.Tests.Evaluation;

/// <summary>The instrument: perplexities of the reference, and the known effect of plain rounding.</summary>
public class EvaluatorTests
{
    private const string Separator = "<|endoftext|>";

    [SharedTheory]
    [InlineData("models/stories260K", 4.6511, 15_202)]
    [InlineData("models/babyllama361", 2.0553, 10_200)]
    public void Perplexity_of_the_first_forty_stories(string path, double perplexity, int tokens)
    {
        using LanguageModel model = LanguageModel.Load(SharedData.Path(path));
        EvaluationResult result = Evaluator.Evaluate(model, Stories(model, 40));
        Assert.Equal(perplexity, result.Perplexity, 5e-5);
        Assert.Equal(tokens, result.Tokens);
    }

    [SharedTheory]
    [InlineData("models/stories260K", 8, 5.002, 0.005)]
    [InlineData("models/stories260K", 6, 5.035, 0.005)]
    [InlineData("models/stories260K", 5, 5.163, 0.005)]
    [InlineData("models/stories260K", 4, 5.895, 0.005)]
    [InlineData("models/stories260K", 3, 21.4, 0.03)]
    [InlineData("models/babyllama361", 8, 2.176, 0.005)]
    [InlineData("models/babyllama361", 6, 2.182, 0.005)]
    [InlineData("models/babyllama361", 5, 2.207, 0.005)]
    [InlineData("models/babyllama361", 4, 2.312, 0.005)]
    [InlineData("models/babyllama361", 3, 3.94, 0.03)]
    public void Symmetric_rounding_of_all_matrices_costs_what_it_is_known_to_cost(string path, int bits, double perplexity, double tolerance)
    {
        using var folder = new TemporaryFolder();
        string output = folder.Combine("compressed");
        var values = new Dictionary<string, string> { ["bits"] = $"{bits}", ["group"] = "32", ["symmetric"] = "true", ["scales"] = "f32" };
        MethodOptions options = CompressionMethods.Get("scalar").ParseOptions(values);
        ModelCompressor.Compress(SharedData.Path(path), output, new CompressionJobOptions { Recipe = new CompressionRecipe([new RecipeRule("*", options)]) });
        using LanguageModel model = LanguageModel.Load(output);
        EvaluationResult result = Evaluator.Evaluate(model, Stories(model, 16));
        Assert.InRange(result.Perplexity, perplexity * (1 - tolerance), perplexity * (1 + tolerance));
    }

    [SharedFact]
    public void A_model_has_no_divergence_from_itself()
    {
        using LanguageModel model = LanguageModel.Load(SharedData.Path("models/stories260K"));
        EvaluationResult result = Evaluator.Evaluate(model, Stories(model, 2), model);
        Assert.Equal(0, result.Kl!.Mean, 1e-12);
        Assert.Equal(1, result.TopAgreement);
    }

    [Fact]
    public void Loss_is_the_mean_over_positions_of_the_oracle()
    {
        using LanguageModel model = LanguageModel.Load(TestFiles.Golden("stories260K/stories260K.bin"));
        int[][] windows = [[1, 403, 407, 261, 378, 432], [1, 403, 407]];
        double sum = 0;
        foreach (int[] window in windows)
        {
            using Session session = model.CreateSession();
            for (int i = 0; i + 1 < window.Length; i++)
            {
                float[] logits = session.Append([window[i]]).ToArray();
                sum += Math.Log(logits.Sum(logit => Math.Exp((double)logit))) - logits[window[i + 1]];
            }
        }

        EvaluationResult result = Evaluator.Evaluate(model, windows);
        Assert.Equal(7, result.Tokens);
        Assert.Equal(sum / 7, result.Loss, 1e-6);
    }

    [Fact]
    public void Windows_are_consecutive_and_a_short_rest_is_dropped()
    {
        using LanguageModel model = LanguageModel.Load(TestFiles.Golden("stories260K/stories260K.bin"));
        string text = string.Concat(Enumerable.Repeat("Once upon a time there was a cat. ", 20));
        Tokenizer tokenizer = model.Tokenizer!;
        int[] ids = tokenizer.Encode(text, new EncodeOptions { AddSpecialTokens = false });
        IReadOnlyList<int[]> windows = EvaluationWindows.FromText(tokenizer, text, 32);
        Assert.Equal(ids.Length / 32, windows.Count);
        Assert.Equal(ids.Take(windows.Count * 32), windows.SelectMany(window => window));
        Assert.Equal(2, EvaluationWindows.FromText(tokenizer, text, 32, 95).Count);
        Assert.Throws<ArgumentException>(() => EvaluationWindows.FromText(tokenizer, "short", 512));
    }

    private static IReadOnlyList<int[]> Stories(LanguageModel model, int count) => EvaluationWindows.FromDocuments(
        model.Tokenizer!, File.ReadAllText(SharedData.Path("data/tinystories.txt")), Separator, model.Definition.ContextLength, skip: 1, maxDocuments: count);
}
