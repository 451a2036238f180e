using System.Globalization;
using TensorCompress.Calibration;
using TensorCompress.Compression;
using TensorCompress.Evaluation;
using TensorCompress.Inference;
using TensorCompress.Models;
using TensorCompress.Pipeline;

namespace TensorCompress.Comparison;

/// <summary>
/// Every method at equal shares of the parameters of all linear layers of the blocks, beside dense and integers of 8 and 4 bits: stored bytes, output error, perplexity and divergence.
/// With <c>--evaluation</c> the calibration text and the evaluation text are two files; without, the text is cut in two halves, the first to calibrate on and the second to measure on.
/// </summary>
internal static class QualityComparison
{
    private const int Context = 512, DefaultCalibrationTokens = 16384, DefaultEvaluationTokens = 4096;
    private const string Documents = "<|endoftext|>";

    public static void Run(Options options)
    {
        string path = options.Model ?? throw new ArgumentException("quality needs --model and --text."), text = options.Text ?? throw new ArgumentException("quality needs --model and --text.");
        using LanguageModel dense = LanguageModel.Load(path);
        (IReadOnlyList<int[]> calibration, IReadOnlyList<int[]> evaluation) = Windows(dense, text, options);
        Console.WriteLine($"{Path.GetFileName(Path.TrimEndingDirectorySeparator(path))}: calibrated on {calibration.Sum(window => window.Length)} tokens, measured on {evaluation.Sum(window => window.Length)} others.");
        DirectoryInfo work = Directory.CreateTempSubdirectory("tensorcompress-quality-");
        try
        {
            EvaluationResult baseline = Evaluator.Evaluate(dense, evaluation);
            var rows = new List<Row>();
            foreach (Candidate candidate in Candidates(options))
            {
                string output = Path.Combine(work.FullName, rows.Count.ToString(CultureInfo.InvariantCulture));
                rows.Add(Measure(path, output, candidate, calibration, evaluation, dense));
                Console.Error.WriteLine(rows[^1].Format(null));
            }

            double[][] errors = OutputErrors(path, dense, evaluation, rows);
            Console.WriteLine("| share | method | stored | parameters | bytes | bits per weight | output error | perplexity | KL, nats | top-1 agreement | seconds |");
            Console.WriteLine("|---|---|---|---|---|---|---|---|---|---|---|");
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| | dense | | 100 % | {dense.StoredBytes} | {dense.BitsPerWeight:F2} | | {baseline.Perplexity:G5} | | | |"));
            for (int i = 0; i < rows.Count; i++) Console.WriteLine(rows[i].Format(errors[i]));
            Ratios(rows, errors);
        }
        finally
        {
            work.Delete(recursive: true);
        }
    }

    private static (IReadOnlyList<int[]> Calibration, IReadOnlyList<int[]> Evaluation) Windows(LanguageModel model, string text, Options options)
    {
        int context = Math.Min(Context, model.Definition.ContextLength);
        int calibrationTokens = options.Tokens ?? DefaultCalibrationTokens, evaluationTokens = options.EvaluationTokens ?? DefaultEvaluationTokens;
        string content = File.ReadAllText(text);
        if (options.Evaluation is { } other)
        {
            return (
                EvaluationWindows.FromText(model.Tokenizer!, content, context, calibrationTokens),
                EvaluationWindows.FromText(model.Tokenizer!, File.ReadAllText(other), context, evaluationTokens));
        }

        // A half begins in the middle of a document: that one is left out.
        int half = content.Length / 2;
        return (Half(content[..half], calibrationTokens), Half(content[half..], evaluationTokens));

        int[][] Half(string part, int tokens)
        {
            IReadOnlyList<int[]> all = EvaluationWindows.FromDocuments(model.Tokenizer!, part, Documents, context, skip: 1);
            int sum = 0;
            return [.. all.TakeWhile(window => (sum += window.Length) <= tokens)];
        }
    }

    private static IEnumerable<Candidate> Candidates(Options options)
    {
        foreach (int bits in (int[])[8, 4]) yield return new Candidate(null, "scalar", "round to nearest", new() { ["bits"] = Text(bits), ["group"] = "64" }, Prefix.None);
        yield return new Candidate(null, "scalar", "error feedback", new() { ["bits"] = "4", ["group"] = "64" }, Prefix.Compressed);
        foreach (int percent in options.Sizes ?? [50, 25])
        {
            string share = Text(percent / 100.0);
            foreach ((string method, string label, string fit, Prefix prefix) in Methods)
            {
                if (options.Methods is { } chosen && !chosen.Contains(label)) continue;
                var values = new Dictionary<string, string> { ["share"] = share };
                if (fit.Length > 0) values.Add("fit", fit);
                yield return new Candidate(percent, method, label, values, prefix);
            }
        }

        static string Text(double value) => value.ToString(CultureInfo.InvariantCulture);
    }

    /// <summary>The methods; the ones that are calibrated see the inputs of the dense model, so that their output errors are of one metric, and the best of them also what compressed layers give.</summary>
    private static readonly (string Method, string Label, string Fit, Prefix Prefix)[] Methods =
    [
        ("lowrank", "low rank", "", Prefix.None),
        ("lowrank", "whitened low rank", "", Prefix.Dense),
        ("lowrank", "whitened low rank, compressed prefix", "", Prefix.Compressed),
        ("mpo", "TT-SVD MPO", "weights", Prefix.None),
        ("mpo", "ALS MPO", "alternating", Prefix.Dense),
        ("mpo", "ALS MPO, compressed prefix", "alternating", Prefix.Compressed),
        ("btt", "BTT", "", Prefix.None),
        ("btt", "whitened BTT", "", Prefix.Dense),
    ];

    private static Row Measure(
        string path, string output, Candidate candidate, IReadOnlyList<int[]> calibration, IReadOnlyList<int[]> evaluation, LanguageModel dense)
    {
        var job = new CompressionJobOptions
        {
            Recipe = CompressionRecipes.ForBlocks(dense.Definition, CompressionMethods.Get(candidate.Method).ParseOptions(candidate.Values)),
            Calibration = candidate.Prefix == Prefix.None ? null : new CalibrationOptions { Windows = calibration, CompressedPrefix = candidate.Prefix == Prefix.Compressed },
        };
        CompressionReport report = ModelCompressor.Compress(path, output, job);
        using LanguageModel model = LanguageModel.Load(output);
        return new Row(candidate, output, report, Evaluator.Evaluate(model, evaluation, dense));
    }

    /// <summary>Output errors of all layers of all rows on the evaluation tokens of the dense model: neither method has seen them.</summary>
    private static double[][] OutputErrors(string path, LanguageModel dense, IReadOnlyList<int[]> evaluation, List<Row> rows)
    {
        using ModelCheckpoint source = ModelCheckpoint.Open(path);
        ModelCheckpoint[] compressed = [.. rows.Select(row => ModelCheckpoint.Open(row.Folder))];
        var errors = rows.Select(row => row.Report.Layers.ToDictionary(layer => layer.Name, _ => 0.0)).ToArray();
        try
        {
            ModelCalibration.Collect(dense, evaluation, (layers, statistics) =>
            {
                foreach (string layer in layers.Where(layer => errors.Length > 0 && errors[0].ContainsKey(layer)))
                {
                    using var original = LayerExplanation.ReadDense(source, layer);
                    for (int i = 0; i < compressed.Length; i++)
                    {
                        using var approximate = LayerExplanation.ReadDense(compressed[i], layer);
                        errors[i][layer] = statistics.OutputError(original.View, approximate.View);
                    }
                }
            });
        }
        finally
        {
            foreach (ModelCheckpoint checkpoint in compressed) checkpoint.Dispose();
        }

        return [.. rows.Select((row, i) => row.Report.Layers.Select(layer => errors[i][layer.Name]).ToArray())];
    }

    /// <summary>Layer by layer, what the fit to the outputs gains over the fit to the weights.</summary>
    private static void Ratios(List<Row> rows, double[][] errors)
    {
        for (int i = 0; i < rows.Count; i++)
        {
            int plain = rows.FindIndex(row => row.Candidate.Share == rows[i].Candidate.Share && row.Candidate.Label == "TT-SVD MPO");
            if (rows[i].Candidate.Label != "ALS MPO" || plain < 0) continue;
            double[] ratios = [.. errors[i].Zip(errors[plain], (fitted, unfitted) => fitted / unfitted).Order()];
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"ALS over TT-SVD at {rows[i].Candidate.Share} %: output error of a layer {ratios[0]:F3} to {ratios[^1]:F3}, median {ratios[ratios.Length / 2]:F3}; KL {rows[i].Result.Kl!.Mean / rows[plain].Result.Kl!.Mean:F3}."));
        }
    }

    private sealed record Candidate(int? Share, string Method, string Label, Dictionary<string, string> Values, Prefix Prefix);

    /// <summary>What a layer is calibrated on.</summary>
    private enum Prefix
    {
        /// <summary>Nothing: the weights alone.</summary>
        None,

        /// <summary>The inputs of the dense model.</summary>
        Dense,

        /// <summary>What the compressed layers before it give.</summary>
        Compressed,
    }

    private sealed record Row(Candidate Candidate, string Folder, CompressionReport Report, EvaluationResult Result)
    {
        public string Format(double[]? errors)
        {
            string options = string.Join(' ', Candidate.Values.Where(value => value.Key != "share").Select(value => $"{value.Key} {value.Value}"));
            double dense = Report.Layers.Sum(layer => (double)layer.OutputDimension * layer.InputDimension), stored = Report.Layers.Sum(layer => layer.StoredBytes);
            string parameters = Candidate.Share is null ? "" : string.Create(CultureInfo.InvariantCulture, $"{stored / sizeof(float) / dense:P1}");
            string error = errors is null ? "" : errors.Average().ToString("F4", CultureInfo.InvariantCulture);
            return string.Create(CultureInfo.InvariantCulture,
                $"| {Candidate.Share} | {Candidate.Label} | {Candidate.Method} {options} | {parameters} | {Report.Size.StoredBytes} | {Report.Size.BitsPerWeight:F2} | {error} | {Result.Perplexity:G5} | {Result.Kl!.Mean:F4} | {Result.TopAgreement:F3} | {Report.Elapsed.TotalSeconds:F0} |");
        }
    }
}
