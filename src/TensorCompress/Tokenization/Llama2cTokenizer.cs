using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using TensorCompress.Storage;
using TensorCompress.Tokenization.Merging;

namespace TensorCompress.Tokenization;

/// <summary>
/// The vocabulary file of llama2.c (<c>tok*.bin</c>) with the encoding and decoding of its run.c: a dummy blank before a text that is not empty, one token for each character or
/// one for each of its bytes, then neighbours merged by the best score. Texts of control tokens are ordinary text.
/// </summary>
/// <remarks>File, little-endian: int32 longest token in bytes; then for each token float32 score, int32 length, its bytes. Ids 0, 1, 2 are unknown, BOS, EOS; byte <c>b</c> is id <c>b + 3</c>.</remarks>
public sealed class Llama2cTokenizer : Tokenizer
{
    private const int BeginId = 1;
    private const int EndId = 2;
    private const int FirstByteId = 3;
    private const int MinVocabularySize = FirstByteId + 256;
    private const int MaxVocabularySize = 4_000_000;
    private const int MaxTokenLength = 1024;
    private const int TokenHeaderLength = 8;

    // run.c begins its search for the best score here: what scores less or the same is never merged.
    private const float NeverMergedScore = -1e10f;

    private readonly TokenBytes _bytes;
    private readonly float[] _scores;
    private readonly ScoredMerges _rules;
    private readonly int[] _idOfAscii = new int[128];

    private Llama2cTokenizer(TokenBytes bytes, float[] scores, SpecialTokenIds specialIds)
    {
        _bytes = bytes;
        _scores = scores;
        _rules = new ScoredMerges(bytes, ScoredMerges.PrioritiesOf(scores, id => scores[id] > NeverMergedScore));
        BeginOfTextId = specialIds.BeginOfText;
        EndOfTextIds = specialIds.EndOfText;
        for (int c = 0; c < _idOfAscii.Length; c++) _idOfAscii[c] = bytes.Find([(byte)c]) is int id and >= 0 ? id : c + FirstByteId;
    }

    /// <inheritdoc/>
    public override string Kind => "llama2.c";

    /// <inheritdoc/>
    public override int VocabularySize => _bytes.Count;

    /// <inheritdoc/>
    public override int? BeginOfTextId { get; }

    /// <inheritdoc/>
    public override IReadOnlyList<int> EndOfTextIds { get; }

    /// <summary>Score of each id: of two possible merges the better one comes first.</summary>
    internal ReadOnlySpan<float> Scores => _scores;

    /// <summary>Reads a vocabulary file.</summary>
    /// <param name="file">The whole file.</param>
    /// <param name="vocabularySize">Number of tokens that the model has, or null: as many as the file holds.</param>
    /// <param name="fileName">Name for messages, or null.</param>
    /// <param name="specialIds">Other ids that begin and end a text than BOS 1, and EOS 2 or BOS (which parts the stories of llama2.c's models).</param>
    /// <exception cref="ArgumentException">An id of <paramref name="specialIds"/> is not in the vocabulary.</exception>
    /// <exception cref="TensorFormatException">The file is damaged, or has another number of tokens.</exception>
    public static Llama2cTokenizer Read(ReadOnlySpan<byte> file, int? vocabularySize = null, string? fileName = null, SpecialTokenIds? specialIds = null)
    {
        if (vocabularySize is int size) ArgumentOutOfRangeException.ThrowIfNegative(size, nameof(vocabularySize));
        if (file.Length < 4) throw new TensorFormatException(TensorFormatError.Truncated, $"A llama2.c vocabulary begins with 4 bytes; the file has {file.Length}.", fileName);
        int longest = BinaryPrimitives.ReadInt32LittleEndian(file);
        if (longest <= 0) throw new TensorFormatException(TensorFormatError.Value, $"The longest token cannot have {longest} bytes.", fileName, offset: 0);
        if (vocabularySize > (file.Length - 4) / TokenHeaderLength)
            throw new TensorFormatException(TensorFormatError.Truncated, $"{vocabularySize} tokens do not fit into {file.Length} bytes.", fileName);

        var bytes = new List<byte>(file.Length);
        var ends = new List<int>();
        var scores = new List<float>();
        int offset = 4;
        while (vocabularySize is int count ? ends.Count < count : offset < file.Length)
        {
            if (ends.Count == MaxVocabularySize) throw new TensorFormatException(TensorFormatError.Limit, $"The vocabulary has more than {MaxVocabularySize} tokens.", fileName, offset: offset);
            offset = ReadToken(file, offset, longest, fileName, out float score, out ReadOnlySpan<byte> token);
            bytes.AddRange(token);
            ends.Add(bytes.Count);
            scores.Add(score);
        }

        if (offset < file.Length)
            throw new TensorFormatException(TensorFormatError.Trailing, $"{file.Length - offset} bytes follow the {vocabularySize} tokens that the model has.", fileName, offset: offset);
        if (ends.Count < MinVocabularySize)
            throw new TensorFormatException(TensorFormatError.Inconsistent, $"The vocabulary has {ends.Count} tokens; three control tokens and 256 bytes are needed.", fileName);
        var tokens = new TokenBytes([.. bytes], [.. ends]);
        int duplicate = tokens.BuildIndex();
        if (duplicate >= 0)
            throw new TensorFormatException(TensorFormatError.Duplicate, $"Token {duplicate} ('{Encoding.UTF8.GetString(tokens[duplicate])}') stands twice.", fileName);
        specialIds ??= new SpecialTokenIds(BeginId, EndId, BeginId);
        specialIds.ThrowIfOutside(tokens.Count);
        return new Llama2cTokenizer(tokens, [.. scores], specialIds);
    }

    /// <inheritdoc/>
    public override void Encode(ReadOnlySpan<char> text, List<int> ids, EncodeOptions options)
    {
        ThrowIfTooLong(text);
        ArgumentNullException.ThrowIfNull(ids);
        if (options.AddSpecialTokens && BeginOfTextId is int begin) ids.Add(begin);
        if (text.IsEmpty) return;
        int[] symbols = ArrayPool<int>.Shared.Rent(3 * text.Length + 1);
        int count = PairMerger.Merge(symbols.AsSpan(0, ToSymbols(text, symbols)), _rules);
        ids.AddRange(symbols.AsSpan(0, count));
        ArrayPool<int>.Shared.Return(symbols);
    }

    /// <inheritdoc/>
    public override string Piece(int id)
    {
        ThrowIfNotInVocabulary(id);
        return Encoding.UTF8.GetString(_bytes[id]);
    }

    /// <summary>The score of a token: pairs that make a token of a higher score are merged first.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The id is not in the vocabulary.</exception>
    public float Score(int id)
    {
        ThrowIfNotInVocabulary(id);
        return _scores[id];
    }

    /// <inheritdoc/>
    public override bool IsSpecial(int id)
    {
        ThrowIfNotInVocabulary(id);
        return id <= EndId;
    }

    internal override TokenText OpenText(List<byte> bytes, bool isLive) => new PieceText(_bytes, bytes);

    private static int ReadToken(ReadOnlySpan<byte> file, int offset, int longest, string? fileName, out float score, out ReadOnlySpan<byte> token)
    {
        if (file.Length - offset < TokenHeaderLength)
            throw new TensorFormatException(TensorFormatError.Truncated, "The file ends within the score and length of a token.", fileName, offset: offset);
        score = BinaryPrimitives.ReadSingleLittleEndian(file[offset..]);
        int length = BinaryPrimitives.ReadInt32LittleEndian(file[(offset + 4)..]);
        if (!float.IsFinite(score)) throw new TensorFormatException(TensorFormatError.Value, $"A score of {score} cannot be compared.", fileName, offset: offset);
        if (length < 0) throw new TensorFormatException(TensorFormatError.Value, $"A token cannot have {length} bytes.", fileName, offset: offset + 4);
        if (length > MaxTokenLength) throw new TensorFormatException(TensorFormatError.Limit, $"A token has {length} bytes; at most {MaxTokenLength} are allowed.", fileName, offset: offset + 4);
        if (length > longest) throw new TensorFormatException(TensorFormatError.Inconsistent, $"A token has {length} bytes, but the longest {longest}.", fileName, offset: offset + 4);
        offset += TokenHeaderLength;
        if (length > file.Length - offset)
            throw new TensorFormatException(TensorFormatError.Truncated, $"A token of {length} bytes needs more than the {file.Length - offset} that are left.", fileName, offset: offset);
        token = file.Slice(offset, length);
        return offset + length;
    }

    // The dummy blank, then each character's token or its bytes.
    private int ToSymbols(ReadOnlySpan<char> text, Span<int> symbols)
    {
        int count = 0;
        symbols[count++] = _idOfAscii[' '];
        Span<byte> utf8 = stackalloc byte[4];
        for (int i = 0; i < text.Length;)
        {
            if (text[i] < 0x80)
            {
                symbols[count++] = _idOfAscii[text[i++]];
                continue;
            }

            Rune.DecodeFromUtf16(text[i..], out Rune rune, out int consumed); // U+FFFD for a lone surrogate
            i += consumed;
            ReadOnlySpan<byte> character = utf8[..rune.EncodeToUtf8(utf8)];
            int id = _bytes.Find(character);
            if (id >= 0) symbols[count++] = id;
            else
            {
                foreach (byte value in character) symbols[count++] = value + FirstByteId;
            }
        }

        return count;
    }

    // The first token loses a blank at its beginning.
    private sealed class PieceText(TokenBytes tokens, List<byte> bytes) : TokenText
    {
        private bool _isLater;

        public override void Append(int id)
        {
            ReadOnlySpan<byte> token = tokens[id];
            if (!_isLater && token.StartsWith((byte)' ')) token = token[1..];
            _isLater = true;
            if (token is [(byte)'<', (byte)'0', (byte)'x', _, _, (byte)'>'] && byte.TryParse(token[3..5], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte value))
                bytes.Add(value);
            else bytes.AddRange(token);
        }
    }
}
