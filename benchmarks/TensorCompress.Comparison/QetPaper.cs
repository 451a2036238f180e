using System.Globalization;
using TensorCompress.Compression.Qet;
using TensorCompress.Inference;
using TensorCompress.Models;
using TensorCompress.Tensors;

namespace TensorCompress.Comparison;

/// <summary>
/// The claim of arXiv 2407.03637, that element swaps have a small part of the error of the best of product quantisation, optimised and locally optimised, measured again on weights of <c>--model</c> and on keys and
/// values that it makes of <c>--text</c>; and what each part of the method does. <c>--tokens</c> are the rows of keys and values; <c>--layers</c> one of weights, keys and values alone.
/// </summary>
internal static class QetPaper
{
    private const int DefaultTokens = 1024, PaperWidth = 32;

    /// <summary>The blocks whose keys and values are taken.</summary>
    private static readonly int[] CacheBlocks = [5, 20];

    private static readonly string[] Weights = ["model.layers.10.self_attn.q_proj", "model.layers.10.mlp.up_proj"];

    private static readonly int[] TunedWidths = [2, 4, 8, 16, PaperWidth], WideAlone = [PaperWidth];

    /// <summary>Column groups as wide as the paper's (4 of 128 columns) or chosen for each method, and how the rivals' numbers are stored.</summary>
    private static readonly (string Name, int[] Widths, RivalPrecision Precision)[] Settings =
    [
        ("groups of 32, rivals' codebooks and rotations as floats", WideAlone, RivalPrecision.Floats),
        ("groups of 32, rivals' codebooks rounded too, rotations not counted", WideAlone, RivalPrecision.WithoutRotations),
        ("best width for each, codebooks rounded, rotations of 16 bits", TunedWidths, RivalPrecision.Rounded),
        ("best width for each, codebooks rounded, rotations not counted", TunedWidths, RivalPrecision.WithoutRotations),
    ];

    private static readonly string[] Rivals = ["PQ", "OPQ", "LOPQ"];

    public static void Run(Options options)
    {
        string model = options.Model ?? throw new ArgumentException("qet-paper needs --model and --text."), text = options.Text ?? throw new ArgumentException("qet-paper needs --model and --text.");
        using CapturedCache cache = CapturedCache.Of(model, text, options.Tokens ?? DefaultTokens);
        using ModelCheckpoint checkpoint = ModelCheckpoint.Open(model);
        Matrix<float>[] weights = [.. Weights.Select(name => LayerExplanation.ReadDense(checkpoint, name))];
        (string Name, string Printed, MatrixView<float>[] Matrices)[] kinds =
        [
            ("weights", "5.05", [.. weights.Select(matrix => matrix.View)]),
            ("keys", "13.33", [.. CacheBlocks.Select(cache.Keys)]),
            ("values", "11.89", [.. CacheBlocks.Select(cache.Values)]),
        ];
        kinds = [.. kinds.Where(kind => options.Layers is null || kind.Name == options.Layers)];
        foreach ((string name, _, MatrixView<float>[] matrices) in kinds) Console.WriteLine($"{name}: {string.Join(", ", matrices.Select(matrix => $"{matrix.Rows} x {matrix.Columns}"))}");
        string[] rates = [.. options.Formats ?? ["2", "3", "4"]];
        Compare(kinds, rates);
        Ablate(kinds, 3);
        foreach (Matrix<float> matrix in weights) matrix.Dispose();
    }

    private static void Compare((string Name, string Printed, MatrixView<float>[] Matrices)[] kinds, string[] rates)
    {
        Console.WriteLine("\n## Element swaps beside product quantisation at equal bytes\n");
        Console.WriteLine("Squared and absolute errors over those of zeros, means over the matrices; \"-\": does not fit the bytes.\n");
        Console.WriteLine("| setting | of | bits | PQ | OPQ | LOPQ | QET | squared error of the best rival, % | absolute error, % | printed, % |");
        Console.WriteLine("|---|---|---|---|---|---|---|---|---|---|");
        foreach ((string setting, int[] widths, RivalPrecision precision) in Settings)
        {
            foreach ((string kind, string printed, MatrixView<float>[] matrices) in kinds)
            {
                foreach (string rate in rates)
                {
                    double bits = double.Parse(rate, CultureInfo.InvariantCulture);
                    Errors?[] rivals = [.. Rivals.Select(rival => Mean(matrices, widths, (values, groups) => Rival(rival, values, bits, groups, precision)))];
                    Errors? swaps = Mean(matrices, widths, (values, groups) => QetQuantizers.Encode(values, bits, QetOptions.PaperDefault(groups)));
                    Errors? best = rivals.OfType<Errors>().MinBy(errors => errors.Squared);
                    string squared = swaps is null || best is null ? "-" : Percent(swaps.Squared / best.Squared), absolute = swaps is null || best is null ? "-" : Percent(swaps.Absolute / best.Absolute);
                    Console.WriteLine($"| {setting} | {kind} | {rate} | {string.Join(" | ", rivals.Append(swaps).Select(Show))} | {squared} | {absolute} | {printed} |");
                }
            }
        }
    }

    private static void Ablate((string Name, string Printed, MatrixView<float>[] Matrices)[] kinds, double bits)
    {
        Console.WriteLine($"\n## What each part does, at {bits} bits\n\nSquared errors, groups of 32 / of the best width.\n");
        Console.WriteLine($"| swap layers | residual stage | codebooks | {string.Join(" | ", kinds.Select(kind => kind.Name))} |");
        Console.WriteLine("|---|---|---|---|---|---|");
        foreach (bool isRounded in (bool[])[false, true])
        {
            foreach (bool hasResidual in (bool[])[false, true])
            {
                for (int layers = 0; layers <= 3; layers++)
                {
                    QetStageOptions[] stages = hasResidual ? [new QetStageOptions(layers, 0.7), new QetStageOptions(0, 0.3)] : [new QetStageOptions(layers, 1)];
                    QuantizedMatrix? Encode(MatrixView<float> values, int groups) => QetQuantizers.Encode(values, bits, new QetOptions(groups, stages, isRounded ? 10 : QetOptions.FloatBits));
                    IEnumerable<string> errors = kinds.Select(kind => $"{Show(Mean(kind.Matrices, WideAlone, Encode))} / {Show(Mean(kind.Matrices, TunedWidths, Encode))}");
                    Console.WriteLine($"| {layers} | {(hasResidual ? "yes" : "no")} | {(isRounded ? "10 bits" : "floats")} | {string.Join(" | ", errors)} |");
                }
            }
        }
    }

    private static QuantizedMatrix? Rival(string name, MatrixView<float> values, double bits, int groups, RivalPrecision precision) => name switch
    {
        "PQ" => RivalQuantizers.Product(values, bits, groups, precision),
        "OPQ" => RivalQuantizers.OptimizedProduct(values, bits, groups, precision),
        _ => RivalQuantizers.LocallyOptimizedProduct(values, bits, groups, 2, precision),
    };

    /// <summary>Mean errors over matrices, each with the width that errs least; null where one of them does not fit.</summary>
    private static Errors? Mean(MatrixView<float>[] matrices, int[] widths, Func<MatrixView<float>, int, QuantizedMatrix?> run)
    {
        (double squared, double absolute) = (0, 0);
        foreach (MatrixView<float> values in matrices)
        {
            using QuantizedMatrix? made = QetQuantizers.Best(values, 0, [.. widths.Where(width => values.Columns % width == 0).Select(width => (int)values.Columns / width)], (matrix, _, groups) => run(matrix, groups));
            if (made is null) return null;
            squared += made.NormalizedSquaredError(values) / matrices.Length;
            absolute += made.NormalizedAbsoluteError(values) / matrices.Length;
        }

        return new Errors(squared, absolute);
    }

    private static string Show(Errors? errors) => errors?.Squared.ToString("F4", CultureInfo.InvariantCulture) ?? "-";

    private static string Percent(double ratio) => (100 * ratio).ToString("F1", CultureInfo.InvariantCulture);

    private sealed record Errors(double Squared, double Absolute);
}
