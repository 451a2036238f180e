using System.Globalization;
using TensorCompress.Kernels.Simd;

namespace TensorCompress.Comparison;

/// <summary>A table of floating-point rates, ours beside OpenBLAS's.</summary>
internal static class RateTable
{
    // A run shorter than this is repeated within one measurement.
    private const double LeastWork = 0.5;

    /// <summary>Loads the peer and tells the machine, the versions and the columns.</summary>
    /// <returns>Null, with a message, where OpenBLAS is absent: ours is measured alone.</returns>
    public static OpenBlas? Begin(Options options, string what)
    {
        OpenBlas? peer = Introduce(options);
        Console.WriteLine($"| {what} | threads | GFLOP/s, median (best) | OpenBLAS, median (best) | ratio of medians | of bests |");
        Console.WriteLine("|---|---|---|---|---|---|");
        return peer;
    }

    /// <summary>Loads the peer and tells the machine and the versions.</summary>
    public static OpenBlas? Introduce(Options options)
    {
        OpenBlas? peer = OpenBlas.TryLoad(options.OpenBlas);
        CpuDescription cpu = CpuDescription.Current();
        Console.WriteLine($"{cpu.Name}, {cpu.LogicalCores} logical cores, {SimdLevel.Active}; .NET {Environment.Version}");
        if (peer is not null) Console.WriteLine($"{peer.Configuration}; kernels: {peer.Core}");
        Console.WriteLine();
        return peer;
    }

    /// <summary>Measures one row.</summary>
    /// <param name="name">First column.</param>
    /// <param name="threads">Threads of both.</param>
    /// <param name="work">Billions of operations, a multiply-add being two.</param>
    /// <param name="options">Rounds, if wanted.</param>
    /// <param name="peer">OpenBLAS; null if it is absent.</param>
    /// <param name="ours">Our run.</param>
    /// <param name="theirs">The peer's run.</param>
    public static void Report(string name, int threads, double work, Options options, OpenBlas? peer, Action ours, Action theirs)
    {
        peer?.SetThreads(threads);
        int rounds = options.Rounds ?? Math.Clamp((int)(200 / work), 3, 11), repeats = Math.Clamp((int)(LeastWork / work), 1, 20);
        Action first = Repeat(ours, repeats), second = Repeat(theirs, repeats);
        IReadOnlyList<(double Median, double Best)> times = peer is null ? Interleaved.Measure(rounds, first) : Interleaved.Measure(rounds, first, second);
        work *= repeats;
        string line = string.Create(CultureInfo.InvariantCulture, $"| {name} | {threads} | {work / times[0].Median:F1} ({work / times[0].Best:F1}) ");
        line += peer is null
            ? "| - | - | - |"
            : string.Create(CultureInfo.InvariantCulture, $"| {work / times[1].Median:F1} ({work / times[1].Best:F1}) | {times[1].Median / times[0].Median:P1} | {times[1].Best / times[0].Best:P1} |");
        Console.WriteLine(line);
    }

    private static Action Repeat(Action body, int times) => () =>
    {
        for (int i = 0; i < times; i++) body();
    };
}
