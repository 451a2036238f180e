using System.Diagnostics;
using System.Globalization;
using TensorCompress.Compression;
using TensorCompress.Compression.Sum;
using TensorCompress.Evaluation;
using TensorCompress.Inference;
using TensorCompress.Models;
using TensorCompress.Tensors;

namespace TensorCompress.Comparison;

/// <summary>
/// Output errors of real layers by any methods: fitted to the first half of a text's windows, measured on both halves. A method stands there as <c>scalar:bits=3</c>, a sum as its terms joined
/// by +, with <c>#N</c> behind it for outlier columns.
/// </summary>
internal static class RivalsComparison
{
    private const string Usage = "rivals needs --model, --text and --methods, for instance lowrank:share=0.5,scalar:bits=2#8.";

    public static void Run(Options options)
    {
        string text = options.Text ?? throw new ArgumentException(Usage), path = options.Model ?? throw new ArgumentException(Usage);
        (string Text, MethodOptions Options)[] methods = [.. (options.Methods ?? throw new ArgumentException(Usage)).Select(method => (method, Parse(method)))];
        using ModelCheckpoint checkpoint = ModelCheckpoint.Open(path);
        using LanguageModel model = LanguageModel.Load(path);
        using var statistics = new HalvedStatistics(model, text, options.Rounds ?? 8, options.Sizes ?? [1, 10, 29]);
        Console.WriteLine($"{Path.GetFileName(path)}, {statistics.Windows} windows of 512 of {Path.GetFileName(text)}, fitted to the first half of them");
        Console.WriteLine("| layer | shape | method | bits per weight | weight error | output error, first half | second half | s |");
        Console.WriteLine("|---|---|---|---|---|---|---|---|");
        var totals = methods.ToDictionary(method => method.Text, _ => (Bits: 0.0, First: 0.0, Second: 0.0));
        string[] layers = [.. statistics.Layers.Where(name => name.Contains(options.Layers ?? "", StringComparison.Ordinal))];
        foreach (string layer in layers)
        {
            using Matrix<float> weights = LayerExplanation.ReadDense(checkpoint, layer);
            AttentionHeads? heads = checkpoint.Definition.HeadsOf(checkpoint.Definition.Linears.First(linear => linear.Name == layer));
            foreach ((string name, MethodOptions method) in methods)
            {
                long start = Stopwatch.GetTimestamp();
                using CompressedWeight weight = method.Method.Compress(weights.View, method, new CompressionContext { Statistics = statistics.First(layer), Heads = heads });
                double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
                using Matrix<float> dense = weight.ToDense();
                double first = statistics.First(layer).OutputError(weights.View, dense.View), second = statistics.Second(layer).OutputError(weights.View, dense.View);
                (double Bits, double First, double Second) total = totals[name];
                totals[name] = (total.Bits + weight.BitsPerWeight, total.First + Math.Log(first), total.Second + Math.Log(second));
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"| {layer} | {weights.Rows} x {weights.Columns} | {name} | {weight.BitsPerWeight:F3} | {WeightError(weights, dense):F4} | {first:F4} | {second:F4} | {seconds:F2} |"));
            }
        }

        Console.WriteLine("\n| method | mean bits per weight | geometric mean of output errors, first half | second half |\n|---|---|---|---|");
        int count = layers.Length;
        foreach ((string name, (double bits, double first, double second)) in totals)
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {name} | {bits / count:F3} | {Math.Exp(first / count):F4} | {Math.Exp(second / count):F4} |"));
    }

    private static MethodOptions Parse(string text)
    {
        string[] parts = text.Split('#');
        MethodOptions[] terms = [.. parts[0].Split('+').Select(CompressionMethods.ParseOptions)];
        int columns = parts.Length > 1 ? int.Parse(parts[1], CultureInfo.InvariantCulture) : 0;
        return terms.Length == 1 && columns == 0 ? terms[0] : new SumOptions(terms, columns);
    }

    private static double WeightError(Matrix<float> weights, Matrix<float> dense)
    {
        double error = 0, norm = 0;
        for (nint row = 0; row < weights.Rows; row++)
        {
            for (nint i = 0; i < weights.Columns; i++)
            {
                double difference = (double)weights[row, i] - dense[row, i];
                error += difference * difference;
                norm += (double)weights[row, i] * weights[row, i];
            }
        }

        return Math.Sqrt(error / norm);
    }
}

/// <summary>Second moments of the inputs of some blocks' layers over two halves of a text.</summary>
internal sealed class HalvedStatistics : IDisposable
{
    private readonly Dictionary<string, LayerStatistics>[] _halves = [[], []];

    public HalvedStatistics(LanguageModel model, string text, int windows, IReadOnlyList<int> blocks)
    {
        if (model.Tokenizer is null) throw new ArgumentException("The model has no tokenizer.");
        int width = Math.Min(512, model.Definition.ContextLength);
        int[][] cut = [.. EvaluationWindows.FromText(model.Tokenizer, File.ReadAllText(text), width, windows * width)];
        Windows = cut.Length;
        Collect(model, cut[..(cut.Length / 2)], blocks, _halves[0]);
        Collect(model, cut[(cut.Length / 2)..], blocks, _halves[1]);
    }

    public int Windows { get; }

    public IReadOnlyCollection<string> Layers => _halves[0].Keys;

    public LayerStatistics First(string layer) => _halves[0][layer];

    public LayerStatistics Second(string layer) => _halves[1][layer];

    public void Dispose()
    {
        foreach (LayerStatistics statistics in _halves.SelectMany(half => half.Values)) statistics.Dispose();
    }

    private static void Collect(LanguageModel model, int[][] windows, IReadOnlyList<int> blocks, Dictionary<string, LayerStatistics> half) =>
        CalibratedBlocks.Collect(model, windows, blocks, (layer, statistics) =>
        {
            var moment = new Matrix<double>(statistics.Dimension, statistics.Dimension);
            statistics.SecondMoment.CopyTo(moment.View);
            half.Add(layer, new LayerStatistics(moment, statistics.TokenCount));
        });
}
