using System.Globalization;
using TensorCompress.Compression;
using TensorCompress.Compression.Dense;
using TensorCompress.Compression.Mpo;
using TensorCompress.Compression.Scalar;
using TensorCompress.Kernels.Simd;
using TensorCompress.Layers;
using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Comparison;

/// <summary>A 4096 x 4096 matrix as 64.64 x 64.64: one token from cold weights beside dense layers, all paths over bond dimensions and tokens, and the time of factorisation.</summary>
internal static class MpoComparison
{
    private const int Size = 4096, Side = 64;

    /// <summary>Cold: a round over all rows passes 200 MiB and more of other weights, and a row's copies rotate over so much.</summary>
    private const long ColdBytes = 64L << 20;

    /// <summary>Microseconds that a round takes at least.</summary>
    private const double ShortestRound = 4000;

    /// <summary>Rounds before the first cell: the runtime compiles for speed only what was called often.</summary>
    private const int WarmUpRounds = 60;

    private static readonly SiteFactors Factors = new([Side, Side], [Side, Side]);

    /// <summary>One token from cold weights.</summary>
    public static void Run(Options options) => WithPool(options, pool => OneToken(options, pool));

    /// <summary>All paths over bond dimensions and tokens, weights hot.</summary>
    public static void RunCells(Options options) => WithPool(options, pool => Cells(options, pool));

    /// <summary>The error of every bond dimension, and TT-SVD.</summary>
    public static void RunCurve(Options options) => WithPool(options, pool =>
    {
        using Matrix<float> weights = GaussianMatrix.Draw(Size, Size, 1);
        Time("error of every bond dimension", () => UnfoldingSpectra.Of(weights.View, Factors, pool));
        Time("TT-SVD at bond dimension 64", () => MpoFactorizer.Factorize(weights.View, MpoOptions.WithChi(64) with { Factors = Factors }, pool).Dispose());
    });

    /// <summary>Alternating least squares.</summary>
    public static void RunFit(Options options) => WithPool(options, pool =>
    {
        using Matrix<float> weights = GaussianMatrix.Draw(Size, Size, 1), activations = GaussianMatrix.Draw(512, Size, 2);
        LayerStatistics? statistics = null;
        Time($"second moment of {activations.Rows} tokens", () => statistics = LayerStatistics.FromActivations(activations.View, pool));
        using (statistics)
        {
            foreach (int sweeps in options.Sizes ?? [10])
            {
                MpoOptions fit = MpoOptions.WithChi(64) with { Factors = Factors, Sweeps = sweeps };
                Time($"fit to the outputs, bond dimension 64, at most {sweeps} sweeps", () => MpoFactorizer.Factorize(weights.View, fit, pool, statistics).Dispose());
            }
        }
    });

    private static void WithPool(Options options, Action<ComputePool> body)
    {
        CpuDescription cpu = CpuDescription.Current();
        using var pool = new ComputePool(options.Threads.Max());
        Console.WriteLine($"{cpu.Name}, {cpu.LogicalCores} logical cores, {SimdLevel.Active}; .NET {Environment.Version}; {Size} x {Size} as {Factors}, {pool.Threads} threads");
        body(pool);
    }

    private static void Time(string name, Action body)
    {
        long start = System.Diagnostics.Stopwatch.GetTimestamp();
        body();
        double seconds = System.Diagnostics.Stopwatch.GetElapsedTime(start).TotalSeconds;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {name} | {seconds:F2} s | peak {System.Diagnostics.Process.GetCurrentProcess().PeakWorkingSet64 >> 20} MiB |"));
    }

    private static void OneToken(Options options, ComputePool pool)
    {
        using Matrix<float> weights = GaussianMatrix.Draw(Size, Size, 1), input = GaussianMatrix.Draw(1, Size, 2), output = new(1, Size);
        float[] values = [.. Enumerable.Range(0, Size).SelectMany(row => weights.Row(row).ToArray())];
        using var context = new ComputeContext(pool);
        var rows = new List<(string Name, LinearLayer[] Layers)>
        {
            ("dense fp32", Copies(() => DenseLayer.FromDense(values, Size, Size))),
            ("dense bf16", Copies(() => DenseLayer.FromDense(values, Size, Size, ElementType.BF16))),
            ("scalar 8 bits", Copies(() => ScalarLayer.FromDense(values, Size, Size, 8))),
        };
        foreach (int chi in new[] { 8, 16, 32, 64 }) rows.Add(($"mpo chi {chi}", Copies(chi, CoreFormat.F32)));
        rows.Add(("mpo chi 32, f16 cores", Copies(32, CoreFormat.F16)));
        rows.Add(("mpo chi 32, int8 cores", Copies(32, CoreFormat.Int8)));
        using MpoWeight rebuilt = Random(32, CoreFormat.F32);
        rows.Add(("mpo chi 32, rebuilt every call", [rebuilt.CreateLayer(MpoPlan.Rebuild)]));

        // One product of each in turn: when a layer comes round again its weights come from memory.
        int round = 0;
        Action[] bodies = [.. rows.Select<(string Name, LinearLayer[] Layers), Action>(row => () => row.Layers[round++ % row.Layers.Length].Forward(new ActivationBatch(input.View), output.View, context))];
        IReadOnlyList<(double Median, double Best)> times = Interleaved.MeasureWithoutPause(options.Rounds ?? 31, bodies);
        Console.WriteLine("| one token, cold | us, median (best) | dense fp32 over it |");
        Console.WriteLine("|---|---|---|");
        for (int i = 0; i < rows.Count; i++)
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {rows[i].Name} | {times[i].Median * 1e6:F0} ({times[i].Best * 1e6:F0}) | {times[0].Median / times[i].Median:F2} |"));
        foreach ((_, LinearLayer[] layers) in rows)
        {
            foreach (LinearLayer layer in layers) layer.Dispose();
        }
    }

    private static void Cells(Options options, ComputePool pool)
    {
        using var context = new ComputeContext(pool);
        // Each fixed path has two layers: what one path measured twice differs by is what a cell can tell.
        MpoPlan[] plans = [MpoPlan.FromRight, MpoPlan.FromLeft, MpoPlan.Rebuild, MpoPlan.Fastest, MpoPlan.ByShape, MpoPlan.FromRight, MpoPlan.FromLeft, MpoPlan.Rebuild];
        Console.WriteLine();
        Console.WriteLine("| chi | tokens | " + string.Join(" | ", plans[..5].Select(plan => $"{plan}, us")) + " | best fixed twice | Fastest over best fixed | ByShape over best fixed |");
        Console.WriteLine("|---|---|---|---|---|---|---|---|---|---|");
        int cells = 0, within = 0;
        foreach (int chi in options.Sizes ?? [8, 16, 32, 64, 128, 256])
        {
            using MpoWeight weight = Random(chi, CoreFormat.F32);
            MpoLayer[] layers = [.. plans.Select(weight.CreateLayer)];
            WarmUp(layers[..3], cells == 0 ? WarmUpRounds : 0, context);
            foreach (int tokens in options.Tokens is int only ? [only] : new[] { 1, 2, 4, 8, 16, 32, 64, 128, 256, 512 })
            {
                using Matrix<float> input = GaussianMatrix.Draw(tokens, Size, 2), output = new(tokens, Size);
                double[] times = Cell(layers, options.Rounds ?? 15, layer => layer.Forward(new ActivationBatch(input.View), output.View, context));
                int best = Enumerable.Range(0, 3).MinBy(i => times[i] + times[i + 5]);
                double fixedTime = (times[best] + times[best + 5]) / 2, twice = Math.Max(times[best], times[best + 5]) / Math.Min(times[best], times[best + 5]);
                cells++;
                if (times[3] <= 1.1 * fixedTime) within++;
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"| {chi} | {tokens} | {string.Join(" | ", times[..5].Select(time => time.ToString("F0", CultureInfo.InvariantCulture)))} | {twice:F2} | {times[3] / fixedTime:F2} | {times[4] / fixedTime:F2} |"));
            }

            foreach (MpoLayer layer in layers) layer.Dispose();
        }

        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Fastest is at most 10 % slower than the best fixed path in {within} of {cells} cells."));
    }

    private static void WarmUp(MpoLayer[] layers, int rounds, ComputeContext context)
    {
        using Matrix<float> input = GaussianMatrix.Draw(2, Size, 2), output = new(2, Size);
        Action[] bodies = [.. layers.Select<MpoLayer, Action>(layer => () => layer.Forward(new ActivationBatch(input.View), output.View, context))];
        if (rounds > 0) Interleaved.MeasureWithoutPause(rounds, bodies);
    }

    /// <summary>Median microseconds of each layer. Those that take twice the best in two runs each have no rounds: they are out of the question.</summary>
    private static double[] Cell(MpoLayer[] layers, int rounds, Action<MpoLayer> forward)
    {
        double[] times = [.. layers.Select(layer => Interleaved.MeasureWithoutPause(2, () => forward(layer))[0].Best * 1e6)];
        int[] near = [.. Enumerable.Range(0, layers.Length).Where(i => times[i] < 2 * times.Min())];
        // Rounds so short that the clock would show are repeated.
        int repeats = Math.Max(1, (int)(ShortestRound / times.Min()));
        Action[] bodies = [.. near.Select<int, Action>(i => () =>
        {
            for (int repeat = 0; repeat < repeats; repeat++) forward(layers[i]);
        })];
        IReadOnlyList<(double Median, double Best)> measured = Interleaved.MeasureWithoutPause(rounds, bodies);
        for (int i = 0; i < near.Length; i++) times[near[i]] = measured[i].Median * 1e6 / repeats;
        return times;
    }

    private static MpoWeight Random(int chi, CoreFormat format)
    {
        var random = new SeededRandom(3);
        int[] bonds = [1, chi, 1];
        using Matrix<double> first = new(Side, Side * chi), second = new(chi * Side, Side);
        foreach (Matrix<double> core in new[] { first, second })
        {
            for (nint row = 0; row < core.Rows; row++)
            {
                foreach (ref double value in core.Row(row)) value = random.NextGaussian() / Math.Sqrt(Side);
            }
        }

        using MatrixProductOperator chain = MatrixProductOperator.FromCores(Size, Size, Factors, bonds, [first, second]);
        return MpoWeight.FromOperator(chain, format);
    }

    private static LinearLayer[] Copies(int chi, CoreFormat format)
    {
        using MpoWeight weight = Random(chi, format);
        return Copies(weight.CreateLayer);
    }

    /// <summary>As many as pass the caches' size between two uses of one, 2 to 40.</summary>
    private static LinearLayer[] Copies(Func<LinearLayer> make)
    {
        LinearLayer first = make();
        int count = (int)Math.Clamp(ColdBytes / first.ResidentBytes, 2, 40);
        return [first, .. Enumerable.Range(1, count - 1).Select(_ => make())];
    }
}
