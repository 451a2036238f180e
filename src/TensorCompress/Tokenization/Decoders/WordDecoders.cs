namespace TensorCompress.Tokenization.Decoders;

/// <summary>WordPiece: a blank before every token but the first and those with the prefix, which goes; optionally the blanks before English punctuation go too.</summary>
internal sealed class WordPieceDecoder(string prefix, bool cleansUp) : TokenDecoder
{
    // In this order, each in every token.
    private static readonly (string Old, string New)[] Cleaning =
    [
        (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"), (" do not", " don't"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
    ];

    public override DecoderStream Open(DecoderStream next, bool isJoined, bool isLive) => new Stream(next, prefix, cleansUp, isJoined);

    private sealed class Stream(DecoderStream next, string prefix, bool cleansUp, bool isJoined) : PassingStream(next)
    {
        private bool _isLater;

        public override void Append(ReadOnlySpan<char> token)
        {
            string text = !_isLater ? token.ToString() : token.StartsWith(prefix) ? token[prefix.Length..].ToString() : string.Concat(" ", token);
            _isLater = !isJoined;
            if (cleansUp)
            {
                foreach ((string old, string replacement) in Cleaning) text = text.Replace(old, replacement, StringComparison.Ordinal);
            }

            Next.Append(text);
        }
    }
}

/// <summary>Byte-pair vocabularies that mark the ends of words: the mark becomes a blank, in the last token nothing. So a token waits for the next.</summary>
internal sealed class EndOfWordDecoder(string suffix) : TokenDecoder
{
    public override DecoderStream Open(DecoderStream next, bool isJoined, bool isLive) => new Stream(next, suffix);

    private sealed class Stream(DecoderStream next, string suffix) : PassingStream(next)
    {
        private string? _waiting;

        public override void Append(ReadOnlySpan<char> token)
        {
            Release(" ");
            _waiting = token.ToString();
        }

        public override void AppendByte(byte value)
        {
            Release(" ");
            Next.AppendByte(value);
        }

        public override void Flush()
        {
            Release("");
            Next.Flush();
        }

        private void Release(string replacement)
        {
            if (_waiting is null) return;
            Next.Append(suffix.Length == 0 ? _waiting : _waiting.Replace(suffix, replacement, StringComparison.Ordinal));
            _waiting = null;
        }
    }
}
