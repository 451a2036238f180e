using System.Runtime.InteropServices;
using System.Text;
using TensorCompress.Tokenization.Unicode;

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

/// <summary>Texts to token ids and back. Immutable and safe for concurrent callers. Made by <see cref="TokenizerLoader"/> and its kin.</summary>
public abstract class Tokenizer
{
    private const int MaxTextLength = 1 << 27;

    private protected Tokenizer()
    {
    }

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
    /// <exception cref="ArgumentException">The text has more than 2^27 UTF-16 units, before or after it is normalised.</exception>
    /// <exception cref="TimeoutException">An expression of the tokenizer's file takes too many steps.</exception>
    public abstract void Encode(ReadOnlySpan<char> text, List<int> ids, EncodeOptions options);

    /// <summary>The ids of a text.</summary>
    public int[] Encode(ReadOnlySpan<char> text, EncodeOptions options)
    {
        var ids = new List<int>(text.Length / 3 + 8);
        Encode(text, ids, options);
        return [.. ids];
    }

    /// <summary>Writes the ids of a text into a buffer.</summary>
    /// <param name="text">Any text; a lone surrogate is read as U+FFFD.</param>
    /// <param name="ids">The buffer. Where it is too small, nothing is written.</param>
    /// <param name="options">Handling of special tokens.</param>
    /// <returns>How many ids the text has, also where they do not fit.</returns>
    /// <inheritdoc cref="Encode(ReadOnlySpan{char}, List{int}, EncodeOptions)"/>
    public int Encode(ReadOnlySpan<char> text, Span<int> ids, EncodeOptions options)
    {
        var list = new List<int>(Math.Min(ids.Length, text.Length + 8));
        Encode(text, list, options);
        if (list.Count <= ids.Length) CollectionsMarshal.AsSpan(list).CopyTo(ids);
        return list.Count;
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
        var bytes = new List<byte>(4 * ids.Length);
        TokenText text = OpenText(bytes, isLive: false);
        foreach (int id in ids)
        {
            ThrowIfNotInVocabulary(id);
            if (!skipSpecialTokens || !IsSpecial(id)) text.Append(id);
        }

        text.Flush();
        return Encoding.UTF8.GetString(CollectionsMarshal.AsSpan(bytes));
    }

    /// <summary>Begins a text of tokens.</summary>
    /// <param name="bytes">The list that the UTF-8 bytes of the text are appended to; they may end within a character.</param>
    /// <param name="isLive">Whether the bytes are wanted as the tokens come.</param>
    internal abstract TokenText OpenText(List<byte> bytes, bool isLive);

    // Three UTF-8 bytes for each UTF-16 unit, and two queue entries for each byte, must stay countable.
    private protected static void ThrowIfTooLong(ReadOnlySpan<char> text)
    {
        if (text.Length > MaxTextLength)
            throw new ArgumentException($"The text has {text.Length} UTF-16 units; at most {MaxTextLength} can be encoded at once.", nameof(text));
    }

    // Lone surrogates become U+FFFD; a text without any is given back.
    private protected static ReadOnlySpan<char> WellFormed(ReadOnlySpan<char> text)
    {
        if (!CodePoints.HasLoneSurrogate(text)) return text;
        var buffer = new TextBuffer();
        foreach (Rune rune in text.EnumerateRunes()) buffer.AppendCodePoint(rune.Value);
        return buffer.Text;
    }

    private protected void ThrowIfNotInVocabulary(int id)
    {
        if ((uint)id >= (uint)VocabularySize) throw new ArgumentOutOfRangeException(nameof(id), id, $"The vocabulary has {VocabularySize} tokens.");
    }
}
