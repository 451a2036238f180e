using System.Buffers;
using System.Text;
using TensorCompress.Tokenization.Merging;
using TensorCompress.Tokenization.Splitting;

namespace TensorCompress.Tokenization;

/// <summary>
/// Byte-level byte-pair encoding (GPT-2, SmolLM, StarCoder): the text is cut into words, each word into its UTF-8 bytes, and neighbours are merged in the order of the merge ranks.
/// Bytes without a token are dropped, as the reference implementations do.
/// </summary>
public sealed class ByteLevelBpeTokenizer : Tokenizer
{
    private const int InitialBufferLength = 256;

    private readonly string?[] _tokens;
    private readonly TokenBytes _bytes;
    private readonly int[] _idOfByte = new int[256]; // -1: no token
    private readonly MergeTable _merges;
    private readonly SplitRule[] _stages;
    private readonly AddedTokenMatcher[] _matchers; // those without normalisation first, then the others in what is left
    private readonly bool[] _isSpecial;
    private readonly int[] _prefix;
    private readonly int[] _suffix;
    private readonly SpecialTokenIds _specialIds;

    /// <summary>Makes the tokenizer of a vocabulary.</summary>
    /// <param name="vocabulary">Tokens, merges, pre-tokenizer and added tokens; copied.</param>
    /// <param name="specialIds">Ids that begin and end a text, or null for none.</param>
    /// <exception cref="ArgumentException">An id leaves the vocabulary, or an added token is empty.</exception>
    public ByteLevelBpeTokenizer(ByteLevelBpeVocabulary vocabulary, SpecialTokenIds? specialIds = null)
    {
        ArgumentNullException.ThrowIfNull(vocabulary);
        _specialIds = specialIds ?? SpecialTokenIds.None;
        CheckIds(vocabulary);
        _specialIds.ThrowIfOutside(vocabulary.Tokens.Count);
        PreTokenizer = vocabulary.PreTokenizer;
        AddedTokens = [.. vocabulary.AddedTokens];
        IgnoresMerges = vocabulary.IgnoreMerges;
        _tokens = [.. vocabulary.Tokens];
        _merges = new MergeTable(vocabulary.Merges);
        _stages = PreTokenizer.Stages;
        _prefix = [.. vocabulary.PrefixIds];
        _suffix = [.. vocabulary.SuffixIds];
        _matchers = [.. AddedTokens.GroupBy(token => token.IsNormalized).OrderBy(group => group.Key).Select(group => new AddedTokenMatcher(group))];
        _isSpecial = new bool[_tokens.Length];
        foreach (AddedToken token in AddedTokens) _isSpecial[token.Id] = token.IsSpecial;
        _bytes = BuildBytes(_tokens, out bool[] isByteLevel);
        Array.Fill(_idOfByte, -1);
        for (int id = _tokens.Length - 1; id >= 0; id--)
        {
            if (isByteLevel[id] && _bytes[id].Length == 1) _idOfByte[_bytes[id][0]] = id;
        }

        // A word of ordinary text never becomes a control token.
        if (IgnoresMerges) _bytes.BuildIndex(id => isByteLevel[id] && !_isSpecial[id]);
    }

    /// <inheritdoc/>
    public override string Kind => "byte-level BPE";

    /// <inheritdoc/>
    public override int VocabularySize => _tokens.Length;

    /// <inheritdoc/>
    public override int? BeginOfTextId => _specialIds.BeginOfText;

    /// <inheritdoc/>
    public override IReadOnlyList<int> EndOfTextIds => _specialIds.EndOfText;

    /// <summary>How texts are cut into words.</summary>
    public PreTokenizer PreTokenizer { get; }

    /// <summary>Tokens that are looked for in the text itself.</summary>
    public IReadOnlyList<AddedToken> AddedTokens { get; }

    /// <summary>Whether a word that is a token is taken as it is.</summary>
    public bool IgnoresMerges { get; }

    /// <inheritdoc/>
    public override void Encode(ReadOnlySpan<char> text, List<int> ids, EncodeOptions options)
    {
        ThrowIfTooLong(text);
        ArgumentNullException.ThrowIfNull(ids);
        if (options.AddSpecialTokens) ids.AddRange(_prefix);
        int[] buffer = ArrayPool<int>.Shared.Rent(InitialBufferLength);
        EncodeAroundAddedTokens(text, 0, options.ParseSpecialTokens, ids, ref buffer);
        ArrayPool<int>.Shared.Return(buffer);
        if (options.AddSpecialTokens) ids.AddRange(_suffix);
    }

    /// <inheritdoc/>
    public override string Piece(int id)
    {
        ThrowIfNotInVocabulary(id);
        return _tokens[id] ?? "";
    }

    /// <inheritdoc/>
    public override bool IsSpecial(int id)
    {
        ThrowIfNotInVocabulary(id);
        return _isSpecial[id];
    }

    /// <summary>The vocabulary as plain data, for writing it to a file.</summary>
    public ByteLevelBpeVocabulary ToVocabulary() => new()
    {
        Tokens = [.. _tokens],
        Merges = _merges.InOrder(),
        PreTokenizer = PreTokenizer,
        AddedTokens = AddedTokens,
        PrefixIds = [.. _prefix],
        SuffixIds = [.. _suffix],
        IgnoreMerges = IgnoresMerges,
    };

    /// <inheritdoc/>
    protected internal override void AppendBytes(int id, bool isFirst, List<byte> bytes)
    {
        ThrowIfNotInVocabulary(id);
        bytes.AddRange(_bytes[id]);
    }

    private void EncodeAroundAddedTokens(ReadOnlySpan<char> text, int pass, bool parseSpecial, List<int> ids, ref int[] buffer)
    {
        if (pass == _matchers.Length)
        {
            EncodePart(text, 0, ids, ref buffer);
            return;
        }

        for (int from = 0; from < text.Length;)
        {
            AddedToken? token = _matchers[pass].Find(text, from, parseSpecial, out int start, out int end);
            EncodeAroundAddedTokens(text[from..start], pass + 1, parseSpecial, ids, ref buffer);
            if (token is not null) ids.Add(token.Id);
            from = end;
        }
    }

    private void EncodePart(ReadOnlySpan<char> part, int stage, List<int> ids, ref int[] buffer)
    {
        if (stage == _stages.Length)
        {
            EncodeWord(part, ids, ref buffer);
            return;
        }

        SplitRule rule = _stages[stage];
        for (int start = 0; start < part.Length;)
        {
            int end = rule.NextEnd(part, start);
            EncodePart(part[start..end], stage + 1, ids, ref buffer);
            start = end;
        }
    }

    private void EncodeWord(ReadOnlySpan<char> word, List<int> ids, ref int[] buffer)
    {
        if (word.IsEmpty) return;
        if (IgnoresMerges && FindWhole(word) is int whole and >= 0)
        {
            ids.Add(whole);
            return;
        }

        if (buffer.Length < 3 * word.Length)
        {
            ArrayPool<int>.Shared.Return(buffer);
            buffer = ArrayPool<int>.Shared.Rent(3 * word.Length);
        }

        int count = ToSymbols(word, buffer);
        count = PairMerger.Merge(buffer.AsSpan(0, count), _merges);
        ids.AddRange(buffer.AsSpan(0, count));
    }

    // A UTF-16 unit has at most three bytes in UTF-8 (four for two of them).
    private int ToSymbols(ReadOnlySpan<char> word, Span<int> symbols)
    {
        int count = 0;
        Span<byte> utf8 = stackalloc byte[4];
        for (int i = 0; i < word.Length;)
        {
            int byteCount = 1;
            if (word[i] < 0x80) utf8[0] = (byte)word[i++];
            else
            {
                Rune.DecodeFromUtf16(word[i..], out Rune rune, out int consumed); // U+FFFD for a lone surrogate
                byteCount = rune.EncodeToUtf8(utf8);
                i += consumed;
            }

            foreach (byte value in utf8[..byteCount])
            {
                int id = _idOfByte[value];
                if (id >= 0) symbols[count++] = id;
            }
        }

        return count;
    }

    private int FindWhole(ReadOnlySpan<char> word)
    {
        byte[] utf8 = ArrayPool<byte>.Shared.Rent(3 * word.Length);
        int id = _bytes.Find(utf8.AsSpan(0, Encoding.UTF8.GetBytes(word, utf8)));
        ArrayPool<byte>.Shared.Return(utf8);
        return id;
    }

    private static TokenBytes BuildBytes(string?[] tokens, out bool[] isByteLevel)
    {
        var bytes = new List<byte>();
        var ends = new int[tokens.Length];
        isByteLevel = new bool[tokens.Length];
        for (int id = 0; id < tokens.Length; id++)
        {
            if (tokens[id] is string token) isByteLevel[id] = ByteAlphabet.AppendBytes(token, bytes);
            ends[id] = bytes.Count;
        }

        return new TokenBytes([.. bytes], ends);
    }

    private static void CheckIds(ByteLevelBpeVocabulary vocabulary)
    {
        int count = vocabulary.Tokens.Count;
        IEnumerable<int> ids = vocabulary.Merges.SelectMany(merge => new[] { merge.Left, merge.Right, merge.Result })
            .Concat(vocabulary.AddedTokens.Select(token => token.Id)).Concat(vocabulary.PrefixIds).Concat(vocabulary.SuffixIds);
        foreach (int id in ids)
        {
            if ((uint)id >= (uint)count) throw new ArgumentException($"The id {id} is not in the vocabulary of {count} tokens.", nameof(vocabulary));
        }

        if (vocabulary.AddedTokens.Any(token => token.Content.Length == 0)) throw new ArgumentException("An added token is empty.", nameof(vocabulary));
    }
}
