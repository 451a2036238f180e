using TensorCompress.Tokenization.Decoders;
using TensorCompress.Tokenization.Normalizers;
using TensorCompress.Tokenization.Splitting;
using TensorCompress.Tokenization.Words;

namespace TensorCompress.Tokenization;

/// <summary>
/// A tokenizer of parts, as tokenizer.json describes them: added tokens are looked for in the text, the rest is normalised and cut into words, a model cuts words into tokens,
/// and ids are put around the whole. Decoders go the other way.
/// </summary>
public sealed class SubwordTokenizer : Tokenizer
{
    private readonly SubwordParts _parts;
    private readonly string?[] _tokens;
    private readonly bool[] _isSpecial;
    private readonly AddedTokenMatcher _rawMatcher;
    private readonly AddedTokenMatcher _normalizedMatcher; // looks in what the other leaves
    private readonly bool _hasRaw;
    private readonly bool _hasNormalized;
    private EncodingRun? _idle;

    internal SubwordTokenizer(SubwordParts parts)
    {
        _parts = parts;
        _tokens = [.. parts.Tokens];
        _isSpecial = new bool[_tokens.Length];
        foreach (AddedToken token in parts.AddedTokens) _isSpecial[token.Id] = token.IsSpecial;
        AddedToken[] raw = [.. parts.AddedTokens.Where(token => !token.IsNormalized)];
        AddedToken[] normalized = [.. parts.AddedTokens.Where(token => token.IsNormalized)];
        (_hasRaw, _hasNormalized) = (raw.Length > 0, normalized.Length > 0);
        _rawMatcher = new AddedTokenMatcher(raw.Select(token => (token, token.Content)));
        EncodingRun run = CreateRun();
        _normalizedMatcher = new AddedTokenMatcher(normalized.Select(token => (token, Normalize(token.Content, run).ToString())));
        AddedTokens = [.. parts.AddedTokens];
    }

    /// <summary>Makes the tokenizer of a byte-level byte-pair vocabulary (GPT-2 and its many successors).</summary>
    /// <param name="vocabulary">Tokens, merges, pre-tokenizer and added tokens; copied.</param>
    /// <param name="specialIds">Ids that begin and end a text, or null for none.</param>
    /// <exception cref="ArgumentException">An id leaves the vocabulary, or an added token is empty.</exception>
    public static SubwordTokenizer FromByteLevelBpe(ByteLevelBpeVocabulary vocabulary, SpecialTokenIds? specialIds = null)
    {
        ArgumentNullException.ThrowIfNull(vocabulary);
        return new SubwordTokenizer(SubwordParts.OfByteLevelBpe(vocabulary, specialIds ?? SpecialTokenIds.None));
    }

    /// <inheritdoc/>
    public override string Kind => _parts.Model.Kind;

    /// <inheritdoc/>
    public override int VocabularySize => _tokens.Length;

    /// <inheritdoc/>
    public override int? BeginOfTextId => _parts.SpecialIds.BeginOfText;

    /// <inheritdoc/>
    public override IReadOnlyList<int> EndOfTextIds => _parts.SpecialIds.EndOfText;

    /// <summary>Tokens that are looked for in the text itself.</summary>
    public IReadOnlyList<AddedToken> AddedTokens { get; }

    /// <inheritdoc/>
    public override void Encode(ReadOnlySpan<char> text, List<int> ids, EncodeOptions options)
    {
        ThrowIfTooLong(text);
        ArgumentNullException.ThrowIfNull(ids);
        int before = ids.Count;
        EncodingRun run = Interlocked.Exchange(ref _idle, null) ?? CreateRun();
        run.Ids = ids;
        try
        {
            if (options.AddSpecialTokens) ids.AddRange(_parts.PrefixIds);
            EncodeRaw(WellFormed(text), options.ParseSpecialTokens, run);
            if (options.AddSpecialTokens) ids.AddRange(_parts.SuffixIds);
        }
        catch
        {
            ids.RemoveRange(before, ids.Count - before);
            throw;
        }

        run.Trim();
        Volatile.Write(ref _idle, run);
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

    internal override TokenText OpenText(List<byte> bytes, bool isLive) => new DecodedText(_tokens, TokenDecoder.OpenAll(_parts.Decoders, new ByteCollector(bytes), isLive));

    /// <summary>The words of a text, as the model gets them.</summary>
    internal static List<string> Words(IReadOnlyList<PreTokenizerStage> stages, string text)
    {
        var words = new WordCollector();
        new EncodingRun([.. stages], words).Pass(text, isFirst: true, 0);
        return words.Words;
    }

    private EncodingRun CreateRun() => new(_parts.Stages, _parts.Model);

    private void EncodeRaw(ReadOnlySpan<char> text, bool parsesSpecial, EncodingRun run)
    {
        int done = 0;
        int from = 0;
        while (_hasRaw && _rawMatcher.Find(text, done, ref from, parsesSpecial, out int start, out int end) is AddedToken token)
        {
            if (start > done) EncodePart(text[done..start], done == 0, parsesSpecial, run);
            run.Ids.Add(token.Id);
            done = end;
        }

        if (done < text.Length) EncodePart(text[done..], done == 0, parsesSpecial, run);
    }

    private void EncodePart(ReadOnlySpan<char> part, bool isFirst, bool parsesSpecial, EncodingRun run)
    {
        ReadOnlySpan<char> text = Normalize(part, run);
        int done = 0;
        int from = 0;
        while (_hasNormalized && _normalizedMatcher.Find(text, done, ref from, parsesSpecial, out int start, out int end) is AddedToken token)
        {
            if (start > done) run.Pass(text[done..start], isFirst && done == 0, 0);
            run.Ids.Add(token.Id);
            done = end;
        }

        if (done < text.Length) run.Pass(text[done..], isFirst && done == 0, 0);
    }

    private ReadOnlySpan<char> Normalize(ReadOnlySpan<char> text, EncodingRun run) => TextNormalizer.ApplyAll(_parts.Normalizers, text, run);

    private sealed class DecodedText(string?[] tokens, DecoderStream stream) : TokenText
    {
        public override void Append(int id)
        {
            if (tokens[id] is string token) stream.Append(token);
        }

        public override void Flush() => stream.Flush();
    }

    private sealed class WordCollector : WordModel
    {
        public List<string> Words { get; } = [];

        public override string Kind => "none";

        public override void Encode(ReadOnlySpan<char> word, EncodingRun run) => Words.Add(word.ToString());
    }
}
