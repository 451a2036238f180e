namespace TensorCompress.Tokenization.Decoders;

/// <summary>A step from tokens to text. Immutable.</summary>
internal abstract class TokenDecoder
{
    /// <summary>Whether it joins the tokens to one text.</summary>
    public virtual bool JoinsTokens => false;

    /// <summary>Begins a text.</summary>
    /// <param name="next">What takes the result.</param>
    /// <param name="isJoined">Whether a step before has joined the tokens.</param>
    /// <param name="isLive">Whether the text is wanted as it comes: a run of byte tokens is not waited for, and so not judged as a whole.</param>
    public abstract DecoderStream Open(DecoderStream next, bool isJoined, bool isLive);

    /// <summary>Begins a text of several steps, the first of the list first.</summary>
    public static DecoderStream OpenAll(IReadOnlyList<TokenDecoder> decoders, DecoderStream last, bool isLive)
    {
        DecoderStream stream = last;
        for (int i = decoders.Count - 1; i >= 0; i--) stream = decoders[i].Open(stream, decoders.Take(i).Any(decoder => decoder.JoinsTokens), isLive);
        return stream;
    }
}

/// <summary>A stream that only passes on what it does not change.</summary>
internal abstract class PassingStream(DecoderStream next) : DecoderStream
{
    protected DecoderStream Next { get; } = next;

    public override void Append(ReadOnlySpan<char> token) => Next.Append(token);

    public override void AppendByte(byte value) => Next.AppendByte(value);

    public override void Flush() => Next.Flush();
}
