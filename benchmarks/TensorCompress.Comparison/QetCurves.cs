using System.Globalization;
using System.Text;
using TensorCompress.Cli.Reports;
using TensorCompress.Compression.Qet;
using TensorCompress.Tensors;

namespace TensorCompress.Comparison;

/// <summary>
/// Element swaps, their rivals and universal codebooks on normal numbers and on real rows: attention matrices of a safetensors file, keys and values of small models. <c>--model</c> are files and models, one after the
/// other with commas; <c>--text</c> is what models read; <c>--tokens</c> how much of it; <c>--output</c> the picture. A run takes hours: rows that <c>--resume</c> (an earlier table) has are taken over, and <c>--methods</c> computes no others.
/// </summary>
internal static class QetCurves
{
    private const int DefaultTokens = 1024, Cells = 2;
    private const string Bound = "Gaussian bound";

    private static readonly string[] Colours = ["#1f6fd1", "#c4520e", "#12805c", "#8b46b8", "#b08900", "#d6336c", "#0c8599", "#7a4a2b", "#343a40", "#5c7a00"];

    private static readonly int[] Widths = [1, 2, 4, 8, 16, 32];

    private static readonly (string Name, Func<MatrixView<float>, int, QuantizedMatrix?> Run)[] Methods =
    [
        ("QET as published", (values, bits) => QetComparison.Best(values, bits, Groups(values), (rows, bound, groups) => QetComparison.Encode(rows, bound, "[3, 0]", QetOptions.PaperDefault(groups)))),
        ("PQ", (values, bits) => QetComparison.Best(values, bits, Groups(values), Product)),
        ("OPQ", (values, bits) => QetComparison.Best(values, bits, Likely(values, bits, 1), (rows, bound, groups) => RivalQuantizers.OptimizedProduct(rows, bound, groups))),
        ("LOPQ", (values, bits) => QetComparison.Best(values, bits, Likely(values, bits, Cells), (rows, bound, groups) => RivalQuantizers.LocallyOptimizedProduct(rows, bound, groups, Cells))),
        ("planned QET", (values, bits) => QetComparison.Method(values, new QetMethodOptions(bits, QetForm.Fitted))),
        ("universal QET", (values, bits) => QetComparison.Method(values, new QetMethodOptions(bits + 16.0 / values.Columns, QetForm.Universal))),
        ("group rounding", (values, bits) => RivalQuantizers.RoundToNearest(values, bits, 128)),
        ("Hadamard + Lloyd-Max", RivalQuantizers.LloydMax),
    ];

    public static void Run(Options options)
    {
        Kind[] kinds = [.. Kinds(options)];
        Console.WriteLine("Means over the matrices of a kind; methods of column groups with their best width of 1 to 32 columns, behind learnt rotations with the better of the two widths at which plain PQ is best with what the rotations leave. The last column is over the bound of normal numbers, D = 2^-2R, which real rows may pass.\n");
        Console.WriteLine("| of | budget, bits | method | bits per number | squared error | absolute error | over the Gaussian bound, bits |");
        Console.WriteLine("|---|---|---|---|---|---|---|");
        Dictionary<string, string[]> known = options.Resume is { } earlier ? Rows(earlier) : [];
        foreach (Kind kind in kinds)
        {
            var points = Methods.Select(method => method.Name).ToDictionary(name => name, _ => new List<PlotPoint>());
            foreach (int bits in options.Sizes ?? [2, 3, 4])
            {
                foreach ((string name, Func<MatrixView<float>, int, QuantizedMatrix?> run) in Methods)
                {
                    string start = string.Create(CultureInfo.InvariantCulture, $"| {kind.Name} | {bits} | {name} |");
                    if (known.TryGetValue(start, out string[]? row)) Repeat(start, row, points[name]);
                    else if (options.Methods is not { } chosen || chosen.Contains(name)) Report(kind, start, points[name], values => run(values, bits));
                }
            }

            kind.Series.AddRange(points.Select(series => new PlotSeries(series.Key, series.Value))); // without points too, so that a method has one colour everywhere
            foreach (Matrix<float> matrix in kind.Matrices) matrix.Dispose();
            if (options.Output is { } path) File.WriteAllText(path, Picture([.. kinds.Where(done => done.Series.Any(series => series.Points.Count > 0))])); // a run that is cut off leaves what it has
        }
    }

    private static QuantizedMatrix? Product(MatrixView<float> values, double bits, int groups) => RivalQuantizers.Product(values, bits, groups);

    private static int[] Groups(MatrixView<float> values) => [.. Widths.Where(width => values.Columns % width == 0).Select(width => (int)values.Columns / width)];

    /// <summary>The two numbers of groups at which plain product quantisation is best with what so many rotations leave: learning a rotation for each takes hours.</summary>
    private static int[] Likely(MatrixView<float> values, int bits, int rotations)
    {
        double rest = bits - rotations * 16.0 * values.Columns / values.Rows;
        double Error(int groups)
        {
            using QuantizedMatrix? made = Product(values, rest, groups);
            return made?.NormalizedSquaredError(values) ?? double.PositiveInfinity;
        }

        return rest <= 0 ? [] : [.. Groups(values).Select(groups => (Groups: groups, Error: Error(groups))).Where(one => one.Error < double.PositiveInfinity).OrderBy(one => one.Error).Take(2).Select(one => one.Groups)];
    }

    /// <summary>Rows of an earlier table, by their first three cells.</summary>
    private static Dictionary<string, string[]> Rows(string path)
    {
        var rows = new Dictionary<string, string[]>();
        foreach (string line in File.ReadLines(path))
        {
            string[] cells = line.Split(" | ");
            if (cells.Length > 3) rows[$"{string.Join(" | ", cells[..3])} |"] = cells[3..];
        }

        return rows;
    }

    private static void Repeat(string start, string[] cells, List<PlotPoint> points)
    {
        Console.WriteLine($"{start} {string.Join(" | ", cells)}");
        if (double.TryParse(cells[0], CultureInfo.InvariantCulture, out double bits)) Add(points, bits, double.Parse(cells[1], CultureInfo.InvariantCulture));
    }

    private static void Add(List<PlotPoint> points, double bits, double squared) => points.Add(new PlotPoint(bits, squared, 0, string.Create(CultureInfo.InvariantCulture, $"{squared:F4} at {bits:F2} bits")));

    private static void Report(Kind kind, string start, List<PlotPoint> points, Func<MatrixView<float>, QuantizedMatrix?> run)
    {
        (double bits, double squared, double absolute) = (0, 0, 0);
        foreach (Matrix<float> matrix in kind.Matrices)
        {
            using QuantizedMatrix? made = run(matrix.View);
            if (made is null)
            {
                Console.WriteLine($"{start} does not fit | | | |");
                return;
            }

            bits += made.BitsPerElement / kind.Matrices.Count;
            squared += made.NormalizedSquaredError(matrix.View) / kind.Matrices.Count;
            absolute += made.NormalizedAbsoluteError(matrix.View) / kind.Matrices.Count;
        }

        Add(points, bits, squared);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{start} {bits:F3} | {squared:F4} | {absolute:F4} | {bits + Math.Log2(squared) / 2:F3} |"));
    }

    private static IEnumerable<Kind> Kinds(Options options)
    {
        yield return new Kind("normal numbers, 4096 x 128", [GaussianMatrix.Draw(4096, 128, 1)]);
        foreach (string path in (options.Model ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            string name = Path.GetFileName(Path.TrimEndingDirectorySeparator(path));
            if (path.EndsWith(".safetensors", StringComparison.Ordinal))
            {
                yield return new Kind($"attention weights, {name.Split(".f32")[0]}", [.. TrialMatrices.From(options with { Model = path, Layers = options.Layers ?? "" }).Select(matrix => matrix.Draw(0))]);
                continue;
            }

            using CapturedCache cache = CapturedCache.Of(path, options.Text ?? throw new ArgumentException("Keys and values of a model need --text."), options.Tokens ?? DefaultTokens);
            yield return new Kind($"keys, {name}", [.. Enumerable.Range(0, cache.Blocks).Select(block => Copy(cache.Keys(block)))]);
            yield return new Kind($"values, {name}", [.. Enumerable.Range(0, cache.Blocks).Select(block => Copy(cache.Values(block)))]);
        }

        static Matrix<float> Copy(MatrixView<float> values)
        {
            var copy = new Matrix<float>(values.Rows, values.Columns);
            values.CopyTo(copy.View);
            return copy;
        }
    }

    /// <summary>A plot for each kind, two beside each other.</summary>
    private static string Picture(Kind[] kinds)
    {
        const int Width = 580, Height = 440;
        string style = "text{font-family:sans-serif;fill:#222}.plot-title{font-size:15px;font-weight:600}.axis,.legend{font-size:13px}.tick{font-size:12px;fill:#666}.grid,.frame{stroke:#ddd;fill:none}"
            + "polyline{fill:none;stroke-width:1.6;opacity:.6}.mark{stroke:#fff}" + string.Concat(Colours.Select((colour, index) => $".s{index}{{stroke:{colour};fill:{colour}}}"));
        int rows = (kinds.Length + 1) / 2;
        var page = new StringBuilder().Append(CultureInfo.InvariantCulture, $"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {2 * Width} {rows * Height}\" width=\"{2 * Width}\" height=\"{rows * Height}\">\n<style>{style}</style>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n");
        for (int i = 0; i < kinds.Length; i++)
        {
            PlotPoint[] points = [.. kinds[i].Series.SelectMany(series => series.Points)];
            double least = points.Min(point => point.X), most = points.Max(point => point.X);
            PlotSeries bound = new(Bound, [.. new[] { least, most }.Select(bits => new PlotPoint(bits, Math.Pow(2, -2 * bits), 0, "2^-2R"))]);
            string plot = new ScatterPlot(kinds[i].Name, "stored bits per number", "squared error over that of zeros").Draw([.. kinds[i].Series, bound]);
            page.Append(plot.Replace("<svg ", string.Create(CultureInfo.InvariantCulture, $"<svg x=\"{i % 2 * Width}\" y=\"{i / 2 * Height}\" width=\"{Width}\" height=\"{Height}\" "), StringComparison.Ordinal));
        }

        return page.Append("</svg>\n").ToString();
    }

    /// <summary>Matrices of one kind, and what came out.</summary>
    private sealed record Kind(string Name, IReadOnlyList<Matrix<float>> Matrices)
    {
        public List<PlotSeries> Series { get; } = [];
    }
}
