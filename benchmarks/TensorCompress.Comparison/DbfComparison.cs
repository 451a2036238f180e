using System.Diagnostics;
using System.Globalization;
using TensorCompress.Compression;
using TensorCompress.Compression.Dbf;
using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Comparison;

/// <summary>
/// Schedules of double binary factorisation beside each other: relative squared error, seconds and operations on Gaussian (G) and structured (S) matrices. <c>--formats</c> are sign bits per
/// weight, <c>--sizes</c> the side, <c>--rounds</c> the number of seeds, <c>--methods</c> schedules: paper, default, or changes of the default such as <c>t=400:i=3:r=0.03:a=0.9:p=2:w=1:f=3</c>.
/// </summary>
internal static class DbfComparison
{
    public static void Run(Options options)
    {
        var pool = ComputePool.Shared;
        int size = options.Sizes?[0] ?? 256;
        int seeds = options.Rounds ?? 1;
        foreach (string kind in (options.Layers ?? "G,S").Split(','))
            foreach (double bits in (options.Formats ?? ["0.5", "1", "1.5", "2", "3"]).Select(b => double.Parse(b, CultureInfo.InvariantCulture)))
            {
                int k = (int)(bits * size / 2);
                Console.Write($"{kind} {bits,4}: ");
                foreach (string text in options.Methods ?? ["paper", "default"])
                {
                    DbfSchedule schedule = Parse(text, k / (double)size);
                    double error = 0, seconds = 0, ops = 0;
                    for (int seed = 0; seed < seeds; seed++)
                    {
                        using Matrix<float> w = kind == "G" ? Gaussian(size, (ulong)seed) : Structured(size, (ulong)seed);
                        var clock = Stopwatch.StartNew();
                        using var f = new DbfFactorizer(w.View, new DbfOptions(middleDimension: k, schedule: schedule), new CompressionContext { Pool = pool, Seed = (ulong)seed });
                        using DbfWeight made = f.Run();
                        seconds += clock.Elapsed.TotalSeconds;
                        error += f.Error;
                        ops += f.Operations;
                    }

                    Console.Write(string.Create(CultureInfo.InvariantCulture, $" | {error / seeds:F4} {seconds / seeds:F2}s {ops / seeds / 1e9:F1}G"));
                }

                Console.WriteLine();
            }
    }

    private static DbfSchedule Parse(string text, double rate)
    {
        if (text == "paper") return DbfSchedule.Paper;
        DbfSchedule s = DbfSchedule.ForRate(rate);
        foreach (string part in text.Split(':'))
        {
            string[] pair = part.Split('=');
            if (pair.Length < 2) continue;
            double v = double.Parse(pair[1], CultureInfo.InvariantCulture);
            s = pair[0] switch { "t" => s with { Rounds = (int)v }, "i" => s with { InnerSteps = (int)v }, "r" => s with { Ridge = v }, "a" => s with { Relaxation = v }, "p" => s with { PenaltyPower = v }, "w" => s with { PowerRounds = (int)v }, "f" => s with { RefitSweeps = (int)v }, _ => throw new ArgumentException(part) };
        }

        return s;
    }

    internal static Matrix<float> Gaussian(int size, ulong seed)
    {
        var random = new SeededRandom(seed + 1000);
        var w = new Matrix<float>(size, size);
        for (int i = 0; i < size; i++)
            for (int j = 0; j < size; j++) w[i, j] = (float)random.NextGaussian();
        return w;
    }

    internal static Matrix<float> Structured(int size, ulong seed)
    {
        using Matrix<float> g1 = Gaussian(size, seed + 77), g2 = Gaussian(size, seed + 78);
        var random = new SeededRandom(seed + 5000);
        for (int i = 0; i < size; i++)
            for (int j = 0; j < size; j++) g1[i, j] *= (float)Math.Pow(j + 1, -0.5);
        var w = new Matrix<float>(size, size);
        MatrixProduct.Multiply(g1, g2, w.View);
        double[] rows = new double[size], columns = new double[size];
        for (int i = 0; i < size; i++) (rows[i], columns[i]) = (Math.Exp(0.4 * random.NextGaussian()), Math.Exp(0.6 * random.NextGaussian()));
        for (int i = 0; i < size; i++)
            for (int j = 0; j < size; j++) w[i, j] *= (float)(rows[i] * columns[j]);
        return w;
    }
}
