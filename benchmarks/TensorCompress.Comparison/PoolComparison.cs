using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using TensorCompress.Threading;

namespace TensorCompress.Comparison;

/// <summary>What a loop that does nothing costs: the pool awake, parked, and with a processor taken by somebody else.</summary>
internal static class PoolComparison
{
    private const int Calls = 2000, NeighbourCalls = 100, ParkedCalls = 200, ParkedPauseMilliseconds = 2, SpinsPerYield = 1 << 16;

    public static void Run(Options options)
    {
        Console.WriteLine("| state | body | threads | microseconds per call: median of the rounds (best) | slowest 1 % of the calls begin at |");
        Console.WriteLine("|---|---|---|---|---|");
        foreach (int threads in options.Threads)
        {
            using var pool = new ComputePool(threads);
            int rounds = options.Rounds ?? 15;
            foreach (bool meets in threads > 1 ? new[] { false, true } : [false])
            {
                string body = meets ? "waits for all threads" : "empty";
                Report("awake", body, threads, Measure(pool, meets, rounds, Calls, pause: 0));
                using (new BusyNeighbour()) Report("awake, one busy neighbour", body, threads, Measure(pool, meets, rounds, NeighbourCalls, pause: 0));
                Report($"parked (a call every {ParkedPauseMilliseconds} ms)", body, threads, Measure(pool, meets, rounds / 3 + 1, ParkedCalls, ParkedPauseMilliseconds));
            }
        }
    }

    private static void Report(string state, string body, int threads, double[][] rounds)
    {
        double[] means = [.. rounds.Select(calls => calls.Average()).Order()], all = [.. rounds.SelectMany(calls => calls).Order()];
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {state} | {body} | {threads} | {means[means.Length / 2]:F2} ({means[0]:F2}) | {all[(int)(all.Length * 0.99)]:F2} |"));
    }

    // Microseconds of every call, round by round; the first round warms up.
    private static double[][] Measure(ComputePool pool, bool meets, int rounds, int calls, int pause)
    {
        var times = new double[rounds + 1][];
        for (int round = 0; round <= rounds; round++)
        {
            var row = times[round] = new double[calls];
            for (int i = 0; i < calls; i++)
            {
                if (pause > 0) Thread.Sleep(pause);
                long start = Stopwatch.GetTimestamp();
                if (meets) Meet(pool, new StrongBox<int>());
                else pool.For(pool.Threads, 1, 0, static (_, _, _) => { });
                row[i] = Stopwatch.GetElapsedTime(start).TotalMicroseconds;
            }
        }

        return times[1..];
    }

    // The first may have done all ranges of an empty body before another has woken; here each waits until all have begun.
    private static void Meet(ComputePool pool, StrongBox<int> arrived) => pool.For(pool.Threads, 1, (arrived, pool.Threads), static (_, _, state) =>
    {
        Interlocked.Increment(ref state.arrived.Value);
        for (int spins = 1; Volatile.Read(ref state.arrived.Value) < state.Threads; spins++)
        {
            if (spins % SpinsPerYield == 0) Thread.Yield(); // the other may be without a processor
            else Thread.SpinWait(1);
        }
    });

    /// <summary>A thread that computes all the time.</summary>
    private sealed class BusyNeighbour : IDisposable
    {
        private readonly Thread _thread;
        private bool _ends;

        public BusyNeighbour()
        {
            _thread = new Thread(() =>
            {
                while (!Volatile.Read(ref _ends))
                {
                }
            });
            _thread.Start();
        }

        public void Dispose()
        {
            Volatile.Write(ref _ends, true);
            _thread.Join();
        }
    }
}
