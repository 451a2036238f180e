using System.Globalization;
using TensorCompress.Calibration;
using TensorCompress.Compression;
using TensorCompress.Evaluation;
using TensorCompress.Inference;
using TensorCompress.Layers;
using TensorCompress.Models;
using TensorCompress.Pipeline;
using TensorCompress.Tensors;

namespace TensorCompress.Comparison;

/// <summary>
/// Every method at equal shares of the parameters of all linear layers of the blocks, beside dense and integers of 8 and 4 bits: stored bytes, output error, perplexity and divergence.
/// With <c>--evaluation</c> the calibration text and the evaluation text are two files; without, the text is cut in two halves, the first to calibrate on and the second to measure on.
/// </summary>
internal static class QualityComparison
{
    private const int Context = 512, DefaultCalibrationTokens = 16384, DefaultEvaluationTokens = 4096;
    private const string Documents = "<|endoftext|>";

    /// <summary>Methods of few parameters; <c>--sizes</c> are shares in thousandths.</summary>
    public static void Run(Options options) => Run(options, "share, %", Candidates(options));

    /// <summary>Methods of few bits; <c>--sizes</c> are stored bits per weight. A method that has no such rate appears at its nearest one.</summary>
    public static void RunAtBits(Options options) => Run(options, "bits", CandidatesAtBits(options));

    private static void Run(Options options, string budget, IEnumerable<Candidate> candidates)
    {
        string path = options.Model ?? throw new ArgumentException("quality needs --model and --text."), text = options.Text ?? throw new ArgumentException("quality needs --model and --text.");
        using LanguageModel dense = LanguageModel.Load(path);
        (IReadOnlyList<int[]> calibration, IReadOnlyList<int[]> evaluation) = Windows(dense, text, options);
        Console.WriteLine($"{Path.GetFileName(Path.TrimEndingDirectorySeparator(path))}: calibrated on {calibration.Sum(window => window.Length)} tokens, measured on {evaluation.Sum(window => window.Length)} others.");
        DirectoryInfo work = Directory.CreateTempSubdirectory("tensorcompress-quality-");
        try
        {
            EvaluationResult baseline = Evaluator.Evaluate(dense, evaluation);
            string statistics = Path.Combine(work.FullName, "statistics.safetensors"), judged = Path.Combine(work.FullName, "judged.safetensors");
            using (ModelCheckpoint checkpoint = ModelCheckpoint.Open(path))
            {
                CalibrationFile.Write(statistics, dense, checkpoint.ComputeHash(), calibration);
                CalibrationFile.Write(judged, dense, checkpoint.ComputeHash(), evaluation);
            }

            Console.WriteLine($"| {budget} | method | stored | parameters | bytes | bits per weight | output error | perplexity | KL, nats | top-1 agreement | seconds |");
            Console.WriteLine("|---|---|---|---|---|---|---|---|---|---|---|");
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| | dense | | 100 % | {dense.StoredBytes} | {dense.BitsPerWeight:F2} | | {baseline.Perplexity:G5} | | | |"));
            var rows = new List<Row>();
            var unreachable = new List<string>();
            foreach (Candidate candidate in candidates)
            {
                string output = Path.Combine(work.FullName, "compressed");
                try
                {
                    rows.Add(Measure(path, output, judged, candidate, CalibrationOf(candidate.Target, statistics, calibration), evaluation, dense));
                }
                catch (ArgumentException fault)
                {
                    unreachable.Add($"{candidate.Label} at {candidate.Budget}: {fault.Message}"); // a budget that a method does not reach
                    continue;
                }

                Console.WriteLine(rows[^1].Format());
                Console.Out.Flush();
                Directory.Delete(output, recursive: true);
            }

            foreach (string line in unreachable) Console.WriteLine(line);
            Ratios(rows);
        }
        finally
        {
            work.Delete(recursive: true);
        }
    }

    /// <summary>Windows to calibrate on and windows to measure on.</summary>
    internal static (IReadOnlyList<int[]> Calibration, IReadOnlyList<int[]> Evaluation) Windows(LanguageModel model, string text, Options options)
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
        if (IsChosen("round to nearest"))
        {
            foreach (int bits in (int[])[8, 4]) yield return new Candidate(null, "scalar", "round to nearest", new() { ["bits"] = Text(bits), ["group"] = "64" }, Target.None);
        }

        if (IsChosen("error feedback")) yield return new Candidate(null, "scalar", "error feedback", new() { ["bits"] = "4", ["group"] = "64" }, Target.Outputs);
        foreach (int thousandths in options.Sizes ?? [500, 250, 125])
        {
            string share = Text(thousandths / 1000.0);
            foreach ((string method, string label, string values, Target target) in Methods)
            {
                if (!IsChosen(label)) continue;
                string text = values.Replace("SHARE", share, StringComparison.Ordinal).Replace("HALF", Text(thousandths / 2000.0), StringComparison.Ordinal);
                yield return new Candidate(thousandths / 10.0, method, label, text.Split(' ').Select(pair => pair.Split('=', 2)).ToDictionary(pair => pair[0], pair => pair[1]), target);
            }
        }

        bool IsChosen(string label) => options.Methods is not { } chosen || chosen.Contains(label);
        static string Text(double value) => value.ToString(CultureInfo.InvariantCulture);
    }

    private static IEnumerable<Candidate> CandidatesAtBits(Options options)
    {
        foreach (int bits in options.Sizes ?? [2, 3, 4])
        {
            foreach ((string method, string label, string values, Target target) in MethodsOfBits)
            {
                if (options.Methods is { } chosen && !chosen.Contains(label.Replace(",", "", StringComparison.Ordinal))) continue; // the list stands between commas
                string text = values.Replace("BITS", bits.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal)
                    .Replace("STORED", (bits + (16 + bits) / 64.0).ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal)
                    .Replace("SHARE", (bits / (values.Contains("int8", StringComparison.Ordinal) ? 8.25 : 16)).ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal);
                yield return new Candidate(bits, method, label, text.Split(' ').Select(pair => pair.Split('=', 2)).ToDictionary(pair => pair[0], pair => pair[1]), target);
            }
        }
    }

    /// <summary>Signs, and what else can be stored in as many bits; cores of 8 bits take 8.25 with their scales.</summary>
    private static readonly (string Method, string Label, string Values, Target Target)[] MethodsOfBits =
    [
        ("dbf", "DBF", "bits=BITS", Target.None),
        ("dbf", "DBF, diagonal", "bits=BITS diagonal-share=1", Target.Dense),
        ("dbf", "DBF, mixed covariance", "bits=BITS", Target.Dense),
        ("dbf", "DBF, diagonal, to dense outputs", "bits=BITS diagonal-share=1", Target.Outputs),
        ("dbf", "DBF, mixed covariance, to dense outputs", "bits=BITS", Target.Outputs),
        ("scalar", "round to nearest", "bits=BITS group=64", Target.None),
        ("scalar", "error feedback to dense outputs", "bits=BITS group=64", Target.Outputs),
        ("mpo", "MPO of 16-bit cores to dense outputs", "share=SHARE cores=f16", Target.Outputs),
        ("mpo", "MPO of 8-bit cores to dense outputs", "share=SHARE cores=int8", Target.Outputs),
        ("qet", "QET of universal codebooks to dense outputs", "bits=BITS", Target.Outputs),
        ("qet", "QET of as many stored bits as scalars to dense outputs", "bits=STORED", Target.Outputs),
        ("qet", "QET of universal codebooks", "bits=BITS form=universal", Target.None),
        ("qet", "planned QET", "bits=BITS form=fitted", Target.None),
        ("qet", "planned QET to dense outputs", "bits=BITS form=fitted", Target.Outputs),
        ("qet", "QET as published", "bits=BITS subspaces=4 layers=3,0", Target.None),
        ("qet", "QET as published with two swap layers", "bits=BITS subspaces=4 layers=2,0", Target.None),
    ];

    /// <summary>The methods; the ones that are calibrated see the inputs of the dense model, so that their output errors are of one metric, and the best of them also what compressed layers give, aiming at the dense outputs.</summary>
    private static readonly (string Method, string Label, string Values, Target Target)[] Methods =
    [
        ("lowrank", "low rank", "share=SHARE", Target.None),
        ("lowrank", "whitened low rank", "share=SHARE", Target.Dense),
        ("lowrank", "whitened low rank after compressed layers", "share=SHARE", Target.Compressed),
        ("lowrank", "whitened low rank to dense outputs", "share=SHARE", Target.Outputs),
        ("mpo", "TT-SVD MPO", "share=SHARE fit=weights", Target.None),
        ("mpo", "ALS MPO", "share=SHARE fit=alternating", Target.Dense),
        ("mpo", "ALS MPO of chosen splits", "share=SHARE", Target.Dense),
        ("mpo", "ALS MPO to dense outputs", "share=SHARE fit=alternating", Target.Outputs),
        ("mpo", "ALS MPO of chosen splits to dense outputs", "share=SHARE", Target.Outputs),
        ("btt", "BTT", "share=SHARE", Target.None),
        ("btt", "whitened BTT", "share=SHARE", Target.Dense),
        ("btt", "whitened BTT to dense outputs", "share=SHARE", Target.Outputs),
        ("tucker", "Tucker", "share=SHARE", Target.Dense),
        ("sum", "MPO + low rank", "terms=mpo:share=HALF+lowrank:share=HALF", Target.Dense),
    ];

    private static Row Measure(
        string path, string output, string judged, Candidate candidate, CalibrationOptions? calibration, IReadOnlyList<int[]> evaluation, LanguageModel dense)
    {
        CompressionRecipe recipe = CompressionRecipes.ForBlocks(dense.Definition, CompressionMethods.Get(candidate.Method).ParseOptions(candidate.Values));
        (CompressionReport report, EvaluationResult result) = Measure(path, output, recipe, calibration, evaluation, dense);
        return new Row(candidate, report, result, OutputErrors(path, output, judged, report));
    }

    /// <summary>Compresses a model into a folder and measures it.</summary>
    internal static (CompressionReport Report, EvaluationResult Result) Measure(
        string path, string output, CompressionRecipe recipe, CalibrationOptions? calibration, IReadOnlyList<int[]> evaluation, LanguageModel dense)
    {
        CompressionReport report = ModelCompressor.Compress(path, output, new CompressionJobOptions { Recipe = recipe, Calibration = calibration });
        using LanguageModel model = LanguageModel.Load(output, new LanguageModelOptions { Runtime = new RuntimeOptions { Plan = RuntimePlan.Fastest } });
        return (report, Evaluator.Evaluate(model, evaluation, dense));
    }

    private static CalibrationOptions? CalibrationOf(Target target, string statistics, IReadOnlyList<int[]> windows) => target switch
    {
        Target.None => null,
        Target.Dense => new CalibrationOptions { StatisticsFile = statistics },
        Target.Compressed => new CalibrationOptions { Windows = windows, Target = CalibrationTarget.Weights },
        _ => new CalibrationOptions { Windows = windows, Target = CalibrationTarget.DenseOutputs },
    };

    /// <summary>Output errors of the layers on the evaluation tokens of the dense model, which no method has seen.</summary>
    private static double[] OutputErrors(string path, string output, string judged, CompressionReport report)
    {
        using ModelCheckpoint source = ModelCheckpoint.Open(path), compressed = ModelCheckpoint.Open(output);
        using CalibrationFile known = CalibrationFile.Open(judged);
        return [.. report.Layers.Select(layer =>
        {
            using LayerStatistics statistics = known.Read(layer.Name)!;
            using Matrix<float> original = LayerExplanation.ReadDense(source, layer.Name), approximate = LayerExplanation.ReadDense(compressed, layer.Name);
            return statistics.OutputError(original.View, approximate.View);
        })];
    }

    /// <summary>Layer by layer, what the fit to the outputs gains over the fit to the weights.</summary>
    private static void Ratios(List<Row> rows)
    {
        foreach (Row fitted in rows.Where(row => row.Candidate.Label == "ALS MPO"))
        {
            if (rows.Find(row => row.Candidate.Budget == fitted.Candidate.Budget && row.Candidate.Label == "TT-SVD MPO") is not { } plain) continue;
            double[] ratios = [.. fitted.OutputErrors.Zip(plain.OutputErrors, (ours, theirs) => ours / theirs).Order()];
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"ALS over TT-SVD at {fitted.Candidate.Budget} %: output error of a layer {ratios[0]:F3} to {ratios[^1]:F3}, median {ratios[ratios.Length / 2]:F3}; KL {fitted.Result.Kl!.Mean / plain.Result.Kl!.Mean:F3}."));
        }
    }

    private sealed record Candidate(double? Budget, string Method, string Label, Dictionary<string, string> Values, Target Target);

    /// <summary>What a layer is calibrated on, and what it aims at.</summary>
    private enum Target
    {
        /// <summary>Nothing: the weights alone.</summary>
        None,

        /// <summary>The inputs of the dense model.</summary>
        Dense,

        /// <summary>What the compressed layers before it give.</summary>
        Compressed,

        /// <summary>The same, aiming at what the dense model has in its place.</summary>
        Outputs,
    }

    private sealed record Row(Candidate Candidate, CompressionReport Report, EvaluationResult Result, double[] OutputErrors)
    {
        public string Format()
        {
            string options = string.Join(' ', Candidate.Values.Where(value => value.Key != "share").Select(value => $"{value.Key} {value.Value}"));
            double dense = Report.Layers.Sum(layer => (double)layer.OutputDimension * layer.InputDimension), stored = Report.Layers.Sum(layer => layer.StoredBytes);
            string parameters = Candidate.Budget is null ? "" : string.Create(CultureInfo.InvariantCulture, $"{stored / sizeof(float) / dense:P1}");
            return string.Create(CultureInfo.InvariantCulture,
                $"| {Candidate.Budget} | {Candidate.Label} | {Candidate.Method} {options} | {parameters} | {Report.Size.StoredBytes} | {Report.Size.BitsPerWeight:F2} | {OutputErrors.Average():F4} | {Result.Perplexity:G5} | {Result.Kl!.Mean:F4} | {Result.TopAgreement:F3} | {Report.Elapsed.TotalSeconds:F0} |");
        }
    }
}
