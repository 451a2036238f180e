using System.Diagnostics;
using System.Globalization;
using TensorCompress.Evaluation;
using TensorCompress.Pipeline;

namespace TensorCompress.Cli.Terminal;

/// <summary>Progress on standard error: a bar that redraws itself on a terminal, now and then a plain line elsewhere. Plain characters only, no colours.</summary>
internal sealed class ProgressLine(string task) : IProgress<JobProgress>, IProgress<EvaluationProgress>, IProgress<double>, IDisposable
{
    private const int BarCells = 24;
    private static readonly TimeSpan BarInterval = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan FirstLine = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan LineInterval = TimeSpan.FromSeconds(10);

    private readonly bool _isTerminal = !Console.IsErrorRedirected;
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private readonly object _gate = new();
    private TimeSpan _next = Console.IsErrorRedirected ? FirstLine : TimeSpan.Zero;
    private int _drawn;

    public void Report(JobProgress value) => Report(value.ShareDone, value.Status is { } status ? $"{value.Unit}: {status}" : value.Unit, value.Remaining);

    public void Report(EvaluationProgress value)
    {
        double share = (double)value.WindowsDone / value.WindowCount;
        string what = string.Create(CultureInfo.InvariantCulture, $"window {value.WindowsDone} of {value.WindowCount}, perplexity {value.PerplexitySoFar:g5}");
        Report(share, what, value.Elapsed * ((1 - share) / share));
    }

    public void Report(double value) => Report(value, "", value < 0.02 ? null : _clock.Elapsed * ((1 - value) / value));

    /// <summary>Shows how far the task is.</summary>
    /// <param name="share">Share done, 0 to 1.</param>
    /// <param name="what">What is being worked on.</param>
    /// <param name="remaining">Time left, null while unknown.</param>
    public void Report(double share, string what, TimeSpan? remaining)
    {
        lock (_gate)
        {
            TimeSpan now = _clock.Elapsed;
            if (now < _next) return;
            _next = now + (_isTerminal ? BarInterval : LineInterval);
            string percent = Math.Floor(Math.Clamp(share, 0, 1) * 100).ToString(CultureInfo.InvariantCulture).PadLeft(3);
            string left = remaining is { } time ? $", {Duration(time)} left" : "";
            string item = what.Length > 0 ? ", " + what : "";
            if (_isTerminal) Draw($"{task} [{Bar(share)}] {percent} %{item}{left}");
            else ToolConsole.Error.WriteLine($"{task}: {percent.Trim()} %{item}{left}");
        }
    }

    /// <summary>Removes the bar, so that what follows starts on a clean line.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_drawn == 0) return;
            Draw("");
            ToolConsole.Error.Write('\r');
        }
    }

    private static string Bar(double share)
    {
        int filled = (int)(Math.Clamp(share, 0, 1) * BarCells);
        return new string('#', filled) + new string('.', BarCells - filled);
    }

    private static string Duration(TimeSpan time) => time.TotalSeconds < 100
        ? string.Create(CultureInfo.InvariantCulture, $"{Math.Ceiling(time.TotalSeconds)} s")
        : string.Create(CultureInfo.InvariantCulture, $"{Math.Ceiling(time.TotalMinutes)} min");

    // Blanks over the rest of the line before: works on every terminal, without escape sequences.
    private void Draw(string text)
    {
        int width = Math.Max(20, TerminalWidth() - 1);
        string shown = text.Length > width ? text[..width] : text;
        ToolConsole.Error.Write("\r" + shown.PadRight(Math.Min(_drawn, width)));
        _drawn = shown.Length;
    }

    private static int TerminalWidth()
    {
        try
        {
            return Console.WindowWidth > 0 ? Console.WindowWidth : 80;
        }
        catch (IOException) // standard output is no terminal
        {
            return 80;
        }
    }
}
