using TensorCompress.Tokenization.Normalizers;
using TensorCompress.Tokenization.Splitting;
using TensorCompress.Tokenization.Unicode;

namespace TensorCompress.Tokenization.Decoders;

/// <summary>Joins the tokens to one text, so that later steps see its beginning and end instead of theirs.</summary>
internal sealed class FuseDecoder : TokenDecoder
{
    public override bool JoinsTokens => true;

    public override DecoderStream Open(DecoderStream next, bool isJoined, bool isLive) => next;
}

/// <summary>What takes the place of a missing decoder: a blank between tokens.</summary>
internal sealed class BlankDecoder : TokenDecoder
{
    public override DecoderStream Open(DecoderStream next, bool isJoined, bool isLive) => new Stream(next);

    private sealed class Stream(DecoderStream next) : PassingStream(next)
    {
        private bool _isLater;

        public override void Append(ReadOnlySpan<char> token)
        {
            if (_isLater) Next.Append(" ");
            _isLater = true;
            Next.Append(token);
        }
    }
}

/// <summary>Puts a text in the place of every match in a token. Where the tokens are joined and a match may reach over several, the text comes at the end.</summary>
internal sealed class ReplaceDecoder(PieceMatcher matcher, string content, bool isOneCharacter) : TokenDecoder
{
    public override DecoderStream Open(DecoderStream next, bool isJoined, bool isLive) =>
        new Stream(new ReplaceNormalizer(matcher, content), next, waits: isJoined && !isOneCharacter);

    private sealed class Stream(ReplaceNormalizer replacement, DecoderStream next, bool waits) : PassingStream(next)
    {
        private readonly TextBuffer _waiting = new();
        private readonly TextBuffer _result = new();

        public override void Append(ReadOnlySpan<char> token)
        {
            if (waits)
            {
                _waiting.Append(token);
                return;
            }

            _result.Clear();
            Next.Append(!token.IsEmpty && replacement.Normalize(token, _result) ? _result.Text : token);
        }

        public override void Flush()
        {
            if (waits)
            {
                ReadOnlySpan<char> text = _waiting.Text;
                Next.Append(!text.IsEmpty && replacement.Normalize(text, _result) ? _result.Text : text);
            }

            Next.Flush();
        }
    }
}

/// <summary>Takes a character from the beginning and end of each token, or of the text where the tokens are joined, as often as the two numbers say.</summary>
internal sealed class StripDecoder(char content, int start, int stop) : TokenDecoder
{
    public override DecoderStream Open(DecoderStream next, bool isJoined, bool isLive) => isJoined ? new JoinedStream(next, content, start, stop) : new TokenStream(next, content, start, stop);

    private sealed class TokenStream(DecoderStream next, char content, int start, int stop) : PassingStream(next)
    {
        public override void Append(ReadOnlySpan<char> token)
        {
            int first = 0;
            while (first < Math.Min(start, token.Length) && token[first] == content) first++;
            int end = token.Length;
            while (end > first && token.Length - end < stop && token[end - 1] == content) end--;
            Next.Append(token[first..end]);
        }
    }

    private sealed class JoinedStream(DecoderStream next, char content, int start, int stop) : PassingStream(next)
    {
        private int _left = start;
        private int _held; // of the character, which may be the last ones

        public override void Append(ReadOnlySpan<char> token)
        {
            while (_left > 0 && token.StartsWith(content))
            {
                token = token[1..];
                _left--;
            }

            if (token.IsEmpty) return;
            _left = 0;
            ReadOnlySpan<char> text = token.TrimEnd(content);
            if (!text.IsEmpty)
            {
                Release(0);
                Next.Append(text);
            }

            _held += token.Length - text.Length;
            Release(stop);
        }

        public override void AppendByte(byte value)
        {
            Release(0);
            _left = 0;
            Next.AppendByte(value);
        }

        private void Release(int kept)
        {
            for (; _held > kept; _held--) Next.Append([content]);
        }
    }
}

/// <summary>Marks become blanks; in the first token they vanish, unless no mark is ever put before a text.</summary>
internal sealed class MetaspaceDecoder(char mark, bool keepsFirst) : TokenDecoder
{
    public override DecoderStream Open(DecoderStream next, bool isJoined, bool isLive) => new Stream(next, mark, keepsFirst, isJoined);

    private sealed class Stream(DecoderStream next, char mark, bool keepsFirst, bool isJoined) : PassingStream(next)
    {
        private readonly TextBuffer _result = new();
        private bool _isLater = keepsFirst;

        public override void Append(ReadOnlySpan<char> token)
        {
            _result.Clear();
            if (_isLater) _result.AppendReplaced(token, mark, ' ');
            else
            {
                foreach (char unit in token)
                {
                    if (unit != mark) _result.Append(unit);
                }
            }

            _isLater |= !isJoined;
            Next.Append(_result.Text);
        }

        public override void AppendByte(byte value)
        {
            _isLater |= !isJoined;
            Next.AppendByte(value);
        }
    }
}
