using System.Diagnostics;
using System.Text;
using TensorCompress.Cli.Commands;
using TensorCompress.Compression;
using TensorCompress.Evaluation;
using TensorCompress.Inference;
using TensorCompress.Pipeline;
using TensorCompress.Threading;

namespace TensorCompress.Cli.Demonstration;

/// <summary>Compresses the model that ships inside with every method of the list at its showcase settings, and measures each result beside the dense model.</summary>
internal sealed class DemonstrationRun(ComputePool pool, Action<double, string> progress, CancellationToken cancellationToken)
{
    private const string Prompt = "Once upon a time, there was a little";
    private const int StoryCount = 16;
    private const int SpeedTokens = 256;
    private const int SpeedRuns = 3;

    /// <summary>The compressed model that writes a text is the smallest one whose perplexity is at most this many times the dense one's.</summary>
    private const double CloseToDense = 1.15;

    private static readonly GenerationOptions Story = new()
    {
        MaxTokens = 220,
        Sampling = new SamplingOptions { Temperature = 0.5f, TopP = 0.9f, Seed = 2 },
    };

    private readonly LanguageModelOptions _options = new() { Pool = pool };

    /// <summary>Runs everything; temporary folders are gone afterwards.</summary>
    public DemonstrationResult Run()
    {
        string source = BundledModels.PathOf(BundledModels.Stories);
        MethodOptions[] settings = [.. CompressionMethods.All.SelectMany(method => method.ShowcaseOptions).Where(options => !options.KeepsSource)];
        using LanguageModel dense = LanguageModel.Load(source, _options, cancellationToken);
        IReadOnlyList<int[]> windows = EvaluationWindows.FromDocuments(
            dense.Tokenizer!, BundledModels.ReadStories(), BundledModels.StorySeparator, dense.Definition.ContextLength, maxDocuments: StoryCount);

        progress(0, "dense");
        EvaluationResult baseline = Evaluator.Evaluate(dense, windows, cancellationToken: cancellationToken);
        var rows = new List<DemonstrationRow> { Row("dense", "as it ships, f32", dense, baseline) };
        var texts = new Dictionary<DemonstrationRow, string>();
        DirectoryInfo temporary = Directory.CreateTempSubdirectory("tensorcompress-demo-");
        try
        {
            for (int i = 0; i < settings.Length; i++)
            {
                progress((i + 1.0) / (settings.Length + 1), $"{settings[i].Method.Name}, {Describe(settings[i])}");
                string output = Path.Combine(temporary.FullName, i.ToString(System.Globalization.CultureInfo.InvariantCulture));
                (DemonstrationRow row, string text) = Measure(source, output, settings[i], dense, windows);
                rows.Add(row);
                texts.Add(row, text);
            }
        }
        finally
        {
            temporary.Delete(recursive: true);
        }

        DemonstrationRow chosen = Choose(rows);
        return new DemonstrationResult(rows, windows.Count, baseline.Tokens, Prompt, Write(dense), texts[chosen], chosen);
    }

    private (DemonstrationRow Row, string Text) Measure(string source, string output, MethodOptions options, LanguageModel dense, IReadOnlyList<int[]> windows)
    {
        MethodOptions head = CompressionMethods.Get("scalar").ParseOptions(new Dictionary<string, string> { ["bits"] = "8" });
        var job = new CompressionJobOptions { Recipe = CompressionRecipes.ForBlocks(dense.Definition, options, head), Pool = pool };
        ModelCompressor.Compress(source, output, job, cancellationToken: cancellationToken);
        using LanguageModel model = LanguageModel.Load(output, _options, cancellationToken);
        EvaluationResult result = Evaluator.Evaluate(model, windows, dense, cancellationToken: cancellationToken);
        return (Row(options.Method.Name, Describe(options), model, result), Write(model));
    }

    private DemonstrationRow Row(string method, string options, LanguageModel model, EvaluationResult result) => new()
    {
        Method = method,
        Options = options,
        BitsPerWeight = model.BitsPerWeight,
        StoredBytes = model.StoredBytes,
        Perplexity = result.Perplexity,
        PerplexityStandardError = result.PerplexityStandardError,
        Kl = result.Kl?.Mean,
        TokensPerSecond = Speed(model),
    };

    // The best of a few runs: other programs on the machine can only make a run slower.
    private double Speed(LanguageModel model)
    {
        var options = new GenerationOptions { MaxTokens = SpeedTokens, IgnoreEndOfText = true };
        int[] prompt = [model.Tokenizer!.BeginOfTextId ?? 0];
        double best = 0;
        using Session session = model.CreateSession(SpeedTokens + 1);
        for (int run = 0; run < SpeedRuns; run++)
        {
            session.Rewind(0);
            var clock = Stopwatch.StartNew();
            int tokens = session.Generate(prompt, options, cancellationToken).Count(piece => piece.Id >= 0);
            best = Math.Max(best, tokens / clock.Elapsed.TotalSeconds);
        }

        return best;
    }

    private string Write(LanguageModel model)
    {
        var text = new StringBuilder(Prompt);
        using Session session = model.CreateSession();
        foreach (GeneratedPiece piece in session.Generate(model.Tokenizer!.Encode(Prompt, new Tokenization.EncodeOptions()), Story, cancellationToken)) text.Append(piece.Text);
        return text.ToString();
    }

    private static DemonstrationRow Choose(List<DemonstrationRow> rows)
    {
        DemonstrationRow dense = rows[0];
        DemonstrationRow[] close = [.. rows.Skip(1).Where(row => row.Perplexity <= dense.Perplexity * CloseToDense)];
        return close.Length > 0 ? close.MinBy(row => row.StoredBytes)! : rows.Skip(1).MinBy(row => row.Perplexity)!;
    }

    private static string Describe(MethodOptions options) => string.Join(", ", options.ToValues().Select(value => $"{value.Key} {value.Value}"));
}
