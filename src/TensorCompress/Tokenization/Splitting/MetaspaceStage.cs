using TensorCompress.Tokenization.Unicode;

namespace TensorCompress.Tokenization.Splitting;

/// <summary>Where a <see cref="MetaspaceStage"/> puts a mark before a part.</summary>
internal enum PrependScheme
{
    /// <summary>Before every part.</summary>
    Always,

    /// <summary>Before the part that begins the text.</summary>
    First,

    /// <summary>Nowhere.</summary>
    Never,
}

/// <summary>Blanks become a visible mark, one is put before a part that has none, and pieces begin at marks.</summary>
internal sealed class MetaspaceStage(char mark, PrependScheme scheme, bool splits) : PreTokenizerStage
{
    public override void Cut(ReadOnlySpan<char> part, bool isFirst, EncodingRun run, int depth)
    {
        TextBuffer buffer = run.BufferOf(depth);
        buffer.Clear();
        bool prepends = scheme == PrependScheme.Always || (scheme == PrependScheme.First && isFirst);
        if (prepends && part[0] != ' ' && part[0] != mark) buffer.Append(mark);
        buffer.AppendReplaced(part, ' ', mark);
        ReadOnlySpan<char> text = buffer.Text;
        if (!splits)
        {
            run.Pass(text, isFirst, depth + 1);
            return;
        }

        for (int start = 0; start < text.Length;)
        {
            int next = text[(start + 1)..].IndexOf(mark);
            int end = next < 0 ? text.Length : start + 1 + next;
            run.Pass(text[start..end], isFirst && start == 0, depth + 1);
            start = end;
        }
    }
}
