using System.Text;

namespace TensorCompress.Templates.Execution;

/// <summary>Text that grows, charged to its rendering before it does.</summary>
internal sealed class TextBuffer(RenderContext context, int maxLength = int.MaxValue)
{
    private readonly StringBuilder _text = new();

    public int Length => _text.Length;

    public TextBuffer Append(string text) => Append(text.AsSpan());

    public TextBuffer Append(ReadOnlySpan<char> text)
    {
        // Twice: once here, once in the text that is made of it.
        context.Allocate(text.Length * 4L);
        if (text.Length > maxLength - _text.Length) throw RenderContext.Limit($"the result has more than {maxLength} characters");
        _text.Append(text);
        return this;
    }

    public TextBuffer Append(char c) => Append(new ReadOnlySpan<char>(in c));

    public TextBuffer Append(char c, long count)
    {
        if (count <= 0) return this;
        context.Allocate(count * 4);
        _text.Append(c, (int)count);
        return this;
    }

    public override string ToString() => _text.ToString();
}
