using System.Diagnostics;
using TensorCompress.Inference;
using TensorCompress.Kernels;
using TensorCompress.Tensors;

namespace TensorCompress.Evaluation;

/// <summary>Measures perplexity, and with a reference model KL divergence and agreement, over token windows.</summary>
public static class Evaluator
{
    /// <summary>Bytes of logits that are held per model.</summary>
    private const int LogitsBytes = 32 << 20;

    /// <summary>Runs every window from an empty cache and scores each token but the first by the logits before it.</summary>
    /// <param name="model">The model to measure.</param>
    /// <param name="windows">Token windows of two tokens or more (<see cref="EvaluationWindows"/>).</param>
    /// <param name="reference">The model to compare with, usually the dense one; null for none.</param>
    /// <param name="progress">Told after each window; may be null.</param>
    /// <param name="cancellationToken">Looked at between blocks.</param>
    /// <exception cref="ArgumentException">The vocabularies differ, or a window is too short or too long.</exception>
    /// <exception cref="ArithmeticException">A logit is not finite.</exception>
    public static EvaluationResult Evaluate(
        LanguageModel model, IReadOnlyList<int[]> windows, LanguageModel? reference = null, IProgress<EvaluationProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(windows);
        if (windows.Count == 0 || windows.Any(window => window.Length < 2)) throw new ArgumentException("Windows of two tokens or more are required.", nameof(windows));
        int vocabulary = model.Definition.VocabularySize;
        if (reference is not null && reference.Definition.VocabularySize != vocabulary)
            throw new ArgumentException($"The reference has {reference.Definition.VocabularySize} tokens, the model {vocabulary}: they cannot be compared.", nameof(reference));

        var clock = Stopwatch.StartNew();
        int longest = windows.Max(window => window.Length);
        using Session session = model.CreateSession(longest);
        using Session? referenceSession = reference?.CreateSession(longest);
        int step = Math.Clamp(LogitsBytes / (vocabulary * sizeof(float)), 1, longest);
        using var logits = new Matrix<float>(step, vocabulary);
        using var referenceLogits = new Matrix<float>(reference is null ? 0 : step, vocabulary);
        var scores = new List<PositionScore>();
        for (int index = 0; index < windows.Count; index++)
        {
            int[] window = windows[index];
            session.Rewind(0);
            referenceSession?.Rewind(0);
            for (int start = 0; start < window.Length - 1; start += step)
            {
                int count = Math.Min(step, window.Length - 1 - start);
                ReadOnlySpan<int> tokens = window.AsSpan(start, count);
                Collect(session, tokens, start, logits, cancellationToken);
                if (referenceSession is not null) Collect(referenceSession, tokens, start, referenceLogits, cancellationToken);
                var block = new PositionScore[count];
                model.Options.Pool.For(count, 1, (first, end) =>
                {
                    for (nint row = first; row < end; row++)
                        block[row] = Score(logits.Row(row), reference is null ? default : referenceLogits.Row(row), window[start + (int)row + 1]);
                });
                scores.AddRange(block);
            }

            progress?.Report(new EvaluationProgress(index + 1, windows.Count, Math.Exp(scores.Average(score => score.Loss)), clock.Elapsed));
        }

        return Summarize(scores, windows.Sum(window => (long)window.Length) / clock.Elapsed.TotalSeconds, reference is not null);
    }

    private static void Collect(Session session, ReadOnlySpan<int> tokens, int start, Matrix<float> destination, CancellationToken cancellationToken) =>
        session.Append(tokens, (position, block) => block.CopyTo(destination.RowRange(position - start, block.Rows)), null, cancellationToken);

    private static PositionScore Score(ReadOnlySpan<float> logits, ReadOnlySpan<float> reference, int target)
    {
        double logSum = Softmax.LogSumExp(logits);
        if (!double.IsFinite(logSum)) throw new ArithmeticException("A logit is not a finite number: the model is damaged or its activations overflow.");
        int best = Extremes.IndexOfMax(logits);
        double loss = logSum - logits[target];
        if (reference.IsEmpty) return new PositionScore(loss, best == target, 0, false);
        return new PositionScore(loss, best == target, Divergence(reference, logits, logSum), best == Extremes.IndexOfMax(reference));
    }

    // KL(p || q) = sum p (log p - log q), in double; p from the reference.
    private static double Divergence(ReadOnlySpan<float> reference, ReadOnlySpan<float> logits, double logSum)
    {
        double referenceLogSum = Softmax.LogSumExp(reference);
        double sum = 0;
        for (int i = 0; i < reference.Length; i++)
        {
            double logProbability = reference[i] - referenceLogSum;
            sum += Math.Exp(logProbability) * (logProbability - (logits[i] - logSum));
        }

        return Math.Max(sum, 0);
    }

    private static EvaluationResult Summarize(List<PositionScore> scores, double tokensPerSecond, bool hasReference)
    {
        double mean = scores.Average(score => score.Loss);
        double variance = scores.Count > 1 ? scores.Sum(score => (score.Loss - mean) * (score.Loss - mean)) / (scores.Count - 1) : 0;
        return new EvaluationResult
        {
            Tokens = scores.Count,
            Loss = mean,
            LossStandardError = Math.Sqrt(variance / scores.Count),
            Accuracy = scores.Count(score => score.IsHit) / (double)scores.Count,
            TokensPerSecond = tokensPerSecond,
            Kl = hasReference ? KlDivergence.Of([.. scores.Select(score => score.Divergence)]) : null,
            TopAgreement = hasReference ? scores.Count(score => score.Agrees) / (double)scores.Count : null,
        };
    }

    private readonly record struct PositionScore(double Loss, bool IsHit, double Divergence, bool Agrees);
}
