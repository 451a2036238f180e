using System.Globalization;
using System.Text;
using TensorCompress.Tokenization.Merging;

namespace TensorCompress.Tokenization.Decoders;

/// <summary>The byte alphabet of GPT-2: a token of which every character stands for a byte becomes these bytes, any other is text.</summary>
internal sealed class ByteLevelDecoder : TokenDecoder
{
    public override bool JoinsTokens => true;

    public override DecoderStream Open(DecoderStream next, bool isJoined, bool isLive) => new Stream(next);

    private sealed class Stream(DecoderStream next) : PassingStream(next)
    {
        public override void Append(ReadOnlySpan<char> token)
        {
            foreach (char unit in token)
            {
                if (ByteAlphabet.Byte(unit) >= 0) continue;
                Next.Append(token);
                return;
            }

            foreach (char unit in token) Next.AppendByte((byte)ByteAlphabet.Byte(unit));
        }
    }
}

/// <summary>Tokens <c>&lt;0x00&gt;</c> to <c>&lt;0xFF&gt;</c> are bytes. A run of them that is not UTF-8 as a whole becomes one U+FFFD for each byte, unless the text is wanted as it comes.</summary>
internal sealed class ByteFallbackDecoder : TokenDecoder
{
    public override DecoderStream Open(DecoderStream next, bool isJoined, bool isLive) => new Stream(next, isLive);

    /// <summary>The byte that a token stands for, or -1.</summary>
    public static int ByteOf(ReadOnlySpan<char> token) =>
        token is ['<', '0', 'x', _, _, '>'] && byte.TryParse(token[3..5], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte value) ? value : -1;

    private sealed class Stream(DecoderStream next, bool isLive) : PassingStream(next)
    {
        private readonly List<byte> _run = [];

        public override void Append(ReadOnlySpan<char> token)
        {
            int value = ByteOf(token);
            if (value >= 0) AppendByte((byte)value);
            else
            {
                EndRun();
                Next.Append(token);
            }
        }

        public override void AppendByte(byte value)
        {
            if (!isLive) _run.Add(value);
            else if (value < 128) Next.Append([(char)value]);
            else Next.AppendByte(value);
        }

        public override void Flush()
        {
            EndRun();
            Next.Flush();
        }

        private void EndRun()
        {
            if (_run.Count == 0) return;
            byte[] run = [.. _run];
            _run.Clear();
            if (System.Text.Unicode.Utf8.IsValid(run)) Next.Append(Encoding.UTF8.GetString(run));
            else
            {
                for (int i = 0; i < run.Length; i++) Next.Append("\uFFFD");
            }
        }
    }
}
