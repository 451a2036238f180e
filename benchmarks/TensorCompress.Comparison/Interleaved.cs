using System.Diagnostics;

namespace TensorCompress.Comparison;

/// <summary>Times several things in turn, round after round, so that a machine that drifts drifts for all of them.</summary>
internal static class Interleaved
{
    // OpenBLAS's threads spin for 110 ms after their work; a pause before every run keeps them off the other's processor.
    private const int PauseMilliseconds = 160;

    /// <summary>Runs each body once to warm up, then all in turn.</summary>
    /// <returns>Per body, median and best seconds.</returns>
    public static IReadOnlyList<(double Median, double Best)> Measure(int rounds, params ReadOnlySpan<Action> bodies) => Measure(rounds, PauseMilliseconds, bodies);

    /// <summary><see cref="Measure(int, ReadOnlySpan{Action})"/> where OpenBLAS is not among the bodies: they follow each other as the operations of a model do.</summary>
    public static IReadOnlyList<(double Median, double Best)> MeasureWithoutPause(int rounds, params ReadOnlySpan<Action> bodies) => Measure(rounds, 0, bodies);

    private static IReadOnlyList<(double Median, double Best)> Measure(int rounds, int pause, ReadOnlySpan<Action> bodies)
    {
        var seconds = new double[bodies.Length][];
        for (int i = 0; i < bodies.Length; i++)
        {
            seconds[i] = new double[rounds];
            bodies[i]();
        }

        for (int round = 0; round < rounds; round++)
        {
            for (int i = 0; i < bodies.Length; i++)
            {
                if (pause > 0) Thread.Sleep(pause);
                long start = Stopwatch.GetTimestamp();
                bodies[i]();
                seconds[i][round] = Stopwatch.GetElapsedTime(start).TotalSeconds;
            }
        }

        return [.. seconds.Select(times =>
        {
            Array.Sort(times);
            return (times[times.Length / 2], times[0]);
        })];
    }
}
