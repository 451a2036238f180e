using System.Runtime.InteropServices;
using TensorCompress.Tokenization.Merging;
using TensorCompress.Tokenization.Unicode;

namespace TensorCompress.Tokenization.Words;

/// <summary>What a byte-pair model does beside merging.</summary>
internal sealed record BpeOptions
{
    /// <summary>Id of the token for characters without one, or -1: they are dropped.</summary>
    public int UnknownId { get; init; } = -1;

    /// <summary>Whether neighbouring unknown characters are one token.</summary>
    public bool FusesUnknown { get; init; }

    /// <summary>Whether a character without a token becomes the tokens of its bytes, where there are all of them.</summary>
    public bool FallsBackToBytes { get; init; }

    /// <summary>Whether a word that is a token is taken as it is.</summary>
    public bool IgnoresMerges { get; init; }

    /// <summary>What every character but the first of a word begins with.</summary>
    public string ContinuingPrefix { get; init; } = "";

    /// <summary>What the last character of a word ends with.</summary>
    public string EndSuffix { get; init; } = "";

    /// <summary>Whether words are given as texts whose bytes the tokens spell in the byte alphabet.</summary>
    public bool IsByteLevel { get; init; }
}

/// <summary>Byte-pair encoding: characters, or bytes, and then neighbours merged in the order of the merge ranks.</summary>
internal sealed class BpeModel : WordModel
{
    private readonly BpeOptions _options;
    private readonly TokenTable _tokens;
    private readonly MergeTable _merges;
    private readonly int[] _idOfByte = [];
    private readonly int[] _idOfUnit = []; // of characters of the basic plane
    private readonly int[] _byteIds;
    private readonly TokenBytes? _wholeWords;
    private readonly char _mark; // a character that no merge reaches across from the left, or 0

    /// <summary>Takes a vocabulary.</summary>
    /// <param name="tokens">Its tokens.</param>
    /// <param name="merges">Its merges in the order of their ranks.</param>
    /// <param name="options">What else it does.</param>
    /// <param name="isSpecial">Whether an id is a control token, which no word of ordinary text becomes.</param>
    public BpeModel(TokenTable tokens, IReadOnlyList<BpeMerge> merges, BpeOptions options, Func<int, bool> isSpecial)
    {
        _options = options;
        _tokens = tokens;
        _merges = new MergeTable(merges);
        _byteIds = options.FallsBackToBytes ? tokens.FindByteTokens() : [];
        if (options.IsByteLevel)
        {
            _idOfByte = [.. Enumerable.Range(0, 256).Select(value => tokens.Find([ByteAlphabet.Character((byte)value)]))];
            if (options.IgnoresMerges) _wholeWords = IndexWords(tokens, isSpecial);
        }
        else
        {
            _idOfUnit = [.. Enumerable.Range(0, char.MaxValue + 1).Select(unit => tokens.Find([(char)unit]))];
            if (FindMark(tokens, merges) is char mark and not '\0' && !options.IgnoresMerges && options is { ContinuingPrefix: "", EndSuffix: "" }) _mark = mark;
        }
    }

    public override string Kind => _options.IsByteLevel ? "byte-level BPE" : "BPE";

    public override void Encode(ReadOnlySpan<char> word, EncodingRun run)
    {
        while (_mark != 0)
        {
            // What no merge reaches across can as well be merged apart, and short words are remembered.
            int length = LengthToMark(word);
            if (length == word.Length) break;
            EncodeWord(word[..length], run);
            word = word[length..];
        }

        EncodeWord(word, run);
    }

    private void EncodeWord(ReadOnlySpan<char> word, EncodingRun run)
    {
        if (run.Cache.TryAppend(word, run.Ids, out ulong hash)) return;
        int before = run.Ids.Count;
        if (_options.IgnoresMerges && FindWhole(word, run) is int whole and >= 0) run.Ids.Add(whole);
        else
        {
            Span<int> symbols = run.Symbols(4 * word.Length + 4);
            int count = _options.IsByteLevel ? ToByteSymbols(word, symbols) : ToSymbols(word, symbols, run);
            count = PairMerger.Merge(symbols[..count], _merges);
            run.Ids.AddRange(symbols[..count]);
        }

        run.Cache.Add(word, hash, CollectionsMarshal.AsSpan(run.Ids)[before..]);
    }

    private int LengthToMark(ReadOnlySpan<char> word)
    {
        int start = 0;
        while (start < word.Length && word[start] == _mark) start++;
        int found = word[start..].IndexOf(_mark);
        return found < 0 ? word.Length : start + found;
    }

    private int FindWhole(ReadOnlySpan<char> word, EncodingRun run)
    {
        if (_wholeWords is null) return _tokens.Find(word);
        Span<byte> utf8 = MemoryMarshal.AsBytes(run.Symbols(word.Length).AsSpan()); // four bytes for each symbol
        return _wholeWords.Find(utf8[..System.Text.Encoding.UTF8.GetBytes(word, utf8)]);
    }

    private int ToByteSymbols(ReadOnlySpan<char> word, Span<int> symbols)
    {
        int count = 0;
        Span<byte> utf8 = stackalloc byte[4];
        for (int i = 0; i < word.Length;)
        {
            int byteCount = 1;
            if (word[i] < 0x80) utf8[0] = (byte)word[i++];
            else
            {
                byteCount = CodePoints.EncodeUtf8(CodePoints.At(word, i, out int length), utf8);
                i += length;
            }

            foreach (byte value in utf8[..byteCount])
            {
                int id = _idOfByte[value];
                if (id >= 0) symbols[count++] = id;
            }
        }

        return count;
    }

    private int ToSymbols(ReadOnlySpan<char> word, Span<int> symbols, EncodingRun run)
    {
        int count = 0;
        bool isUnknown = false; // an unknown token waits for its neighbours
        for (int i = 0; i < word.Length;)
        {
            int codePoint = CodePoints.At(word, i, out int length);
            int id = IdOf(word, i, length, run);
            i += length;
            if (id >= 0)
            {
                if (isUnknown) symbols[count++] = _options.UnknownId;
                isUnknown = false;
                symbols[count++] = id;
            }
            else if (!AppendBytes(codePoint, symbols, ref count) && _options.UnknownId >= 0)
            {
                if (isUnknown && !_options.FusesUnknown) symbols[count++] = _options.UnknownId;
                isUnknown = true;
            }
        }

        if (isUnknown) symbols[count++] = _options.UnknownId;
        return count;
    }

    private int IdOf(ReadOnlySpan<char> word, int index, int length, EncodingRun run)
    {
        bool hasPrefix = index > 0 && _options.ContinuingPrefix.Length > 0;
        bool hasSuffix = index + length == word.Length && _options.EndSuffix.Length > 0;
        ReadOnlySpan<char> character = word.Slice(index, length);
        if (!hasPrefix && !hasSuffix) return length == 1 ? _idOfUnit[word[index]] : _tokens.Find(character);
        run.Scratch.Clear();
        if (hasPrefix) run.Scratch.Append(_options.ContinuingPrefix);
        run.Scratch.Append(character);
        if (hasSuffix) run.Scratch.Append(_options.EndSuffix);
        return _tokens.Find(run.Scratch.Text);
    }

    private bool AppendBytes(int codePoint, Span<int> symbols, ref int count)
    {
        if (_byteIds.Length == 0) return false;
        Span<byte> utf8 = stackalloc byte[4];
        utf8 = utf8[..CodePoints.EncodeUtf8(codePoint, utf8)];
        foreach (byte value in utf8)
        {
            if (_byteIds[value] < 0) return false;
        }

        foreach (byte value in utf8) symbols[count++] = _byteIds[value];
        return true;
    }

    private static TokenBytes IndexWords(TokenTable tokens, Func<int, bool> isSpecial)
    {
        var bytes = new List<byte>();
        var ends = new int[tokens.Count];
        var isWord = new bool[tokens.Count];
        for (int id = 0; id < tokens.Count; id++)
        {
            if (tokens[id] is string token) isWord[id] = ByteAlphabet.AppendBytes(token, bytes) && !isSpecial(id);
            ends[id] = bytes.Count;
        }

        var index = new TokenBytes([.. bytes], ends);
        index.BuildIndex(id => isWord[id]);
        return index;
    }

    // U+2581 where no merge puts another character before one.
    private static char FindMark(TokenTable tokens, IReadOnlyList<BpeMerge> merges)
    {
        const char Mark = '\u2581';
        if (tokens.Find([Mark]) < 0) return '\0';
        foreach (BpeMerge merge in merges)
        {
            if (tokens[merge.Right]!.StartsWith(Mark) && !tokens[merge.Left]!.EndsWith(Mark)) return '\0';
        }

        return Mark;
    }
}
