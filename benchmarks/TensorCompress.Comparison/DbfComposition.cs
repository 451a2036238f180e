using System.Globalization;
using TensorCompress.Compression;
using TensorCompress.Compression.Dbf;
using TensorCompress.Compression.Sum;
using TensorCompress.Inference;
using TensorCompress.Numerics;
using TensorCompress.Tensors;

namespace TensorCompress.Comparison;

/// <summary>
/// One factorisation beside compositions of as many charged bits: two on each other's residual, and one for all matrices with the same inputs, stacked (one B for q, k and v, or for gate and up).
/// Relative squared errors on <see cref="TrialMatrices"/> (<c>--model</c>, <c>--layers</c>), with <c>--text</c> the squared output errors on the half of the windows that is not fitted to, of blocks
/// <c>--sizes</c>. <c>--formats</c> are stored bits per weight, <c>--rounds</c> rounds of the solver in place of the default's, <c>--methods</c> columns.
/// </summary>
internal static class DbfComposition
{
    private const int Windows = 16;

    private static readonly string[][] Groups = [["q_proj", "k_proj", "v_proj"], ["gate_proj", "up_proj"], [" q", " k", " v"]];

    public static void Run(Options options)
    {
        string[] columns = options.Methods is { } chosen ? [.. chosen] : ["one", "residual", "joint"];
        Console.WriteLine($"| matrix | bits | {string.Join(" | ", columns)} |\n|---|---|{string.Concat(Enumerable.Repeat("---|", columns.Length))}");
        using HalvedStatistics? statistics = Statistics(options);
        TrialMatrices[] all = [.. TrialMatrices.From(options).Where(matrix => statistics?.Layers.Contains(matrix.Name) ?? true)];
        var done = new HashSet<string>();
        foreach (TrialMatrices matrix in all.Where(matrix => !done.Contains(matrix.Name)))
        {
            TrialMatrices[] group = Group(matrix, all);
            done.UnionWith(group.Select(member => member.Name));
            foreach (string text in options.Formats ?? ["1", "2"])
            {
                double bits = double.Parse(text, CultureInfo.InvariantCulture);
                double[][] errors = [.. columns.Select(column => Errors(column, group, bits, options.Rounds, statistics))];
                for (int i = 0; i < group.Length; i++)
                    Console.WriteLine($"| {group[i].Name} | {text} | {string.Join(" | ", errors.Select(column => column[i].ToString("F4", CultureInfo.InvariantCulture)))} |");
            }
        }
    }

    private static HalvedStatistics? Statistics(Options options)
    {
        if (options.Text is not { } text) return null;
        using LanguageModel model = LanguageModel.Load(options.Model!);
        return new HalvedStatistics(model, text, Windows, options.Sizes ?? [10]);
    }

    /// <summary>The matrices of one block with the same inputs, or one alone.</summary>
    private static TrialMatrices[] Group(TrialMatrices matrix, TrialMatrices[] all)
    {
        string[]? group = Groups.FirstOrDefault(names => names.Any(name => matrix.Name.EndsWith(name, StringComparison.Ordinal)));
        if (group is null) return [matrix];
        string own = group.First(name => matrix.Name.EndsWith(name, StringComparison.Ordinal)), block = matrix.Name[..^own.Length];
        return [.. group.Select(name => all.FirstOrDefault(other => other.Name == block + name)).OfType<TrialMatrices>()];
    }

    private static double[] Errors(string column, TrialMatrices[] group, double bits, int? rounds, HalvedStatistics? statistics)
    {
        Matrix<float>[] weights = [.. group.Select(matrix => matrix.Draw(0))];
        try
        {
            if (column == "joint" && group.Length == 1) return [double.NaN];
            if (column == "joint") return JointErrors(group, weights, bits, rounds, statistics);
            MethodOptions Dbf(double rate, Matrix<float> matrix) => new DbfOptions(rate, schedule: Schedule(rate, rounds, (int)matrix.Rows, (int)matrix.Columns));
            return [.. weights.Select((matrix, i) =>
            {
                MethodOptions options = column == "one" ? Dbf(bits, matrix) : new SumOptions([Dbf(bits / 2, matrix), Dbf(bits / 2, matrix)], rounds: 2);
                using CompressedWeight made = options.Method.Compress(matrix.View, options, new CompressionContext { Statistics = statistics?.First(group[i].Name) });
                using Matrix<float> dense = made.ToDense();
                return Error(matrix, dense, statistics?.Second(group[i].Name));
            })];
        }
        finally
        {
            foreach (Matrix<float> matrix in weights) matrix.Dispose();
        }
    }

    /// <summary>Stacked, each scaled so that its own relative error counts as much as the others'.</summary>
    private static double[] JointErrors(TrialMatrices[] group, Matrix<float>[] weights, double bits, int? rounds, HalvedStatistics? statistics)
    {
        LayerStatistics? first = statistics?.First(group[0].Name);
        double[] scales = [.. weights.Select(matrix => Math.Sqrt(matrix.Rows / SquaredNorm(matrix, first)))];
        int columns = (int)weights[0].Columns;
        using var stacked = new Matrix<float>(weights.Sum(matrix => (int)matrix.Rows), columns);
        int start = 0;
        for (int part = 0; part < weights.Length; part++)
        {
            for (nint row = 0; row < weights[part].Rows; row++, start++)
            {
                for (int j = 0; j < columns; j++) stacked[start, j] = (float)(scales[part] * weights[part][row, j]);
            }
        }

        var options = new DbfOptions(bits, schedule: Schedule(bits, rounds, (int)stacked.Rows, columns));
        using CompressedWeight made = options.Method.Compress(stacked.View, options, new CompressionContext { Statistics = first });
        using Matrix<float> dense = made.ToDense();
        double[] errors = new double[weights.Length];
        start = 0;
        for (int part = 0; part < weights.Length; part++)
        {
            using var own = new Matrix<float>(weights[part].Rows, columns);
            for (nint row = 0; row < own.Rows; row++, start++)
            {
                for (int j = 0; j < columns; j++) own[row, j] = (float)(dense[start, j] / scales[part]);
            }

            errors[part] = Error(weights[part], own, statistics?.Second(group[part].Name));
        }

        return errors;
    }

    private static DbfSchedule? Schedule(double bits, int? rounds, int rows, int columns) =>
        rounds is { } count ? DbfSchedule.ForRate(DbfSchedule.Rate(rows, columns, new DbfOptions(bits).MiddleDimensionFor(rows, columns))) with { Rounds = count } : null;

    /// <summary>Of the weights, or of the outputs.</summary>
    private static double SquaredNorm(Matrix<float> weights, LayerStatistics? statistics)
    {
        double sum = 0;
        if (statistics is null)
        {
            for (nint row = 0; row < weights.Rows; row++) sum += DoubleVectors.SquaredNorm(weights.Row(row));
            return sum;
        }

        using Matrix<double> exact = new(weights.Rows, weights.Columns), weighted = new(weights.Rows, weights.Columns);
        for (nint row = 0; row < weights.Rows; row++)
        {
            for (int j = 0; j < weights.Columns; j++) exact[row, j] = weights[row, j];
        }

        MatrixProduct.Multiply(exact, statistics.SecondMoment, weighted.View);
        for (nint row = 0; row < weights.Rows; row++) sum += DoubleVectors.Dot(exact.Row(row), weighted.Row(row));
        return sum;
    }

    private static double Error(Matrix<float> exact, Matrix<float> approximate, LayerStatistics? statistics)
    {
        if (statistics is not null) return Math.Pow(statistics.OutputError(exact.View, approximate.View), 2);
        double error = 0;
        for (nint row = 0; row < exact.Rows; row++)
        {
            for (int j = 0; j < exact.Columns; j++) error += Math.Pow((double)exact[row, j] - approximate[row, j], 2);
        }

        return error / SquaredNorm(exact, null);
    }
}
