using System.Runtime.InteropServices;
using System.Text;

namespace TensorCompress.Tokenization.Merging;

/// <summary>How often each pair of neighbours stands in the words of some texts, kept up while pairs are merged.</summary>
internal sealed class PairCounts
{
    private readonly List<byte[]> _tokens;
    private readonly List<(int[] Symbols, long Count)> _words = [];
    private readonly Dictionary<(int Left, int Right), long> _counts = [];
    private readonly Dictionary<(int Left, int Right), HashSet<int>> _wordsOfPair = [];
    private readonly PriorityQueue<(int Left, int Right), Candidate> _queue; // its entries may be out of date

    /// <summary>Counts the pairs of words.</summary>
    /// <param name="words">Words and how often each stands in the texts.</param>
    /// <param name="idOfByte">The id of each byte.</param>
    /// <param name="tokens">The bytes of each id; grows with the merges.</param>
    public PairCounts(Dictionary<string, long> words, int[] idOfByte, List<byte[]> tokens)
    {
        _tokens = tokens;
        _queue = new(Comparer<Candidate>.Create(Compare));
        foreach ((string word, long count) in words)
        {
            int[] symbols = [.. Encoding.UTF8.GetBytes(word).Select(value => idOfByte[value])];
            if (symbols.Length < 2) continue;
            _words.Add((symbols, count));
            Count(_words.Count - 1, 1);
        }

        foreach (((int Left, int Right) pair, long count) in _counts) _queue.Enqueue(pair, new Candidate(count, pair.Left, pair.Right));
    }

    /// <summary>Takes the most frequent pair.</summary>
    public bool TryTakeBest(long minFrequency, out int left, out int right)
    {
        while (_queue.TryDequeue(out (int Left, int Right) pair, out Candidate candidate))
        {
            long count = _counts.GetValueOrDefault(pair);
            if (count == candidate.Count && count >= minFrequency)
            {
                (left, right) = pair;
                return true;
            }

            // It has become rarer since it was put there; what has become more frequent was put there again.
            if (count < candidate.Count && count >= minFrequency) _queue.Enqueue(pair, new Candidate(count, pair.Left, pair.Right));
        }

        (left, right) = (-1, -1);
        return false;
    }

    /// <summary>Puts a token in the place of a pair, in all words.</summary>
    public void Merge(int left, int right, int merged)
    {
        if (!_wordsOfPair.Remove((left, right), out HashSet<int>? words)) return;
        var changed = new HashSet<(int Left, int Right)>();
        foreach (int word in words)
        {
            Count(word, -1);
            _words[word] = (Merged(_words[word].Symbols, left, right, merged), _words[word].Count);
            Count(word, 1);
            int[] symbols = _words[word].Symbols;
            for (int i = 0; i + 1 < symbols.Length; i++)
            {
                if (symbols[i] == merged || symbols[i + 1] == merged) changed.Add((symbols[i], symbols[i + 1]));
            }
        }

        _counts.Remove((left, right));
        foreach ((int Left, int Right) pair in changed) _queue.Enqueue(pair, new Candidate(_counts[pair], pair.Left, pair.Right));
    }

    private void Count(int word, int sign)
    {
        (int[] symbols, long count) = _words[word];
        for (int i = 0; i + 1 < symbols.Length; i++)
        {
            (int, int) pair = (symbols[i], symbols[i + 1]);
            CollectionsMarshal.GetValueRefOrAddDefault(_counts, pair, out _) += sign * count;
            if (sign < 0) continue;
            ref HashSet<int>? words = ref CollectionsMarshal.GetValueRefOrAddDefault(_wordsOfPair, pair, out _);
            (words ??= []).Add(word);
        }
    }

    private static int[] Merged(int[] symbols, int left, int right, int merged)
    {
        var result = new List<int>(symbols.Length);
        for (int i = 0; i < symbols.Length; i++)
        {
            bool isPair = symbols[i] == left && i + 1 < symbols.Length && symbols[i + 1] == right;
            result.Add(isPair ? merged : symbols[i]);
            if (isPair) i++;
        }

        return [.. result];
    }

    // The more frequent first, then the greater.
    private int Compare(Candidate x, Candidate y)
    {
        if (x.Count != y.Count) return y.Count.CompareTo(x.Count);
        int left = _tokens[y.Left].AsSpan().SequenceCompareTo(_tokens[x.Left]);
        return left != 0 ? left : _tokens[y.Right].AsSpan().SequenceCompareTo(_tokens[x.Right]);
    }

    private readonly record struct Candidate(long Count, int Left, int Right);
}
