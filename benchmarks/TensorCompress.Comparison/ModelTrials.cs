using System.Globalization;
using TensorCompress.Calibration;
using TensorCompress.Compression;
using TensorCompress.Compression.Mpo;
using TensorCompress.Evaluation;
using TensorCompress.Inference;
using TensorCompress.Models;
using TensorCompress.Pipeline;
using TensorCompress.Tensors;

namespace TensorCompress.Comparison;

/// <summary>
/// Single questions asked of whole models: how far layers should go towards the dense model's outputs, how far fits of operators are from their best, what an order of neurons is worth. Texts
/// and tokens as in <see cref="QualityComparison"/>; <c>--sizes</c> are shares in thousandths.
/// </summary>
internal static class ModelTrials
{
    private const double Wanted = 0.75;

    private static readonly bool[] Orders = [false, true];

    /// <summary>Divergence by the part of the way that layers go to what the dense model has in their place. <c>--methods</c> are methods with their options, <c>--sizes</c> thousandths of the way.</summary>
    public static void RunTarget(Options options)
    {
        using var trial = new Trial("target", options);
        int[] parts = [.. options.Sizes ?? [500, 750, 1000]];
        Console.WriteLine("| method | dense inputs | the weights | " + string.Join(" | ", parts.Select(part => $"{part / 10.0} % of the way")) + " |");
        Console.WriteLine("|---|---|---|" + string.Concat(Enumerable.Repeat("---|", parts.Length)));
        foreach (string method in options.Methods ?? ["lowrank:share=0.5", "scalar:bits=2:group=32"])
        {
            CompressionRecipe recipe = CompressionRecipes.ForBlocks(trial.Dense.Definition, CompressionMethods.ParseOptions(method));
            Console.Write($"| {method} |");
            CalibrationOptions windows = new() { Windows = trial.Calibration }, weights = windows with { Target = CalibrationTarget.Weights };
            foreach (CalibrationOptions aim in (CalibrationOptions[])[weights with { CompressedPrefix = false }, weights, .. parts.Select(part => windows with { TargetShare = part / 1000.0 })])
                Console.Write(string.Create(CultureInfo.InvariantCulture, $" {trial.Measure(recipe, aim).Result.Kl!.Mean:F3} |"));
            Console.WriteLine();
        }
    }

    /// <summary>Output errors of two balanced sites over those of TT-SVD, on tokens that were not calibrated on; and where the fit is made to those tokens themselves, which no calibration can beat.</summary>
    public static void RunBound(Options options)
    {
        using var trial = new Trial("mpo-bound", options);
        using ModelCheckpoint checkpoint = ModelCheckpoint.Open(trial.Path);
        string calibration = trial.WriteStatistics(trial.Calibration, "calibration"), judged = trial.WriteStatistics(trial.Evaluation, "judged");
        using CalibrationFile known = CalibrationFile.Open(calibration), truth = CalibrationFile.Open(judged);
        Console.WriteLine($"| share, % | calibrated: range, median | layers above {Wanted} | fitted to the judged tokens: range, median | layers above {Wanted} |");
        Console.WriteLine("|---|---|---|---|---|");
        foreach (double share in trial.Shares)
        {
            var ratios = new List<(double Fit, double Bound)>();
            foreach (LinearDefinition linear in trial.Dense.Definition.Blocks.SelectMany(block => block.Linears))
            {
                using Matrix<float> weights = LayerExplanation.ReadDense(checkpoint, linear.Name);
                using LayerStatistics seen = known.Read(linear.Name)!, metric = truth.Read(linear.Name)!;
                MpoOptions fit = MpoOptions.WithShare(share) with { Fit = MpoFit.Alternating, Sweeps = options.Rounds ?? MpoOptions.DefaultSweeps };
                double plain = Error(weights, fit with { Fit = MpoFit.Weights }, null, metric);
                ratios.Add((Error(weights, fit, seen, metric) / plain, Error(weights, fit, metric, metric) / plain));
            }

            Console.WriteLine($"| {share * 100:G3} | {Summary(ratios.Select(ratio => ratio.Fit))} | {Summary(ratios.Select(ratio => ratio.Bound))} |");
        }
    }

    /// <summary>Gate, up and down as operators of equal parameters, in the source's order and in the one that the option finds.</summary>
    public static void RunNeuronOrder(Options options)
    {
        using var trial = new Trial("neuron-order", options);
        string statistics = trial.WriteStatistics(trial.Calibration, "calibration");
        Console.WriteLine("| share, % | fit | relative error | with order | output error | with order | KL | with order |");
        Console.WriteLine("|---|---|---|---|---|---|---|---|");
        foreach (double share in trial.Shares)
        {
            foreach (MpoFit fit in (MpoFit[])[MpoFit.Weights, MpoFit.Alternating, MpoFit.Automatic])
            {
                CalibrationOptions? calibration = fit == MpoFit.Weights ? null : new CalibrationOptions { StatisticsFile = statistics };
                (CompressionReport Report, EvaluationResult Result)[] both = [.. Orders.Select(isOrdered =>
                    trial.Measure(FeedForward(trial.Dense.Definition, MpoOptions.WithShare(share) with { Fit = fit, NeuronOrder = isOrdered }), calibration))];
                string Pair(Func<(CompressionReport Report, EvaluationResult Result), double?> value) => string.Join(" | ", both.Select(one => value(one)?.ToString("F4", CultureInfo.InvariantCulture)));
                Console.WriteLine(
                    $"| {share * 100:G3} | {fit} | {Pair(one => one.Report.Layers.Average(layer => layer.RelativeError))} | {Pair(one => one.Report.Layers.Average(layer => layer.OutputError))} | {Pair(one => one.Result.Kl!.Mean)} |");
            }
        }
    }

    private static CompressionRecipe FeedForward(ModelDefinition definition, MethodOptions options) => new(
        [.. definition.Blocks.SelectMany(block => new[] { block.FeedForward.Gate, block.FeedForward.Up, block.FeedForward.Down }).OfType<LinearDefinition>().Select(linear => new RecipeRule(linear.Name, options))]);

    private static double Error(Matrix<float> weights, MpoOptions fit, LayerStatistics? seen, LayerStatistics metric)
    {
        using MatrixProductOperator chain = MpoFactorizer.Factorize(weights.View, fit, statistics: seen);
        using var dense = new Matrix<float>(weights.Rows, weights.Columns);
        chain.ToDense(dense.View);
        return metric.OutputError(weights.View, dense.View);
    }

    private static string Summary(IEnumerable<double> ratios)
    {
        double[] sorted = [.. ratios.Order()];
        return string.Create(CultureInfo.InvariantCulture, $"{sorted[0]:F3} to {sorted[^1]:F3}, {sorted[sorted.Length / 2]:F3} | {sorted.Count(ratio => ratio > Wanted)} of {sorted.Length}");
    }

    /// <summary>A model, its windows, and a folder that goes with it.</summary>
    private sealed class Trial : IDisposable
    {
        private readonly DirectoryInfo _work = Directory.CreateTempSubdirectory("tensorcompress-trial-");
        private int _outputs;

        public Trial(string verb, Options options)
        {
            Path = options.Model ?? throw new ArgumentException($"{verb} needs --model and --text.");
            Dense = LanguageModel.Load(Path);
            (Calibration, Evaluation) = QualityComparison.Windows(Dense, options.Text ?? throw new ArgumentException($"{verb} needs --model and --text."), options);
            Shares = [.. (options.Sizes ?? [500, 250, 125]).Select(thousandths => thousandths / 1000.0)];
            Console.WriteLine($"{System.IO.Path.GetFileName(System.IO.Path.TrimEndingDirectorySeparator(Path))}: calibrated on {Calibration.Sum(window => window.Length)} tokens, measured on {Evaluation.Sum(window => window.Length)} others.");
        }

        public string Path { get; }

        public LanguageModel Dense { get; }

        public IReadOnlyList<int[]> Calibration { get; }

        public IReadOnlyList<int[]> Evaluation { get; }

        public IReadOnlyList<double> Shares { get; }

        public (CompressionReport Report, EvaluationResult Result) Measure(CompressionRecipe recipe, CalibrationOptions? calibration) =>
            QualityComparison.Measure(Path, System.IO.Path.Combine(_work.FullName, (_outputs++).ToString(CultureInfo.InvariantCulture)), recipe, calibration, Evaluation, Dense);

        public string WriteStatistics(IReadOnlyList<int[]> windows, string name)
        {
            string file = System.IO.Path.Combine(_work.FullName, name + ".safetensors");
            using ModelCheckpoint checkpoint = ModelCheckpoint.Open(Path);
            CalibrationFile.Write(file, Dense, checkpoint.ComputeHash(), windows);
            return file;
        }

        public void Dispose()
        {
            Dense.Dispose();
            _work.Delete(recursive: true);
        }
    }
}
