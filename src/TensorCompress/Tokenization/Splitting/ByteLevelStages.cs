using TensorCompress.Tokenization.Merging;
using TensorCompress.Tokenization.Unicode;

namespace TensorCompress.Tokenization.Splitting;

/// <summary>Puts a blank before every part that does not begin with one.</summary>
internal sealed class PrefixSpaceStage : PreTokenizerStage
{
    public override void Cut(ReadOnlySpan<char> part, bool isFirst, EncodingRun run, int depth)
    {
        if (part[0] == ' ')
        {
            run.Pass(part, isFirst, depth + 1);
            return;
        }

        TextBuffer buffer = run.BufferOf(depth);
        buffer.Clear();
        buffer.Append(' ');
        buffer.Append(part);
        run.Pass(buffer.Text, isFirst, depth + 1);
    }
}

/// <summary>Writes the UTF-8 bytes of every part in the byte alphabet of GPT-2. Where a byte-level vocabulary follows at once, the vocabulary does it itself.</summary>
internal sealed class ByteAlphabetStage : PreTokenizerStage
{
    public override void Cut(ReadOnlySpan<char> part, bool isFirst, EncodingRun run, int depth)
    {
        TextBuffer buffer = run.BufferOf(depth);
        buffer.Clear();
        ByteAlphabet.AppendCharacters(part, buffer);
        run.Pass(buffer.Text, isFirst, depth + 1);
    }
}
