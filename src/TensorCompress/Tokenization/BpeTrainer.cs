using System.Runtime.InteropServices;
using System.Text;
using TensorCompress.Tokenization.Merging;
using TensorCompress.Tokenization.Normalizers;
using TensorCompress.Tokenization.Splitting;
using TensorCompress.Tokenization.Unicode;
using TensorCompress.Tokenization.Words;

namespace TensorCompress.Tokenization;

/// <summary>What a byte-pair vocabulary is trained to be. Immutable.</summary>
public sealed record BpeTrainingOptions
{
    /// <summary>How many tokens there will be: special ones, 256 bytes, and merges. Fewer where the texts have no pair left.</summary>
    public required int VocabularySize { get; init; }

    /// <summary>Special tokens, which get the first ids and end words where they stand in the texts.</summary>
    public IReadOnlyList<string> SpecialTokens { get; init; } = ["<|endoftext|>"];

    /// <summary>How texts are cut into words.</summary>
    public PreTokenizer PreTokenizer { get; init; } = PreTokenizers.Gpt2;

    /// <summary>How often a pair must stand in the texts to be merged.</summary>
    public long MinFrequency { get; init; } = 1;
}

/// <summary>
/// Trains byte-level byte-pair vocabularies: the most frequent pair of neighbours becomes a token, again and again; of equally frequent ones the pair whose bytes are
/// greater, the left part first. The same texts give the same vocabulary.
/// </summary>
public static class BpeTrainer
{
    /// <summary>Trains a vocabulary.</summary>
    /// <param name="texts">The texts, one after the other; words do not reach from one into the next.</param>
    /// <param name="options">Size, special tokens, pre-tokenizer.</param>
    /// <param name="progress">Gets the number of tokens so far, or null.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="ArgumentException">The size has no room for the special tokens and 256 bytes, or a special token is empty or stands twice.</exception>
    /// <exception cref="OperationCanceledException">The work was cancelled.</exception>
    public static ByteLevelBpeVocabulary Train(IEnumerable<string> texts, BpeTrainingOptions options, IProgress<int>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(texts);
        ArgumentNullException.ThrowIfNull(options);
        Check(options);
        List<byte[]> tokens = [.. options.SpecialTokens.Select(Encoding.UTF8.GetBytes)];
        var idOfByte = new int[256];
        foreach (byte value in ByteAlphabet.InOrder)
        {
            idOfByte[value] = tokens.Count;
            tokens.Add([value]);
        }

        var merges = new List<BpeMerge>();
        var pairs = new PairCounts(CountWords(texts, options, cancellationToken), idOfByte, tokens);
        while (tokens.Count < options.VocabularySize && pairs.TryTakeBest(options.MinFrequency, out int left, out int right))
        {
            cancellationToken.ThrowIfCancellationRequested();
            merges.Add(new BpeMerge(left, right, tokens.Count));
            tokens.Add([.. tokens[left], .. tokens[right]]);
            pairs.Merge(left, right, tokens.Count - 1);
            progress?.Report(tokens.Count);
        }

        int special = options.SpecialTokens.Count;
        return new ByteLevelBpeVocabulary
        {
            Tokens = [.. options.SpecialTokens, .. tokens.Skip(special).Select(token => string.Concat(token.Select(ByteAlphabet.Character)))],
            Merges = merges,
            PreTokenizer = options.PreTokenizer,
            AddedTokens = [.. options.SpecialTokens.Select((text, id) => new AddedToken(id, text, IsSpecial: true))],
        };
    }

    private static void Check(BpeTrainingOptions options)
    {
        int smallest = options.SpecialTokens.Count + 256;
        if (options.VocabularySize < smallest) throw new ArgumentException($"A vocabulary of {options.VocabularySize} has no room for {options.SpecialTokens.Count} special tokens and 256 bytes.", nameof(options));
        if (options.SpecialTokens.Any(string.IsNullOrEmpty)) throw new ArgumentException("A special token is empty.", nameof(options));
        if (options.SpecialTokens.Distinct(StringComparer.Ordinal).Count() < options.SpecialTokens.Count) throw new ArgumentException("A special token stands twice.", nameof(options));
        if (!options.PreTokenizer.EndsAsBytes) throw new ArgumentException($"The pre-tokenizer '{options.PreTokenizer.Name}' cuts bytes instead of texts.", nameof(options));
    }

    private static Dictionary<string, long> CountWords(IEnumerable<string> texts, BpeTrainingOptions options, CancellationToken cancellationToken)
    {
        var counter = new WordCounter();
        var run = new EncodingRun(options.PreTokenizer.Stages, counter);
        var special = new AddedTokenMatcher(options.SpecialTokens.Select((text, id) => (new AddedToken(id, text, IsSpecial: true), text)));
        foreach (string text in texts)
        {
            cancellationToken.ThrowIfCancellationRequested();
            ReadOnlySpan<char> wellFormed = CodePoints.HasLoneSurrogate(text) ? Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text)) : text;
            int done = 0;
            int from = 0;
            while (special.Find(wellFormed, done, ref from, parsesSpecial: true, out int start, out int end) is not null)
            {
                CountPart(wellFormed[done..start]);
                done = end;
            }

            CountPart(wellFormed[done..]);
        }

        return counter.Counts;

        void CountPart(ReadOnlySpan<char> part)
        {
            if (!part.IsEmpty) run.Pass(TextNormalizer.ApplyAll(options.PreTokenizer.Normalizers, part, run), isFirst: true, 0);
        }
    }

    private sealed class WordCounter : WordModel
    {
        public Dictionary<string, long> Counts { get; } = new(StringComparer.Ordinal);

        public override string Kind => "none";

        public override void Encode(ReadOnlySpan<char> word, EncodingRun run) =>
            CollectionsMarshal.GetValueRefOrAddDefault(Counts.GetAlternateLookup<ReadOnlySpan<char>>(), word, out _)++;
    }
}
