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

    /// <summary>Asserts that the work of a whole text takes at most so long, and far less than 64 times as long as that of an eighth of it, as quadratic work would (more than 8 times: an eighth finds its memory in the pool).</summary>
    public static string AssertLinear(string text, int seconds, Action<int> work) => AssertLinear(text.Length, seconds, work);

    /// <inheritdoc cref="AssertLinear(string, int, Action{int})"/>
    public static string AssertLinear(int length, int seconds, Action<int> work)
    {
        TimeSpan eighth = Best(() => work(length / 8));
        TimeSpan whole = Best(() => work(length));
        string message = $"{length} units: {whole.TotalSeconds:F3} s, an eighth of it {eighth.TotalSeconds:F3} s";
        Assert.True(whole < TimeSpan.FromSeconds(seconds) && whole < 40 * eighth + TimeSpan.FromMilliseconds(200), message);
        return message;
    }
}
