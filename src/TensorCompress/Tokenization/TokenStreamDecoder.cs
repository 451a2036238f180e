using System.Runtime.InteropServices;
using System.Text;

namespace TensorCompress.Tokenization;

/// <summary>Turns ids into text as they come, never splitting a UTF-8 sequence: bytes of an unfinished character wait for the next token.</summary>
public sealed class TokenStreamDecoder
{
    private readonly Tokenizer _tokenizer;
    private readonly bool _skipSpecialTokens;
    private readonly List<byte> _pending = [];
    private readonly TokenText _text;

    internal TokenStreamDecoder(Tokenizer tokenizer, bool skipSpecialTokens)
    {
        _tokenizer = tokenizer;
        _skipSpecialTokens = skipSpecialTokens;
        _text = tokenizer.OpenText(_pending, isLive: true);
    }

    /// <summary>Takes the next id.</summary>
    /// <returns>The text that is complete now; empty while a character is unfinished.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The id is not in the vocabulary.</exception>
    public string Append(int id)
    {
        if ((uint)id >= (uint)_tokenizer.VocabularySize)
            throw new ArgumentOutOfRangeException(nameof(id), id, $"The vocabulary has {_tokenizer.VocabularySize} tokens.");
        if (_skipSpecialTokens && _tokenizer.IsSpecial(id)) return "";
        _text.Append(id);
        return TakeText(CompleteLength(CollectionsMarshal.AsSpan(_pending)));
    }

    /// <summary>Ends the stream.</summary>
    /// <returns>What is left; an unfinished character becomes U+FFFD.</returns>
    public string Flush()
    {
        _text.Flush();
        return TakeText(_pending.Count);
    }

    private string TakeText(int count)
    {
        if (count == 0) return "";
        string text = Encoding.UTF8.GetString(CollectionsMarshal.AsSpan(_pending)[..count]);
        _pending.RemoveRange(0, count);
        return text;
    }

    // All bytes but an unfinished sequence at the end: a valid beginning of a character that still lacks bytes.
    private static int CompleteLength(ReadOnlySpan<byte> bytes)
    {
        int start = bytes.Length - 1;
        while (start >= 0 && bytes.Length - start <= 3 && (bytes[start] & 0xC0) == 0x80) start--;
        if (start < 0 || bytes.Length - start > 3) return bytes.Length;
        return Rune.DecodeFromUtf8(bytes[start..], out _, out _) == System.Buffers.OperationStatus.NeedMoreData ? start : bytes.Length;
    }
}
