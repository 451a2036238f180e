using System.Diagnostics;
using System.Globalization;
using TensorCompress.Cli.Reports;
using TensorCompress.Compression.Qet;
using TensorCompress.Tensors;

namespace TensorCompress.Comparison;

/// <summary>
/// Element swaps, their rivals, universal codebooks and good codes at equal stored bits, each with its best width of column groups: of seeded normal numbers and of real rows, attention matrices of a safetensors file, keys
/// and values of small models. <c>--model</c> are files and models, one after the other with commas; <c>--text</c> is what models read; <c>--tokens</c> how much of it; <c>--layers</c> matrices of a file; <c>--formats</c> bits per
/// number; <c>--methods</c> rows; <c>--output</c> the picture. A run takes hours: rows that <c>--resume</c> (an earlier table) has are taken over. Each matrix is told, with its seconds, on the error stream.
/// </summary>
internal static class QetComparison
{
    private const int Cells = 2;

    private static readonly int[] Widths = [1, 2, 4, 8, 16, 32];

    private static readonly string[] Budgets = ["2", "2.5", "3", "4"];

    private static readonly Row[] Rows =
    [
        new("QET as published", (values, bits) => Codec(values, bits, QetOptions.PaperDefault)),
        new("PQ", (values, bits) => QetQuantizers.Best(values, bits, Groups(values), Product)),
        new("OPQ", (values, bits) => QetQuantizers.Best(values, bits, Likely(values, bits, 1), (rows, bound, groups) => RivalQuantizers.OptimizedProduct(rows, bound, groups))),
        new("LOPQ", (values, bits) => QetQuantizers.Best(values, bits, Likely(values, bits, 1).Union(Likely(values, bits, Cells)), (rows, bound, groups) => RivalQuantizers.LocallyOptimizedProduct(rows, bound, groups, Cells))),
        new("planned QET", (values, bits) => QetQuantizers.Method(values, new QetMethodOptions(bits, QetForm.Fitted))),
        new("universal QET", (values, bits) => QetQuantizers.Method(values, new QetMethodOptions(bits, QetForm.Universal))),
        new("universal QET with scales on top", (values, bits) => QetQuantizers.Method(values, new QetMethodOptions(bits + 16.0 / values.Columns, QetForm.Universal))), // as Lloyd-Max has them
        new("group rounding", (values, bits) => RivalQuantizers.RoundToNearest(values, bits, 128)),
        new("Hadamard + Lloyd-Max", RivalQuantizers.LloydMax),
        new("QET of one swap layer", (values, bits) => Codec(values, bits, groups => TwoStages(groups, 1)), OnNormalNumbersAlone: true),
        new("two stages without swaps", (values, bits) => Codec(values, bits, groups => TwoStages(groups, 0)), OnNormalNumbersAlone: true),
        new("lattice", (values, _) => GoodCodes.E8Ball(values), "2", OnNormalNumbersAlone: true),
        new("trellis", (values, _) => GoodCodes.Trellis(values), "2", OnNormalNumbersAlone: true),
    ];

    public static void Run(Options options)
    {
        Console.WriteLine("Means over the matrices of a kind; methods of column groups with their best width of 1 to 32 columns, behind learnt rotations with the better of the two widths at which plain PQ is best with what the rotations leave. The last figure is over the bound of normal numbers, D = 2^-2R, which real rows may pass. OPQ and LOPQ do not fit where rotations of 16 bits are more than the budget. \"Stored as\" is of the first matrix.\n");
        Console.WriteLine("| of | budget, bits | method | bits per number | squared error | absolute error | over the Gaussian bound, bits | stored as |");
        Console.WriteLine("|---|---|---|---|---|---|---|---|");
        Dictionary<string, string[]> known = options.Resume is { } earlier ? Known(earlier) : [];
        var done = new List<QetPicture.Panel>();
        foreach (QetMatrices kind in QetMatrices.From(options))
        {
            Row[] rows = [.. Rows.Where(row => kind.IsNormal || !row.OnNormalNumbersAlone)];
            Dictionary<string, List<PlotPoint>> points = rows.ToDictionary(row => row.Name, _ => new List<PlotPoint>());
            foreach (string budget in options.Formats ?? Budgets)
            {
                foreach (Row row in rows.Where(row => row.Budget is null || row.Budget == budget))
                {
                    string start = $"| {kind.Name} | {budget} | {row.Name} |";
                    string[]? cells = known.GetValueOrDefault(start);
                    if (cells is null && (options.Methods is not { } chosen || chosen.Contains(row.Name))) cells = Measure(kind, start, values => row.Run(values, double.Parse(budget, CultureInfo.InvariantCulture)));
                    if (cells is null) continue;
                    Console.WriteLine($"{start} {string.Join(" | ", cells)} |");
                    if (double.TryParse(cells[0], CultureInfo.InvariantCulture, out double bits)) points[row.Name].Add(Point(bits, double.Parse(cells[1], CultureInfo.InvariantCulture)));
                }
            }

            kind.Dispose();
            if (points.Values.Any(series => series.Count > 0)) done.Add(new QetPicture.Panel(kind.Name, [.. points.Select(series => new PlotSeries(series.Key, series.Value))])); // without points too, so that a method has one colour everywhere
            if (options.Output is { } path && done.Count > 0) File.WriteAllText(path, QetPicture.Draw(done)); // a run that is cut off leaves what it has
        }
    }

    private static PlotPoint Point(double bits, double squared) => new(bits, squared, 0, string.Create(CultureInfo.InvariantCulture, $"{squared:F4} at {bits:F2} bits"));

    private static QuantizedMatrix? Product(MatrixView<float> values, double bits, int groups) => RivalQuantizers.Product(values, bits, groups);

    private static QuantizedMatrix? Codec(MatrixView<float> values, double bits, Func<int, QetOptions> options) =>
        QetQuantizers.Best(values, bits, Groups(values), (rows, bound, groups) => QetQuantizers.Encode(rows, bound, options(groups)));

    private static QetOptions TwoStages(int groups, int swapLayers) => new(groups, [new QetStageOptions(swapLayers, 0.7), new QetStageOptions(0, 0.3)]);

    private static int[] Groups(MatrixView<float> values) => [.. Widths.Where(width => values.Columns % width == 0).Select(width => (int)values.Columns / width)];

    /// <summary>The two numbers of groups at which plain product quantisation is best with what so many rotations leave: learning a rotation for each takes hours.</summary>
    private static int[] Likely(MatrixView<float> values, double bits, int rotations)
    {
        double rest = bits - rotations * 16.0 * values.Columns / values.Rows;
        double Error(int groups)
        {
            using QuantizedMatrix? made = Product(values, rest, groups);
            return made?.NormalizedSquaredError(values) ?? double.PositiveInfinity;
        }

        return rest <= 0 ? [] : [.. Groups(values).Select(groups => (Groups: groups, Error: Error(groups))).Where(one => one.Error < double.PositiveInfinity).OrderBy(one => one.Error).Take(2).Select(one => one.Groups)];
    }

    /// <summary>What follows the first three cells of the rows of an earlier table.</summary>
    private static Dictionary<string, string[]> Known(string path)
    {
        var rows = new Dictionary<string, string[]>();
        foreach (string line in File.ReadLines(path))
        {
            string[] cells = [.. line.Split('|').Select(cell => cell.Trim())];
            if (cells.Length == 10) rows[$"| {string.Join(" | ", cells[1..4])} |"] = cells[4..^1];
        }

        return rows;
    }

    private static string[] Measure(QetMatrices kind, string start, Func<MatrixView<float>, QuantizedMatrix?> run)
    {
        (double bits, double squared, double absolute, string form) = (0, 0, 0, "");
        foreach (Matrix<float> matrix in kind.Matrices)
        {
            var clock = Stopwatch.StartNew();
            using QuantizedMatrix? made = run(matrix.View);
            if (made is null) return ["does not fit", "", "", "", ""];
            double error = made.NormalizedSquaredError(matrix.View);
            Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{start} {made.Method} | {made.BitsPerElement:F3} | {error:F4} | {clock.Elapsed.TotalSeconds:F1} s |"));
            if (form.Length == 0) form = made.Method;
            bits += made.BitsPerElement / kind.Matrices.Count;
            squared += error / kind.Matrices.Count;
            absolute += made.NormalizedAbsoluteError(matrix.View) / kind.Matrices.Count;
        }

        return [Show(bits, 3), Show(squared, 4), Show(absolute, 4), Show(bits + Math.Log2(squared) / 2, 3), form];
    }

    private static string Show(double value, int digits) => value.ToString($"F{digits}", CultureInfo.InvariantCulture);

    /// <summary>A row of the table for each kind of matrices and budget.</summary>
    /// <param name="Name">What the table calls it.</param>
    /// <param name="Run">Quantises within bits of a number; null where they do not suffice.</param>
    /// <param name="Budget">The only budget that it takes; null for all.</param>
    /// <param name="OnNormalNumbersAlone">Whether it is there to tell the others apart, not for real rows.</param>
    private sealed record Row(string Name, Func<MatrixView<float>, double, QuantizedMatrix?> Run, string? Budget = null, bool OnNormalNumbersAlone = false);
}
