using TensorCompress.Storage;
using TensorCompress.Tokenization.Normalizers;
using TensorCompress.Tokenization.SentencePiece;
using TensorCompress.Tokenization.Splitting;
using TensorCompress.Tokenization.Unicode;
using TensorCompress.Tokenization.Words;

namespace TensorCompress.Tokenization;

/// <summary>
/// A SentencePiece model (<c>tokenizer.model</c>, or the vocabulary of a GGUF file): Unigram or byte-pair. Texts of control pieces are ordinary text, as in SentencePiece
/// itself, but for those that the files beside the model, or the GGUF file, ask to be looked for.
/// </summary>
public sealed class SentencePieceTokenizer : Tokenizer
{
    private readonly SentencePieceVocabulary _vocabulary;
    private readonly SentencePieceNormalizer _normalizer;
    private readonly WordModel _model;
    private readonly AddedTokenMatcher? _addedTokens;
    private readonly bool[] _isSpecial;
    private readonly int[] _prefix;
    private readonly int[] _suffix;
    private EncodingRun? _idle;

    internal SentencePieceTokenizer(SentencePieceVocabulary vocabulary, string? fileName)
    {
        _vocabulary = vocabulary;
        CharacterMap? map = vocabulary.CharacterMap.Length == 0 ? null
            : CharacterMap.Parse(vocabulary.CharacterMap) ?? throw new TensorFormatException(TensorFormatError.Size, "The sizes in the precompiled_charsmap do not fit together.", fileName);
        PrefixTree? userDefined = UserDefined(vocabulary.Pieces);
        _normalizer = new SentencePieceNormalizer(vocabulary, map, userDefined);
        int unknownId = UnknownId(vocabulary.Pieces, fileName);
        int[]? byteIds = vocabulary.FallsBackToBytes ? ByteIds(vocabulary.Pieces, fileName) : null;
        _model = vocabulary.IsBytePair ? new SentencePieceBpeModel(vocabulary.Pieces, unknownId, byteIds, userDefined) : MakeUnigram(vocabulary.Pieces, unknownId, byteIds);
        _addedTokens = vocabulary.AddedTokens.Count == 0 ? null : new AddedTokenMatcher(vocabulary.AddedTokens.Select(token => (token, token.Content)));
        _isSpecial = [.. vocabulary.Pieces.Select(piece => piece.Type == PieceType.Control)];
        _prefix = vocabulary is { AddsBegin: true, BeginId: int begin } ? [begin] : [];
        _suffix = vocabulary is { AddsEnd: true, EndId: int end } ? [end] : [];
        vocabulary.SpecialIds.ThrowIfOutside(_isSpecial.Length);
    }

    /// <summary>Reads a <c>.model</c> file.</summary>
    /// <param name="file">The whole file; not needed after the call.</param>
    /// <param name="fileName">Name for messages, or null.</param>
    /// <param name="specialIds">Other ids that begin and end a text than the model names, or null.</param>
    /// <exception cref="ArgumentException">An id of <paramref name="specialIds"/> is not in the vocabulary.</exception>
    /// <exception cref="TensorFormatException">The file is damaged, or of a kind that is not supported.</exception>
    public static SentencePieceTokenizer Read(ReadOnlySpan<byte> file, string? fileName = null, SpecialTokenIds? specialIds = null)
    {
        SentencePieceVocabulary vocabulary = SentencePieceFile.Read(file, fileName);
        SpecialTokenIds ids = specialIds ?? new SpecialTokenIds(vocabulary.BeginId, vocabulary.EndId is int end ? [end] : []);
        return new SentencePieceTokenizer(vocabulary with { SpecialIds = ids }, fileName);
    }

    /// <inheritdoc/>
    public override string Kind => _vocabulary.IsBytePair ? "SentencePiece BPE" : "SentencePiece unigram";

    /// <inheritdoc/>
    public override int VocabularySize => _isSpecial.Length;

    /// <inheritdoc/>
    public override int? BeginOfTextId => _vocabulary.SpecialIds.BeginOfText;

    /// <inheritdoc/>
    public override IReadOnlyList<int> EndOfTextIds => _vocabulary.SpecialIds.EndOfText;

    /// <inheritdoc/>
    public override void Encode(ReadOnlySpan<char> text, List<int> ids, EncodeOptions options)
    {
        ThrowIfTooLong(text);
        ArgumentNullException.ThrowIfNull(ids);
        int before = ids.Count;
        EncodingRun run = Interlocked.Exchange(ref _idle, null) ?? new EncodingRun([], _model);
        run.Ids = ids;
        try
        {
            if (options.AddSpecialTokens) ids.AddRange(_prefix);
            EncodeParts(WellFormed(text), options.ParseSpecialTokens, run);
            if (options.AddSpecialTokens) ids.AddRange(_suffix);
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
        return _vocabulary.Pieces[id].Text;
    }

    /// <summary>The score of a piece.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The id is not in the vocabulary.</exception>
    public float Score(int id)
    {
        ThrowIfNotInVocabulary(id);
        return _vocabulary.Pieces[id].Score;
    }

    /// <inheritdoc/>
    public override bool IsSpecial(int id)
    {
        ThrowIfNotInVocabulary(id);
        return _isSpecial[id];
    }

    internal SentencePieceVocabulary Vocabulary => _vocabulary;

    internal override TokenText OpenText(List<byte> bytes, bool isLive) => new SentencePieceText(_vocabulary, bytes, isLive);

    private void EncodeParts(ReadOnlySpan<char> text, bool parsesSpecial, EncodingRun run)
    {
        int done = 0;
        int from = 0;
        while (_addedTokens?.Find(text, done, ref from, parsesSpecial, out int start, out int end) is AddedToken token)
        {
            if (start > done) EncodePart(text[done..start], run);
            run.Ids.Add(token.Id);
            done = end;
        }

        EncodePart(text[done..], run);
    }

    private void EncodePart(ReadOnlySpan<char> part, EncodingRun run)
    {
        TextBuffer normalized = run.Front;
        normalized.Clear();
        _normalizer.Normalize(part, normalized);
        run.Pass(normalized.Text, isFirst: true, 0);
    }

    private static PrefixTree? UserDefined(IReadOnlyList<Piece> pieces)
    {
        PrefixTree? tree = null;
        for (int id = 0; id < pieces.Count; id++)
        {
            if (pieces[id].Type == PieceType.UserDefined) (tree ??= new PrefixTree()).Add(pieces[id].Text, id);
        }

        return tree;
    }

    private static int UnknownId(IReadOnlyList<Piece> pieces, string? fileName)
    {
        int[] ids = [.. Enumerable.Range(0, pieces.Count).Where(id => pieces[id].Type == PieceType.Unknown)];
        return ids.Length == 1 ? ids[0] : throw new TensorFormatException(TensorFormatError.Inconsistent, $"The vocabulary has {ids.Length} unknown pieces instead of one.", fileName);
    }

    private static int[] ByteIds(IReadOnlyList<Piece> pieces, string? fileName)
    {
        var ids = new int[256];
        Array.Fill(ids, -1);
        for (int id = 0; id < pieces.Count; id++)
        {
            if (pieces[id].Type == PieceType.Byte && Decoders.ByteFallbackDecoder.ByteOf(pieces[id].Text) is int value and >= 0) ids[value] = id;
        }

        int missing = Array.IndexOf(ids, -1);
        return missing < 0 ? ids : throw new TensorFormatException(TensorFormatError.Inconsistent, $"The vocabulary falls back to bytes, but 0x{missing:X2} has no piece.", fileName);
    }

    private static UnigramModel MakeUnigram(IReadOnlyList<Piece> pieces, int unknownId, int[]? byteIds)
    {
        Piece[] normal = [.. pieces.Where(piece => piece.Type == PieceType.Normal)];
        float min = normal.Length == 0 ? 0 : normal.Min(piece => piece.Score);
        float max = normal.Length == 0 ? 0 : normal.Max(piece => piece.Score);
        IEnumerable<(string, int, double)> found = pieces.Select((piece, id) => (piece, id)).Where(entry => entry.piece.Type is PieceType.Normal or PieceType.UserDefined)
            .Select(entry => (entry.piece.Text, entry.id, entry.piece.Type == PieceType.Normal ? entry.piece.Score : System.Text.Encoding.UTF8.GetByteCount(entry.piece.Text) * max - 0.1));
        return UnigramModel.OfSentencePiece(found, pieces.Count, min, unknownId, byteIds);
    }
}
