using System.Diagnostics;

namespace TensorCompress.Threading;

/// <summary>Waiting without giving the processor away, for a time bounded by what the next loop of a model takes to arrive.</summary>
internal static class Spinning
{
    private const int LooksPerClock = 16;

    private static readonly long Ticks = Stopwatch.Frequency / 20_000; // 50 microseconds

    /// <summary>Spins until the condition holds, 50 microseconds at most.</summary>
    /// <returns>Whether it held.</returns>
    public static bool Until<T>(T subject, Func<T, bool> condition)
    {
        long start = Stopwatch.GetTimestamp();
        do
        {
            for (int i = 0; i < LooksPerClock; i++)
            {
                if (condition(subject)) return true;
                Thread.SpinWait(1);
            }
        }
        while (Stopwatch.GetTimestamp() - start < Ticks);
        return condition(subject);
    }
}
