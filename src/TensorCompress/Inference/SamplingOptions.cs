namespace TensorCompress.Inference;

/// <summary>How the next token is chosen. Order: temperature, top-k, top-p, min-p, then a draw; temperature 0 is greedy.</summary>
public sealed record SamplingOptions
{
    /// <summary>Greedy: always the largest logit, the lower id where two are equal.</summary>
    public static SamplingOptions Greedy { get; } = new() { Temperature = 0 };

    /// <summary>Divisor of the logits, 0 (greedy) or more.</summary>
    public float Temperature
    {
        get;
        init => field = float.IsFinite(value) && value >= 0 ? value : throw new ArgumentOutOfRangeException(nameof(Temperature), value, "A temperature is 0 or more.");
    } = 1f;

    /// <summary>Keeps the K most probable tokens; 0 keeps all.</summary>
    public int TopK
    {
        get;
        init => field = value >= 0 ? value : throw new ArgumentOutOfRangeException(nameof(TopK), value, "Top-k is 0 (off) or more.");
    }

    /// <summary>Keeps the most probable tokens until their sum reaches P; 1 keeps all.</summary>
    public float TopP
    {
        get;
        init => field = value is > 0 and <= 1 ? value : throw new ArgumentOutOfRangeException(nameof(TopP), value, "Top-p is above 0 and at most 1.");
    } = 1f;

    /// <summary>Keeps tokens with at least this share of the most probable one's probability; 0 keeps all.</summary>
    public float MinP
    {
        get;
        init => field = value is >= 0 and <= 1 ? value : throw new ArgumentOutOfRangeException(nameof(MinP), value, "Min-p is 0 to 1.");
    }

    /// <summary>Seed of the draws: the same seed, prompt and options give the same text.</summary>
    public ulong Seed { get; init; }
}
