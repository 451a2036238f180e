using System.Buffers;
using System.Text;
using TensorCompress.Tokenization.Unicode;

namespace TensorCompress.Tokenization.Words;

/// <summary>Unigram: the tokens whose scores have the largest sum (Viterbi). What has no token is unknown, a run of it one token, or its bytes where the vocabulary has all of them.</summary>
internal sealed class UnigramModel : WordModel
{
    private const double UnknownPenalty = 10;

    private readonly TokenTable? _tokens; // null: a run of unknown characters is never a token
    private readonly double[] _scores;
    private readonly int _unknownId;
    private readonly int[]? _byteIds;
    private readonly double _unknownScore;
    private readonly bool _isSingle; // sums are rounded to single precision, as SentencePiece does
    private readonly PrefixTree _tree = new();

    private UnigramModel(TokenTable? tokens, double[] scores, int unknownId, double unknownScore, int[]? byteIds, bool isSingle)
    {
        _tokens = tokens;
        _scores = scores;
        _unknownId = unknownId;
        _unknownScore = unknownScore;
        _byteIds = byteIds;
        _isSingle = isSingle;
    }

    /// <summary>The model of a tokenizer.json: all tokens are found in texts, sums are in double precision.</summary>
    /// <param name="tokens">The tokens; those behind the last score are added ones.</param>
    /// <param name="scores">The score of each token.</param>
    /// <param name="unknownId">Id of the unknown token, or -1.</param>
    /// <param name="fallsBackToBytes">Whether unknown characters become bytes.</param>
    public static UnigramModel OfTokenizerJson(TokenTable tokens, double[] scores, int unknownId, bool fallsBackToBytes)
    {
        var model = new UnigramModel(tokens, scores, unknownId, scores.Min() - UnknownPenalty, fallsBackToBytes ? tokens.FindByteTokens() : null, isSingle: false);
        for (int id = 0; id < scores.Length; id++) model._tree.Add(tokens[id], id);
        return model;
    }

    /// <summary>The model of a SentencePiece vocabulary: sums are in single precision.</summary>
    /// <param name="pieces">The pieces that are found in texts: text, id and score.</param>
    /// <param name="count">How many ids there are.</param>
    /// <param name="minScore">The smallest score of a normal piece.</param>
    /// <param name="unknownId">Id of the unknown piece.</param>
    /// <param name="byteIds">Ids of the bytes, or null where unknown characters do not become bytes.</param>
    public static UnigramModel OfSentencePiece(IEnumerable<(string Text, int Id, double Score)> pieces, int count, float minScore, int unknownId, int[]? byteIds)
    {
        var model = new UnigramModel(null, new double[count], unknownId, (float)(minScore - UnknownPenalty), byteIds, isSingle: true);
        foreach ((string text, int id, double score) in pieces)
        {
            model._scores[id] = score;
            model._tree.Add(text, id);
        }

        return model;
    }

    public override string Kind => "unigram";

    public override void Encode(ReadOnlySpan<char> word, EncodingRun run)
    {
        if (run.Cache.TryAppend(word, run.Ids, out ulong hash)) return;
        int before = run.Ids.Count;
        double[] scores = ArrayPool<double>.Shared.Rent(word.Length + 1);
        int[] starts = ArrayPool<int>.Shared.Rent(word.Length + 1);
        int[] ids = ArrayPool<int>.Shared.Rent(word.Length + 1);
        FindBest(word, scores, starts, ids);
        AppendBest(word, starts, ids, run);
        ArrayPool<double>.Shared.Return(scores);
        ArrayPool<int>.Shared.Return(starts);
        ArrayPool<int>.Shared.Return(ids);
        run.Cache.Add(word, hash, System.Runtime.InteropServices.CollectionsMarshal.AsSpan(run.Ids)[before..]);
    }

    // For each place the best way to it: its score, and where its last token begins.
    private void FindBest(ReadOnlySpan<char> word, double[] scores, int[] starts, int[] ids)
    {
        Array.Fill(starts, -1, 0, word.Length + 1);
        scores[0] = 0;
        for (int start = 0; start < word.Length;)
        {
            CodePoints.At(word, start, out int length);
            bool hasSingle = false;
            int node = PrefixTree.Root;
            for (int end = start; end < word.Length && (node = _tree.Step(node, word[end])) >= 0;)
            {
                end++;
                int id = _tree.Value(node);
                if (id < 0) continue;
                Improve(start, end, id, scores[start] + _scores[id]);
                hasSingle |= end - start == length;
            }

            double unknown = scores[start] + _unknownScore;
            if (!hasSingle) Improve(start, start + length, _unknownId, _isSingle ? (float)unknown : unknown);
            start += length;
        }

        void Improve(int start, int end, int id, double score)
        {
            if (starts[end] >= 0 && score <= scores[end]) return;
            scores[end] = _isSingle ? (float)score : score;
            starts[end] = start;
            ids[end] = id;
        }
    }

    // The tokens come out last first; neighbours that are unknown are one.
    private void AppendBest(ReadOnlySpan<char> word, int[] starts, int[] ids, EncodingRun run)
    {
        int[] ends = run.Symbols(word.Length + 1);
        int count = 0;
        for (int end = word.Length; end > 0; end = starts[end]) ends[count++] = end;
        while (count > 0)
        {
            int end = ends[--count];
            int start = starts[end];
            if (ids[end] != _unknownId)
            {
                run.Ids.Add(ids[end]);
                continue;
            }

            while (count > 0 && ids[ends[count - 1]] == _unknownId) end = ends[--count];
            AppendUnknown(word[start..end], run);
        }
    }

    private void AppendUnknown(ReadOnlySpan<char> text, EncodingRun run)
    {
        int before = run.Ids.Count;
        if (_tokens?.Find(text) is int known and >= 0) run.Ids.Add(known);
        else if (_byteIds is null || !TryAppendBytes(text, _byteIds, run.Ids))
        {
            run.Ids.RemoveRange(before, run.Ids.Count - before);
            if (_unknownId >= 0) run.Ids.Add(_unknownId);
        }
    }

    private static bool TryAppendBytes(ReadOnlySpan<char> text, int[] byteIds, List<int> ids)
    {
        Span<byte> utf8 = stackalloc byte[4];
        foreach (Rune rune in text.EnumerateRunes())
        {
            foreach (byte value in utf8[..rune.EncodeToUtf8(utf8)])
            {
                if (byteIds[value] < 0) return false;
                ids.Add(byteIds[value]);
            }
        }

        return true;
    }
}
