using System.Text;

namespace TensorCompress.Tokenization;

/// <summary>How a text becomes ids. The default value and <c>new()</c> are both settings on, as in Hugging Face's library.</summary>
public readonly record struct EncodeOptions
{
    // Inverted, so that the default value of the struct is the default of the constructor.
    private readonly bool _takesSpecialTextsLiterally;
    private readonly bool _addsNothing;

    /// <summary>Sets both.</summary>
    /// <param name="ParseSpecialTokens">See <see cref="ParseSpecialTokens"/>.</param>
    /// <param name="AddSpecialTokens">See <see cref="AddSpecialTokens"/>.</param>
    public EncodeOptions(bool ParseSpecialTokens = true, bool AddSpecialTokens = true)
    {
        this.ParseSpecialTokens = ParseSpecialTokens;
        this.AddSpecialTokens = AddSpecialTokens;
    }

    /// <summary>Whether the texts of special tokens become their ids (chat templates, evaluation) or are ordinary text (a user's words).</summary>
    public bool ParseSpecialTokens
    {
        get => !_takesSpecialTextsLiterally;
        init => _takesSpecialTextsLiterally = !value;
    }

    /// <summary>Whether the tokens that the tokenizer puts around every text (such as a BOS) are added.</summary>
    public bool AddSpecialTokens
    {
        get => !_addsNothing;
        init => _addsNothing = !value;
    }
}

/// <summary>Texts to token ids and back. Immutable and safe for concurrent callers.</summary>
public abstract class Tokenizer
{
    private const int MaxTextLength = 1 << 28;

    /// <summary>What kind of tokenizer it is, for people: for instance <c>byte-level BPE</c>.</summary>
    public abstract string Kind { get; }

    /// <summary>One more than the largest id.</summary>
    public abstract int VocabularySize { get; }

    /// <summary>Id that begins a text, or null where the vocabulary has none.</summary>
    public abstract int? BeginOfTextId { get; }

    /// <summary>Ids after which a generated text is complete.</summary>
    public abstract IReadOnlyList<int> EndOfTextIds { get; }

    /// <summary>Appends the ids of a text.</summary>
    /// <param name="text">Any text; a lone surrogate is read as U+FFFD.</param>
    /// <param name="ids">The list that the ids are appended to.</param>
    /// <param name="options">Handling of special tokens.</param>
    /// <exception cref="ArgumentException">The text has more than 2^28 UTF-16 units.</exception>
    public abstract void Encode(ReadOnlySpan<char> text, List<int> ids, EncodeOptions options);

    /// <summary>The ids of a text.</summary>
    public int[] Encode(ReadOnlySpan<char> text, EncodeOptions options)
    {
        var ids = new List<int>(text.Length / 3 + 8);
        Encode(text, ids, options);
        return [.. ids];
    }

    /// <summary>The token as it stands in the vocabulary (for people and listings).</summary>
    /// <exception cref="ArgumentOutOfRangeException">The id is not in the vocabulary.</exception>
    public abstract string Piece(int id);

    /// <summary>Whether the id is a control token that is not part of the text.</summary>
    public abstract bool IsSpecial(int id);

    /// <summary>Begins the decoding of a stream of ids.</summary>
    /// <param name="skipSpecialTokens">Whether control tokens are left out of the text.</param>
    public TokenStreamDecoder CreateDecoder(bool skipSpecialTokens = true) => new(this, skipSpecialTokens);

    /// <summary>The text of ids. Bytes that are not valid UTF-8 become U+FFFD.</summary>
    /// <param name="ids">Ids of the vocabulary.</param>
    /// <param name="skipSpecialTokens">Whether control tokens are left out of the text.</param>
    /// <exception cref="ArgumentOutOfRangeException">An id is not in the vocabulary.</exception>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = true)
    {
        TokenStreamDecoder decoder = CreateDecoder(skipSpecialTokens);
        var text = new StringBuilder();
        foreach (int id in ids) text.Append(decoder.Append(id));
        return text.Append(decoder.Flush()).ToString();
    }

    /// <summary>Appends the UTF-8 bytes that a token contributes to the text.</summary>
    /// <param name="id">An id of the vocabulary.</param>
    /// <param name="isFirst">Whether no token that contributes text came before (some tokenizers drop a leading blank there).</param>
    /// <param name="bytes">The list that the bytes are appended to; they may be part of a character.</param>
    protected internal abstract void AppendBytes(int id, bool isFirst, List<byte> bytes);

    // Three UTF-8 bytes for each UTF-16 unit, and two queue entries for each byte, must stay countable.
    private protected static void ThrowIfTooLong(ReadOnlySpan<char> text)
    {
        if (text.Length > MaxTextLength)
            throw new ArgumentException($"The text has {text.Length} UTF-16 units; at most {MaxTextLength} can be encoded at once.", nameof(text));
    }

    private protected void ThrowIfNotInVocabulary(int id)
    {
        if ((uint)id >= (uint)VocabularySize) throw new ArgumentOutOfRangeException(nameof(id), id, $"The vocabulary has {VocabularySize} tokens.");
    }
}
