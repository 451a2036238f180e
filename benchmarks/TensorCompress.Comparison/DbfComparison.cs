using System.Globalization;
using TensorCompress.Compression;
using TensorCompress.Compression.Dbf;
using TensorCompress.Tensors;

namespace TensorCompress.Comparison;

/// <summary>
/// Schedules of double binary factorisation beside each other: relative squared error, seconds of processor time and operations on <see cref="TrialMatrices"/> (<c>--model</c>, <c>--layers</c>, <c>--sizes</c>).
/// <c>--formats</c> are sign bits per weight, <c>--rounds</c> the number of seeds, <c>--methods</c> schedules: paper, default, or changes of the default such as <c>t=400:i=3:r=0.03:a=0.9:p=2:w=1:f=3</c>.
/// </summary>
internal static class DbfComparison
{
    public static void Run(Options options)
    {
        IReadOnlyList<string> schedules = options.Methods ?? ["paper", "default"];
        Console.WriteLine("| matrix | bits | GFLOP of the published loop with inverses | " + string.Join(" | ", schedules.Select(text => $"{text}: error, mean (least to most) | core-seconds | GFLOP")) + " |");
        Console.WriteLine("|---|---|---|" + string.Concat(Enumerable.Repeat("---|---|---|", schedules.Count)));
        foreach (TrialMatrices matrix in TrialMatrices.From(options))
        {
            foreach (string bits in options.Formats ?? ["0.5", "1", "1.5", "2", "3"])
            {
                double rate = double.Parse(bits, CultureInfo.InvariantCulture);
                using (Matrix<float> weights = matrix.Draw(0))
                    Console.Write(string.Create(CultureInfo.InvariantCulture, $"| {matrix.Name} | {bits} | {PublishedOperations(weights.Rows, weights.Columns, Channels(rate, weights)) / 1e9:F1} |"));
                foreach (string text in schedules) Measure(matrix, rate, text, options.Rounds ?? 1);
                Console.WriteLine();
            }
        }
    }

    private static void Measure(TrialMatrices matrix, double bits, string text, int seeds)
    {
        double[] errors = new double[seeds];
        double seconds = 0, operations = 0;
        for (int seed = 0; seed < seeds; seed++)
        {
            using Matrix<float> weights = matrix.Draw(seed);
            int channels = Channels(bits, weights);
            var chosen = new DbfOptions(middleDimension: channels, schedule: Parse(text, channels * (weights.Rows + weights.Columns) / (2.0 * weights.Rows * weights.Columns)));
            TimeSpan start = Environment.CpuUsage.TotalTime;
            using var factorizer = new DbfFactorizer(weights.View, chosen, new CompressionContext { Seed = (ulong)seed });
            using DbfWeight made = factorizer.Run();
            seconds += (Environment.CpuUsage.TotalTime - start).TotalSeconds / seeds;
            errors[seed] = factorizer.Error;
            operations += factorizer.Operations / seeds;
        }

        Console.Write(string.Create(CultureInfo.InvariantCulture, $" {errors.Average():F4} ({errors.Min():F4} to {errors.Max():F4}) | {seconds:F2} | {operations / 1e9:F1} |"));
    }

    private static int Channels(double bits, Matrix<float> weights) => (int)(bits * weights.Rows * weights.Columns / (weights.Rows + weights.Columns));

    /// <summary>For each factor of 260 rounds: a Gram matrix, two inverses, three solves and a cross product.</summary>
    private static double PublishedOperations(double rows, double columns, double channels) =>
        260 * (8 * Math.Pow(channels, 3) + 8 * channels * channels * (rows + columns) + 4 * rows * columns * channels);

    private static DbfSchedule Parse(string text, double rate)
    {
        if (text == "paper") return DbfSchedule.Paper;
        DbfSchedule schedule = DbfSchedule.ForRate(rate);
        if (text == "default") return schedule;
        foreach (string[] pair in text.Split(':').Select(part => part.Split('=', 2)))
        {
            double value = double.Parse(pair[^1], CultureInfo.InvariantCulture);
            schedule = pair[0] switch
            {
                "t" => schedule with { Rounds = (int)value },
                "i" => schedule with { InnerSteps = (int)value },
                "r" => schedule with { Ridge = value },
                "a" => schedule with { Relaxation = value },
                "p" => schedule with { PenaltyPower = value },
                "w" => schedule with { PowerRounds = (int)value },
                "f" => schedule with { RefitSweeps = (int)value },
                "s" => schedule with { FlipSweeps = (int)value },
                "r0" => schedule with { FirstRidge = value },
                "l" => schedule with { LeastPenalty = value },
                "c" => schedule with { WeighsChannels = value != 0 },
                _ => throw new ArgumentException($"{pair[0]} is no part of a schedule: t, i, r, r0, a, p, l, c, w, f and s are."),
            };
        }

        return schedule;
    }
}
