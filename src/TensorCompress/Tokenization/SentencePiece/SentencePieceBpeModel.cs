using System.Runtime.InteropServices;
using System.Text;
using TensorCompress.Tokenization.Merging;
using TensorCompress.Tokenization.Unicode;
using TensorCompress.Tokenization.Words;

namespace TensorCompress.Tokenization.SentencePiece;

/// <summary>SentencePiece's byte-pair model: characters, of which neighbours become the piece of the best score; user-defined pieces stand as they are.</summary>
internal sealed class SentencePieceBpeModel : WordModel
{
    private const char Mark = '\u2581';

    private readonly TokenBytes _bytes;
    private readonly uint[] _priorities;
    private readonly bool[]? _isUnused;
    private readonly int _unknownId;
    private readonly int[]? _byteIds;
    private readonly PrefixTree? _userDefined;
    private readonly bool _cutsAtMarks;

    /// <summary>Takes a vocabulary.</summary>
    public SentencePieceBpeModel(IReadOnlyList<Piece> pieces, int unknownId, int[]? byteIds, PrefixTree? userDefined)
    {
        _unknownId = unknownId;
        _byteIds = byteIds;
        _userDefined = userDefined;
        var bytes = new List<byte>();
        var ends = new int[pieces.Count];
        for (int id = 0; id < ends.Length; id++)
        {
            bytes.AddRange(Encoding.UTF8.GetBytes(pieces[id].Text));
            ends[id] = bytes.Count;
        }

        bool IsFound(int id) => pieces[id].Type is PieceType.Normal or PieceType.UserDefined or PieceType.Unused;
        _bytes = new TokenBytes([.. bytes], ends);
        _bytes.BuildIndex(IsFound);
        _priorities = ScoredMerges.PrioritiesOf([.. pieces.Select(piece => piece.Score)], IsFound);
        if (pieces.Any(piece => piece.Type == PieceType.Unused)) _isUnused = [.. pieces.Select(piece => piece.Type == PieceType.Unused)];
        _cutsAtMarks = !Enumerable.Range(0, pieces.Count).Any(id => IsFound(id) && HasInnerMark(pieces[id].Text));
    }

    public override string Kind => "SentencePiece BPE";

    public override void Encode(ReadOnlySpan<char> word, EncodingRun run)
    {
        while (_cutsAtMarks)
        {
            // No piece reaches across the mark of the next word, and short words are remembered.
            int start = word.IndexOfAnyExcept(Mark);
            int length = start < 0 ? -1 : word[start..].IndexOf(Mark);
            if (length < 0) break;
            EncodeWord(word[..(start + length)], run);
            word = word[(start + length)..];
        }

        EncodeWord(word, run);
    }

    private static bool HasInnerMark(string text)
    {
        int start = text.AsSpan().IndexOfAnyExcept(Mark);
        return start >= 0 && text.AsSpan(start).Contains(Mark);
    }

    private void EncodeWord(ReadOnlySpan<char> word, EncodingRun run)
    {
        if (run.Cache.TryAppend(word, run.Ids, out ulong hash)) return;
        int before = run.Ids.Count;
        bool wasUnknown = false;
        int done = 0;
        for (int at = 0; _userDefined is not null && at < word.Length;)
        {
            int id = _userDefined.LongestAt(word[at..], out int length);
            if (id < 0)
            {
                CodePoints.At(word, at, out length);
                at += length;
                continue;
            }

            MergePart(word[done..at], run, ref wasUnknown);
            run.Ids.Add(id);
            wasUnknown = false;
            done = at += length;
        }

        MergePart(word[done..], run, ref wasUnknown);
        run.Cache.Add(word, hash, CollectionsMarshal.AsSpan(run.Ids)[before..]);
    }

    private void MergePart(ReadOnlySpan<char> part, EncodingRun run, ref bool wasUnknown)
    {
        Dictionary<int, (int Left, int Right)>? parts = _isUnused is null ? null : [];
        var rules = new ScoredMerges(_bytes, _priorities, _isUnused, parts);
        Span<int> symbols = run.Symbols(part.Length);
        Span<byte> utf8 = stackalloc byte[4];
        int count = 0;
        for (int i = 0; i < part.Length;)
        {
            ReadOnlySpan<byte> character = utf8[..CodePoints.EncodeUtf8(CodePoints.At(part, i, out int length), utf8)];
            i += length;
            int id = _bytes.Find(character);
            if (id >= 0)
            {
                symbols[count++] = id;
                continue;
            }

            // What has no piece merges with nothing.
            Append(symbols[..count], rules, parts, run, ref wasUnknown);
            count = 0;
            AppendUnknown(character, run, ref wasUnknown);
        }

        Append(symbols[..count], rules, parts, run, ref wasUnknown);
    }

    private void Append(Span<int> symbols, ScoredMerges rules, Dictionary<int, (int Left, int Right)>? parts, EncodingRun run, ref bool wasUnknown)
    {
        if (symbols.IsEmpty) return;
        wasUnknown = false;
        int count = PairMerger.Merge(symbols, rules);
        if (parts is null) run.Ids.AddRange(symbols[..count]);
        else foreach (int id in symbols[..count]) AppendParts(id, parts, run.Ids);
    }

    private void AppendParts(int id, Dictionary<int, (int Left, int Right)> parts, List<int> ids)
    {
        var waiting = new Stack<int>([id]);
        while (waiting.TryPop(out int next))
        {
            if (_isUnused![next] && parts.TryGetValue(next, out (int Left, int Right) both))
            {
                waiting.Push(both.Right);
                waiting.Push(both.Left);
            }
            else ids.Add(next);
        }
    }

    // Bytes, or one unknown piece for neighbours.
    private void AppendUnknown(ReadOnlySpan<byte> character, EncodingRun run, ref bool wasUnknown)
    {
        if (_byteIds is not null)
        {
            foreach (byte value in character) run.Ids.Add(_byteIds[value]);
        }
        else if (!wasUnknown) run.Ids.Add(_unknownId);
        wasUnknown = true;
    }
}
