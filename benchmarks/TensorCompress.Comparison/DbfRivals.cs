using System.Globalization;
using TensorCompress.Compression;
using TensorCompress.Compression.Dbf;
using TensorCompress.Compression.LowRank;
using TensorCompress.Tensors;

namespace TensorCompress.Comparison;

/// <summary>
/// Double binary factorisations beside their rivals at equal charged bits: relative squared error on <see cref="TrialMatrices"/>. <c>--formats</c> are all stored bits per weight, <c>--rounds</c> the number
/// of seeds (five), of which mean, least and most are told, <c>--methods</c> columns. A method without that rate stands there at its nearest one; its bits are in brackets.
/// </summary>
internal static class DbfRivals
{
    private const int ScaleBits = 16, DefaultSeeds = 5;

    private static readonly (string Name, Func<Matrix<float>, double, QuantizedMatrix> Run)[] Methods =
    [
        ("paper", (weights, bits) => Dbf(weights, bits, DbfSchedule.Paper)),
        ("default", (weights, bits) => Dbf(weights, bits, null)),
        ("Hadamard + Lloyd-Max", (weights, bits) => RivalQuantizers.LloydMax(weights.View, Math.Max(1, (int)Math.Round(bits)))),
        ("group rounding", GroupRounding),
        ("low rank, 16 bits", LowRank),
        ("one sign matrix, two vectors", OneSignMatrix),
        ("signs in groups", GroupSigns),
    ];

    private static readonly int[] Groups = [32, 64, 128, 256];

    /// <summary>The errors at equal middle dimension, then those at equal charged bits.</summary>
    public static void RunTable(Options options)
    {
        DbfComparison.Run(options with { Rounds = options.Rounds ?? DefaultSeeds });
        Console.WriteLine();
        Run(options);
    }

    public static void Run(Options options)
    {
        (string Name, Func<Matrix<float>, double, QuantizedMatrix> Run)[] methods = [.. Methods.Where(method => options.Methods?.Contains(method.Name) ?? true)];
        Console.WriteLine($"| matrix | bits | {string.Join(" | ", methods.Select(method => method.Name))} |");
        Console.WriteLine($"|---|---|{string.Concat(Enumerable.Repeat("---|", methods.Length))}");
        foreach (TrialMatrices matrix in TrialMatrices.From(options))
        {
            foreach (string text in options.Formats ?? ["0.5", "1", "1.5", "2", "2.3", "3"])
            {
                double bits = double.Parse(text, CultureInfo.InvariantCulture);
                Console.Write($"| {matrix.Name} | {text} |");
                foreach ((_, Func<Matrix<float>, double, QuantizedMatrix> run) in methods) Console.Write($" {Mean(matrix, bits, run, options.Rounds ?? DefaultSeeds)} |");
                Console.WriteLine();
            }
        }
    }

    private static string Mean(TrialMatrices matrix, double bits, Func<Matrix<float>, double, QuantizedMatrix> run, int seeds)
    {
        double error = 0, least = double.PositiveInfinity, most = 0, charged = 0;
        for (int seed = 0; seed < seeds; seed++)
        {
            using Matrix<float> weights = matrix.Draw(seed);
            using QuantizedMatrix made = run(weights, bits);
            double found = made.NormalizedSquaredError(weights.View);
            (error, least, most) = (error + found / seeds, Math.Min(least, found), Math.Max(most, found));
            charged += made.BitsPerElement / seeds;
        }

        return string.Create(CultureInfo.InvariantCulture, $"{error:F4}, {least:F4} to {most:F4} ({charged:F2})");
    }

    private static QuantizedMatrix Dbf(Matrix<float> weights, double bits, DbfSchedule? schedule)
    {
        using var factorizer = new DbfFactorizer(weights.View, new DbfOptions(bits, schedule: schedule), new CompressionContext());
        using DbfWeight made = factorizer.Run();
        return new QuantizedMatrix("dbf", made.BitsPerWeight, made.ToDense());
    }

    /// <summary>As many whole bits for a code as the budget has, in the groups of 32 to 256 that come nearest to it.</summary>
    private static QuantizedMatrix GroupRounding(Matrix<float> weights, double bits)
    {
        int codes = Math.Max(1, (int)bits), group = Groups.MinBy(group => Math.Abs(codes + 2.0 * ScaleBits / group - bits));
        return RivalQuantizers.RoundToNearest(weights.View, codes, group);
    }

    private static QuantizedMatrix LowRank(Matrix<float> weights, double bits)
    {
        int rank = Math.Max(1, (int)(bits * weights.Rows * weights.Columns / (ScaleBits * (weights.Rows + weights.Columns))));
        using CompressedWeight made = LowRankMethod.Instance.Compress(weights.View, new LowRankOptions(rank, type: ElementType.F16), new CompressionContext());
        return new QuantizedMatrix("low rank", made.BitsPerWeight, made.ToDense());
    }

    /// <summary>Signs of W times the best product of two vectors for |W|.</summary>
    private static QuantizedMatrix OneSignMatrix(Matrix<float> weights, double bits)
    {
        using var magnitudes = new Matrix<float>(weights.Rows, weights.Columns);
        for (nint i = 0; i < weights.Rows; i++)
        {
            for (int j = 0; j < weights.Columns; j++) magnitudes[i, j] = Math.Abs(weights[i, j]);
        }

        using CompressedWeight made = LowRankMethod.Instance.Compress(magnitudes.View, new LowRankOptions(1, type: ElementType.F16), new CompressionContext());
        Matrix<float> decoded = made.ToDense();
        for (nint i = 0; i < weights.Rows; i++)
        {
            for (int j = 0; j < weights.Columns; j++) decoded[i, j] = MathF.CopySign(decoded[i, j], weights[i, j]);
        }

        return new QuantizedMatrix("one sign matrix", 1 + made.BitsPerWeight, decoded);
    }

    /// <summary>Signs and, for each group of a row, the mean magnitude, in the groups whose bits come nearest to the budget.</summary>
    private static QuantizedMatrix GroupSigns(Matrix<float> weights, double bits)
    {
        int columns = (int)weights.Columns, group = Enumerable.Range(1, columns).MinBy(group => Math.Abs(Charged(group) - bits));
        var decoded = new Matrix<float>(weights.Rows, columns);
        for (nint i = 0; i < weights.Rows; i++)
        {
            for (int start = 0; start < columns; start += group)
            {
                ReadOnlySpan<float> values = weights.Row(i)[start..Math.Min(columns, start + group)];
                double mean = 0;
                foreach (float value in values) mean += Math.Abs(value) / (double)values.Length;
                for (int j = 0; j < values.Length; j++) decoded[i, start + j] = MathF.CopySign((float)(Half)mean, values[j]);
            }
        }

        return new QuantizedMatrix("signs in groups", Charged(group), decoded);

        double Charged(int group) => 1 + ScaleBits * Math.Ceiling(columns / (double)group) / columns;
    }
}
