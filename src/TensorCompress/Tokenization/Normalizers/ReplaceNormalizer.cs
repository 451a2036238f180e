using TensorCompress.Tokenization.Expressions;
using TensorCompress.Tokenization.Splitting;
using TensorCompress.Tokenization.Unicode;

namespace TensorCompress.Tokenization.Normalizers;

/// <summary>Puts a text in the place of every match.</summary>
internal sealed class ReplaceNormalizer(PieceMatcher matcher, string content) : TextNormalizer
{
    public override bool Normalize(ReadOnlySpan<char> text, TextBuffer result)
    {
        var state = new MatchState();
        int done = 0;
        for (int from = 0; from < text.Length && matcher.Find(text, from, state, out int start, out int end);)
        {
            result.Append(text[done..start]);
            result.Append(content);
            done = end;
            if (end > start) from = end;
            else if (start < text.Length)
            {
                CodePoints.At(text, start, out int length);
                from = start + length;
            }
            else break;
        }

        if (done == 0 && result.Text.IsEmpty) return false;
        result.Append(text[done..]);
        return true;
    }
}
