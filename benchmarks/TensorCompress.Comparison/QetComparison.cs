using System.Diagnostics;
using System.Globalization;
using TensorCompress.Compression;
using TensorCompress.Compression.Qet;
using TensorCompress.Storage;
using TensorCompress.Tensors;

namespace TensorCompress.Comparison;

/// <summary>
/// Element swaps beside product quantisation, rotated product quantisation and scalars at equal stored bits, each with its best number of groups: of seeded Gaussians, 4096 x 128, or with
/// <c>--model</c> of the matrices of a safetensors file whose names hold <c>--layers</c>. <c>--formats</c> are bits per element, <c>--sizes</c> numbers of groups, <c>--methods</c> rows of the table.
/// </summary>
internal static class QetComparison
{
    internal delegate QuantizedMatrix? Quantizer(MatrixView<float> values, double bitsPerElement, int groups);

    private static readonly (string Name, Quantizer Run)[] Grouped =
    [
        ("PQ", (values, bits, groups) => RivalQuantizers.Product(values, bits, groups)),
        ("OPQ", (values, bits, groups) => RivalQuantizers.OptimizedProduct(values, bits, groups)),
        ("LOPQ", (values, bits, groups) => RivalQuantizers.LocallyOptimizedProduct(values, bits, groups, 2)),
        ("QET as published", (values, bits, groups) => Encode(values, bits, "[3, 0]", QetOptions.PaperDefault(groups))),
        ("QET, one swap layer", (values, bits, groups) => Encode(values, bits, "[1, 0]", new QetOptions(groups, [new QetStageOptions(1, 0.7), new QetStageOptions(0, 0.3)]))),
        ("two stages, no swaps", (values, bits, groups) => Encode(values, bits, "[0, 0]", new QetOptions(groups, [new QetStageOptions(0, 0.7), new QetStageOptions(0, 0.3)]))),
    ];

    public static void Run(Options options)
    {
        Console.WriteLine("| matrix | bits | method | stored as | bits per element | squared error | absolute error | over Shannon's bound, bits | seconds |");
        Console.WriteLine("|---|---|---|---|---|---|---|---|---|");
        if (options.Model is not { } path)
        {
            using Matrix<float> gaussian = GaussianMatrix.Draw(4096, 128, 1);
            Report("Gaussian 4096 x 128", gaussian.View, options, isGaussian: true);
            return;
        }

        using SafetensorsFile file = SafetensorsFile.Open(path);
        foreach (TensorInfo tensor in file.Tensors.Values.Where(tensor => tensor.Shape.Count == 2 && tensor.Name.Contains(options.Layers ?? "", StringComparison.Ordinal)))
        {
            using var matrix = new Matrix<float>((nint)tensor.Shape[0], (nint)tensor.Shape[1]);
            for (nint row = 0; row < matrix.Rows; row++) file.ReadSingles(tensor.Name, row * matrix.Columns, matrix.Row(row));
            Report(tensor.Name, matrix.View, options, isGaussian: false);
        }
    }

    private static void Report(string name, MatrixView<float> values, Options options, bool isGaussian)
    {
        foreach (string format in options.Formats ?? ["2", "2.5", "3", "4"])
        {
            double bits = double.Parse(format, CultureInfo.InvariantCulture);
            foreach ((string method, Quantizer run) in Grouped) Row(method, () => Best(values, bits, options.Sizes ?? [4, 8, 16, 32, 64], run));
            Row("planned QET", () => Method(values, new QetMethodOptions(bits, QetForm.Fitted)));
            Row("universal QET", () => Method(values, new QetMethodOptions(bits, QetForm.Universal)));
            if (bits != Math.Floor(bits)) continue;
            Row("universal QET at one rate", () => Method(values, new QetMethodOptions(bits + 16.0 / values.Columns, QetForm.Universal))); // the scales beside the codes, as Lloyd-Max has them
            Row("group rounding", () => RivalQuantizers.RoundToNearest(values, (int)bits, 128));
            Row("Hadamard + Lloyd-Max", () => RivalQuantizers.LloydMax(values, (int)bits));
            if (bits == 2) Row("lattice", () => GoodCodes.E8Ball(values));
            if (bits == 2) Row("trellis", () => GoodCodes.Trellis(values));

            void Row(string method, Func<QuantizedMatrix?> run)
            {
                if (options.Methods is { } chosen && !chosen.Contains(method)) return;
                var clock = Stopwatch.StartNew();
                using QuantizedMatrix? made = run();
                if (made is null)
                {
                    Console.WriteLine($"| {name} | {format} | {method} | does not fit | | | | | |");
                    return;
                }

                double error = made.NormalizedSquaredError(values);
                string gap = isGaussian ? (made.BitsPerElement + Math.Log2(error) / 2).ToString("F3", CultureInfo.InvariantCulture) : "";
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"| {name} | {format} | {method} | {made.Method} | {made.BitsPerElement:F3} | {error:F4} | {made.NormalizedAbsoluteError(values):F4} | {gap} | {clock.Elapsed.TotalSeconds:F1} |"));
            }
        }
    }

    /// <summary>What the method of the library makes of a matrix; null where the bits do not suffice.</summary>
    internal static QuantizedMatrix? Method(MatrixView<float> values, QetMethodOptions options)
    {
        try
        {
            using CompressedWeight weight = options.Method.Compress(values, options, new CompressionContext());
            var decoded = new Matrix<float>(values.Rows, values.Columns);
            weight.ToDense(decoded.View);
            string[] told = ["swap layers", "column groups", "centroids", "rotated blocks", "rows at bits"];
            return new QuantizedMatrix(string.Join("; ", weight.Explain().Facts.Where(fact => told.Contains(fact.Key)).Select(fact => $"{fact.Key} {fact.Value}")), weight.BitsPerWeight, decoded);
        }
        catch (ArgumentException fault) when (fault.Message.Contains("the least is", StringComparison.Ordinal))
        {
            return null;
        }
    }

    /// <summary>The result of the number of groups that errs least.</summary>
    internal static QuantizedMatrix? Best(MatrixView<float> values, double bits, IReadOnlyList<int> groups, Quantizer run)
    {
        QuantizedMatrix? best = null;
        double least = double.PositiveInfinity;
        foreach (int count in groups.Where(count => values.Columns % count == 0))
        {
            if (run(values, bits, count) is not { } made) continue;
            double error = made.NormalizedSquaredError(values);
            QuantizedMatrix worse = made;
            if (error < least)
            {
                least = error;
                (best, worse) = (made, best!);
            }

            worse?.Dispose();
        }

        return best;
    }

    /// <summary>The codec with given options; null where the bits do not suffice or the columns do not divide.</summary>
    internal static QuantizedMatrix? Encode(MatrixView<float> values, double bits, string layers, QetOptions options)
    {
        QetPlan plan;
        try
        {
            plan = QetPlan.ForBudget(values.Rows, values.Columns, (long)(bits * values.Rows * values.Columns / 8), options);
        }
        catch (ArgumentException) // too few bits, or columns that do not divide by the swaps
        {
            return null;
        }

        var decoded = new Matrix<float>(values.Rows, values.Columns);
        QetCodec.Decompress(QetCodec.Compress(values, plan), decoded.View);
        return new QuantizedMatrix($"swaps {layers}, {options.Subspaces} groups of {string.Join(" and ", plan.Centroids)}", plan.BitsPerElement, decoded);
    }
}
