using System.Diagnostics;
using System.Globalization;
using TensorCompress.Compression;
using TensorCompress.Compression.Dbf;
using TensorCompress.Numerics;
using TensorCompress.Tensors;

namespace TensorCompress.Comparison;

/// <summary>
/// Schedules of double binary factorisation beside each other: relative squared error, seconds and operations on Gaussian (G) and structured (S) matrices. <c>--formats</c> are sign bits per
/// weight, <c>--sizes</c> the side, <c>--rounds</c> the number of seeds, <c>--methods</c> schedules: paper, default, or changes of the default such as <c>t=400:i=3:r=0.03:a=0.9:p=2:w=1:f=3</c>.
/// </summary>
internal static class DbfComparison
{
    public static void Run(Options options)
    {
        int size = options.Sizes?[0] ?? 256;
        IReadOnlyList<string> schedules = options.Methods ?? ["paper", "default"];
        Console.WriteLine("| matrix | bits | " + string.Join(" | ", schedules.Select(text => $"{text}: error, mean (least to most) | seconds | GFLOP")) + " |");
        Console.WriteLine("|---|---|" + string.Concat(Enumerable.Repeat("---|---|---|", schedules.Count)));
        foreach (string kind in (options.Layers ?? "G,S").Split(','))
        {
            foreach (string bits in options.Formats ?? ["0.5", "1", "1.5", "2", "3"])
            {
                var channels = (int)(double.Parse(bits, CultureInfo.InvariantCulture) * size / 2);
                Console.Write($"| {kind} {size} | {bits} |");
                foreach (string text in schedules) Measure(kind, size, channels, Parse(text, channels / (double)size), options.Rounds ?? 1);
                Console.WriteLine();
            }
        }
    }

    private static void Measure(string kind, int size, int channels, DbfSchedule schedule, int seeds)
    {
        double[] errors = new double[seeds];
        double seconds = 0, operations = 0;
        for (int seed = 0; seed < seeds; seed++)
        {
            using Matrix<float> weights = kind == "G" ? Gaussian(size, seed) : Structured(size, seed);
            var clock = Stopwatch.StartNew();
            using var factorizer = new DbfFactorizer(weights.View, new DbfOptions(middleDimension: channels, schedule: schedule), new CompressionContext { Seed = (ulong)seed });
            using DbfWeight made = factorizer.Run();
            seconds += clock.Elapsed.TotalSeconds / seeds;
            errors[seed] = factorizer.Error;
            operations += factorizer.Operations / seeds;
        }

        Console.Write(string.Create(CultureInfo.InvariantCulture, $" {errors.Average():F4} ({errors.Min():F4} to {errors.Max():F4}) | {seconds:F2} | {operations / 1e9:F1} |"));
    }

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
                "r0" => schedule with { FirstRidge = value },
                "l" => schedule with { LeastPenalty = value },
                "c" => schedule with { WeighsChannels = value != 0 },
                _ => throw new ArgumentException($"{pair[0]} is no part of a schedule: t, i, r, r0, a, p, l, c, w and f are."),
            };
        }

        return schedule;
    }

    private static Matrix<float> Gaussian(int size, int seed) => GaussianMatrix.Draw(size, size, (ulong)seed + 1000);

    /// <summary>A spectrum that falls as j^-1/2, with log-normal rows and columns.</summary>
    private static Matrix<float> Structured(int size, int seed)
    {
        using Matrix<float> left = Gaussian(size, seed + 77), right = Gaussian(size, seed + 78);
        var random = new SeededRandom((ulong)seed + 5000);
        double[] rows = new double[size], columns = new double[size];
        for (int i = 0; i < size; i++) (rows[i], columns[i]) = (Math.Exp(0.4 * random.NextGaussian()), Math.Exp(0.6 * random.NextGaussian()));
        for (int i = 0; i < size; i++)
        {
            for (int j = 0; j < size; j++) left[i, j] *= (float)(rows[i] * Math.Pow(j + 1, -0.5));
        }

        var weights = new Matrix<float>(size, size);
        MatrixProduct.Multiply(left, right, weights.View);
        for (int i = 0; i < size; i++)
        {
            for (int j = 0; j < size; j++) weights[i, j] *= (float)columns[j];
        }

        return weights;
    }
}
