using System.Diagnostics;

namespace TensorCompress.Tests.Tokenization;

/// <summary>Upper bounds on time are taken from the best of several runs, so that a busy machine does not fail them.</summary>
internal static class Timing
{
    public static TimeSpan Best(Action action, int runs = 3)
    {
        TimeSpan best = TimeSpan.MaxValue;
        for (int i = 0; i < runs; i++)
        {
            long start = Stopwatch.GetTimestamp();
            action();
            TimeSpan elapsed = Stopwatch.GetElapsedTime(start);
            if (elapsed < best) best = elapsed;
        }

        return best;
    }
}
