using System.Runtime.CompilerServices;
using System.Text;
using TensorCompress.Kernels;
using TensorCompress.Tokenization;

namespace TensorCompress.Inference;

/// <summary>Why a text ended.</summary>
public enum FinishReason
{
    /// <summary>The model produced an end token.</summary>
    EndOfText,

    /// <summary>A stop text appeared.</summary>
    StopText,

    /// <summary>The limit of new tokens, or the context, was reached.</summary>
    Length,
}

/// <summary>What to generate.</summary>
public sealed record GenerationOptions
{
    /// <summary>New tokens at most.</summary>
    public int MaxTokens
    {
        get;
        init => field = value >= 0 ? value : throw new ArgumentOutOfRangeException(nameof(MaxTokens), value, "A number of tokens is 0 or more.");
    } = 256;

    /// <summary>How tokens are chosen.</summary>
    public SamplingOptions Sampling { get; init; } = SamplingOptions.Greedy;

    /// <summary>Texts that end the generation; they are not part of the result.</summary>
    public IReadOnlyList<string> StopTexts { get; init; } = [];

    /// <summary>Whether end tokens are generated like others instead of ending the text.</summary>
    public bool IgnoreEndOfText { get; init; }

    /// <summary>For each new token, log-probabilities of this many best tokens; 0 for none.</summary>
    public int LogProbabilities
    {
        get;
        init => field = value is >= 0 and <= 1000 ? value : throw new ArgumentOutOfRangeException(nameof(LogProbabilities), value, "0 to 1000 log-probabilities.");
    }
}

/// <summary>A token and its log-probability (natural).</summary>
public readonly record struct TokenLogProbability(int Id, double LogProbability);

/// <summary>One step of a generation.</summary>
/// <param name="Id">The new token; -1 in a last piece that only carries held-back text.</param>
/// <param name="Text">Text that is complete now; may be empty while a character or a stop text is undecided.</param>
/// <param name="Best">The best tokens at this step, when asked for.</param>
/// <param name="FinishReason">Set in the last piece.</param>
public sealed record GeneratedPiece(int Id, string Text, IReadOnlyList<TokenLogProbability> Best, FinishReason? FinishReason);

/// <summary>Generates text or ids with a session.</summary>
public static class TextGenerator
{
    /// <summary>Generates from a prompt text, encoded with the special tokens that the tokenizer adds.</summary>
    /// <param name="session">A session; the prompt follows what it has seen.</param>
    /// <param name="prompt">The prompt.</param>
    /// <param name="options">What to generate; null for greedy, 256 tokens.</param>
    /// <param name="cancellationToken">Ends the stream.</param>
    /// <exception cref="InvalidOperationException">The model has no tokenizer.</exception>
    public static IAsyncEnumerable<GeneratedPiece> GenerateAsync(this Session session, string prompt, GenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        Tokenizer tokenizer = session.Model.Tokenizer ?? throw new InvalidOperationException("The model has no tokenizer: generate from ids, or load it with TokenizerPath.");
        return session.GenerateAsync(tokenizer.Encode(prompt, new EncodeOptions()), options, cancellationToken);
    }

    /// <summary>Generates from prompt ids. Each step runs on a thread of the pool of .NET, so the caller's thread stays free.</summary>
    /// <inheritdoc cref="Generate"/>
    public static async IAsyncEnumerable<GeneratedPiece> GenerateAsync(
        this Session session, int[] promptIds, GenerationOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        using IEnumerator<GeneratedPiece> pieces = session.Generate(promptIds, options, cancellationToken).GetEnumerator();
        while (await Task.Run(pieces.MoveNext, cancellationToken).ConfigureAwait(false)) yield return pieces.Current;
    }

    /// <summary>Generates from prompt ids.</summary>
    /// <param name="session">A session; the prompt follows what it has seen.</param>
    /// <param name="promptIds">At least one id.</param>
    /// <param name="options">What to generate; null for greedy, 256 tokens.</param>
    /// <param name="cancellationToken">Ends the stream.</param>
    /// <exception cref="ArgumentException">The prompt is empty, does not fit into the context, or has ids outside the vocabulary.</exception>
    public static IEnumerable<GeneratedPiece> Generate(this Session session, IReadOnlyList<int> promptIds, GenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(session);
        ArgumentNullException.ThrowIfNull(promptIds);
        options ??= new GenerationOptions();
        if (promptIds.Count == 0) throw new ArgumentException("A prompt of at least one token is required.", nameof(promptIds));
        return Stream(session, [.. promptIds], options, cancellationToken);
    }

    /// <summary>The K most probable tokens of logits.</summary>
    public static IReadOnlyList<TokenLogProbability> Best(ReadOnlySpan<float> logits, int count)
    {
        if (count == 0) return [];
        double logSum = Softmax.LogSumExp(logits);
        var ids = new int[logits.Length];
        var keys = new float[logits.Length];
        for (int id = 0; id < logits.Length; id++) (ids[id], keys[id]) = (id, -logits[id]);
        Array.Sort(keys, ids); // unstable: equal logits are put in order of ids below
        var best = new TokenLogProbability[Math.Min(count, ids.Length)];
        int taken = 0;
        for (int start = 0; taken < best.Length;)
        {
            int end = start + 1;
            while (end < keys.Length && keys[end] == keys[start]) end++;
            Array.Sort(ids, start, end - start);
            for (; start < end && taken < best.Length; start++) best[taken++] = new TokenLogProbability(ids[start], -keys[start] - logSum);
            start = end;
        }

        return best;
    }

    private static IEnumerable<GeneratedPiece> Stream(Session session, int[] prompt, GenerationOptions options, CancellationToken cancellationToken)
    {
        var sampler = new Sampler(options.Sampling);
        Tokenizer? tokenizer = session.Model.Tokenizer;
        TokenStreamDecoder? decoder = tokenizer?.CreateDecoder();
        // The decoder sees the prompt too: whether a blank begins the text, and what completes a character, depends on what came before.
        foreach (int id in prompt) decoder?.Append(id);
        var stop = new StopTextFilter(options.StopTexts);
        HashSet<int> ends = options.IgnoreEndOfText || tokenizer is null ? [] : [.. tokenizer.EndOfTextIds];
        int[] pending = prompt;
        for (int made = 0; made < options.MaxTokens && session.Position + pending.Length <= session.Capacity; made++)
        {
            (int id, IReadOnlyList<TokenLogProbability> best) = Step(session, pending, sampler, options, cancellationToken);
            if (ends.Contains(id))
            {
                yield return new GeneratedPiece(id, stop.Push(decoder?.Flush() ?? "") + stop.Flush(), best, FinishReason.EndOfText);
                yield break;
            }

            string text = stop.Push(decoder?.Append(id) ?? "");
            yield return new GeneratedPiece(id, text, best, stop.IsHit ? FinishReason.StopText : null);
            if (stop.IsHit) yield break;
            pending = [id];
        }

        string rest = stop.Push(decoder?.Flush() ?? "");
        yield return new GeneratedPiece(-1, rest + stop.Flush(), [], stop.IsHit ? FinishReason.StopText : FinishReason.Length);
    }

    private static (int Id, IReadOnlyList<TokenLogProbability> Best) Step(Session session, int[] pending, Sampler sampler, GenerationOptions options, CancellationToken cancellationToken)
    {
        ReadOnlySpan<float> logits = session.Append(pending, cancellationToken);
        return (sampler.Next(logits), Best(logits, options.LogProbabilities));
    }

    /// <summary>Holds back text that may be the beginning of a stop text.</summary>
    private sealed class StopTextFilter(IReadOnlyList<string> stops)
    {
        private readonly StringBuilder _held = new();

        public bool IsHit { get; private set; }

        public string Push(string text)
        {
            if (IsHit) return "";
            if (stops.Count == 0) return text;
            string all = _held.Append(text).ToString();
            _held.Clear();
            int hit = stops.Where(stop => stop.Length > 0).Select(stop => all.IndexOf(stop, StringComparison.Ordinal)).Where(index => index >= 0).DefaultIfEmpty(-1).Min();
            if (hit >= 0)
            {
                IsHit = true;
                return all[..hit];
            }

            int held = stops.Max(stop => LongestOverlap(all, stop));
            _held.Append(all, all.Length - held, held);
            return all[..^held];
        }

        public string Flush()
        {
            string rest = IsHit ? "" : _held.ToString();
            _held.Clear();
            return rest;
        }

        // Length of the longest end of the text that begins the stop text.
        private static int LongestOverlap(string text, string stop)
        {
            for (int length = Math.Min(text.Length, stop.Length - 1); length > 0; length--)
            {
                if (text.AsSpan(text.Length - length).SequenceEqual(stop.AsSpan(0, length))) return length;
            }

            return 0;
        }
    }
}
