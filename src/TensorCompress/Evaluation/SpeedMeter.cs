using System.Diagnostics;
using TensorCompress.Inference;
using TensorCompress.Interop;
using TensorCompress.Kernels;

namespace TensorCompress.Evaluation;

/// <summary>Measures how fast a model runs.</summary>
public static class SpeedMeter
{
    /// <summary>Takes in a prompt and generates greedily, several times, each time from the beginning.</summary>
    /// <param name="model">The model.</param>
    /// <param name="options">Lengths and repetitions; null for the defaults, cut to the model's context.</param>
    /// <param name="progress">Told the share that is done.</param>
    /// <param name="cancellationToken">Looked at between blocks.</param>
    /// <exception cref="ArgumentException">Prompt and generated tokens do not fit into the context.</exception>
    public static SpeedMeasurement Measure(
        LanguageModel model, SpeedOptions? options = null, IProgress<double>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        options ??= DefaultsFor(model.Definition.ContextLength);
        int length = checked(options.PromptTokens + options.GenerateTokens);
        if (length > model.Definition.ContextLength)
            throw new ArgumentException($"{options.PromptTokens} tokens of prompt and {options.GenerateTokens} generated do not fit into a context of {model.Definition.ContextLength}.", nameof(options));
        int[] prompt = [.. Enumerable.Range(0, options.PromptTokens).Select(i => (int)((7919L * i + 1) % model.Definition.VocabularySize))];
        var runs = new List<Run>(options.Repetitions);
        using Session session = model.CreateSession(length);
        EnergyCounter? energy = EnergyCounter.TryOpen();
        for (int repetition = 0; repetition <= options.Repetitions; repetition++)
        {
            progress?.Report(repetition / (options.Repetitions + 1.0));
            Run run = MeasureOnce(session, prompt, options.GenerateTokens, energy, cancellationToken);
            if (repetition > 0) runs.Add(run); // the first warms up
        }

        progress?.Report(1);
        return new SpeedMeasurement
        {
            PrefillTokensPerSecond = options.PromptTokens / Median(runs.Select(run => run.PrefillSeconds)),
            DecodeTokensPerSecond = options.GenerateTokens / Median(runs.Select(run => run.DecodeSeconds)),
            PeakBytes = Process.GetCurrentProcess().PeakWorkingSet64,
            ModelBytes = model.ResidentBytes,
            Threads = model.Options.Pool.Threads,
            Cost = DecodeCost.Of(model, options.PromptTokens + options.GenerateTokens / 2),
            CpuSecondsPerToken = Median(runs.Select(run => run.CpuSeconds)) / options.GenerateTokens,
            JoulesPerToken = energy is null ? null : Median(runs.Select(run => run.Joules)) / options.GenerateTokens,
        };
    }

    /// <summary>The default lengths, or what of them fits into a context: three quarters of it for the prompt at most.</summary>
    public static SpeedOptions DefaultsFor(int contextLength)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(contextLength, 2);
        var defaults = new SpeedOptions();
        int prompt = Math.Min(defaults.PromptTokens, Math.Max(1, contextLength * 3 / 4));
        return defaults with { PromptTokens = prompt, GenerateTokens = Math.Min(defaults.GenerateTokens, contextLength - prompt) };
    }

    private static Run MeasureOnce(Session session, int[] prompt, int count, EnergyCounter? energy, CancellationToken cancellationToken)
    {
        session.Rewind(0);
        long start = Stopwatch.GetTimestamp();
        int next = Extremes.IndexOfMax(session.Append(prompt, cancellationToken));
        double prefill = Stopwatch.GetElapsedTime(start).TotalSeconds;

        TimeSpan cpu = Environment.CpuUsage.TotalTime;
        double joules = energy?.ReadJoules() ?? 0;
        start = Stopwatch.GetTimestamp();
        Span<int> token = stackalloc int[1];
        for (int i = 0; i < count; i++)
        {
            token[0] = next;
            next = Extremes.IndexOfMax(session.Append(token, cancellationToken));
        }

        double decode = Stopwatch.GetElapsedTime(start).TotalSeconds;
        return new Run(prefill, decode, (Environment.CpuUsage.TotalTime - cpu).TotalSeconds, (energy?.ReadJoules() ?? 0) - joules);
    }

    private static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }

    private sealed record Run(double PrefillSeconds, double DecodeSeconds, double CpuSeconds, double Joules);
}
