namespace TensorCompress.Evaluation;

/// <summary>What to run to measure a model's speed.</summary>
public sealed record SpeedOptions
{
    /// <summary>Tokens of the prompt.</summary>
    public int PromptTokens
    {
        get;
        init => field = value > 0 ? value : throw new ArgumentOutOfRangeException(nameof(PromptTokens), value, "A prompt has at least one token.");
    } = 128;

    /// <summary>Tokens that are generated after it.</summary>
    public int GenerateTokens
    {
        get;
        init => field = value > 0 ? value : throw new ArgumentOutOfRangeException(nameof(GenerateTokens), value, "At least one token is generated.");
    } = 32;

    /// <summary>Measured runs; one more before them is not measured.</summary>
    public int Repetitions
    {
        get;
        init => field = value > 0 ? value : throw new ArgumentOutOfRangeException(nameof(Repetitions), value, "At least one run is measured.");
    } = 5;
}

/// <summary>How fast a model runs: medians over the repetitions.</summary>
public sealed record SpeedMeasurement
{
    /// <summary>Tokens of the prompt per second.</summary>
    public required double PrefillTokensPerSecond { get; init; }

    /// <summary>Generated tokens per second, the choice of the likeliest token included.</summary>
    public required double DecodeTokensPerSecond { get; init; }

    /// <summary>The most memory that the process held so far, bytes.</summary>
    public required long PeakBytes { get; init; }

    /// <summary>Memory of the weights, bytes.</summary>
    public required long ModelBytes { get; init; }

    /// <summary>Threads of the pool.</summary>
    public required int Threads { get; init; }

    /// <summary>What a generated token costs, at the middle position of those generated.</summary>
    public required DecodeCost Cost { get; init; }

    /// <summary>Processor time of all threads per generated token, seconds; waiting threads that spin are in it.</summary>
    public required double CpuSecondsPerToken { get; init; }

    /// <summary>Energy of the processors per generated token, joules; null where the machine does not tell. All that runs on the machine is in it.</summary>
    public double? JoulesPerToken { get; init; }
}
