namespace TensorCompress.Evaluation;

/// <summary>How well a model predicts a text, and what it costs.</summary>
public sealed record EvaluationResult
{
    /// <summary>Tokens that were predicted and scored.</summary>
    public required long Tokens { get; init; }

    /// <summary>Mean negative log likelihood, nats per token.</summary>
    public required double Loss { get; init; }

    /// <summary>Standard error of <see cref="Loss"/>, tokens taken as independent.</summary>
    public required double LossStandardError { get; init; }

    /// <summary>e^loss.</summary>
    public double Perplexity => Math.Exp(Loss);

    /// <summary>Perplexity times the standard error of the loss.</summary>
    public double PerplexityStandardError => Perplexity * LossStandardError;

    /// <summary>Share of tokens that had the largest logit.</summary>
    public required double Accuracy { get; init; }

    /// <summary>Window tokens per second, without loading; with a reference, both models' time.</summary>
    public required double TokensPerSecond { get; init; }

    /// <summary>Distance to the reference model; null without one.</summary>
    public KlDivergence? Kl { get; init; }

    /// <summary>Share of positions at which model and reference have the same largest logit; null without a reference.</summary>
    public double? TopAgreement { get; init; }
}

/// <summary>Distribution over positions of KL(reference || model), in nats.</summary>
/// <param name="Mean">Mean.</param>
/// <param name="Median">Median.</param>
/// <param name="P99">99 % of positions are at or below.</param>
/// <param name="P999">99.9 % of positions are at or below.</param>
public sealed record KlDivergence(double Mean, double Median, double P99, double P999)
{
    internal static KlDivergence Of(double[] values)
    {
        Array.Sort(values);
        double Quantile(double share) => values[Math.Clamp((int)Math.Ceiling(share * values.Length) - 1, 0, values.Length - 1)];
        return new KlDivergence(values.Sum() / values.Length, Quantile(0.5), Quantile(0.99), Quantile(0.999));
    }
}

/// <summary>How far an evaluation is.</summary>
/// <param name="WindowsDone">Windows done.</param>
/// <param name="WindowCount">Windows in all.</param>
/// <param name="PerplexitySoFar">Perplexity of the windows done.</param>
/// <param name="Elapsed">Time since the beginning.</param>
public readonly record struct EvaluationProgress(int WindowsDone, int WindowCount, double PerplexitySoFar, TimeSpan Elapsed);
