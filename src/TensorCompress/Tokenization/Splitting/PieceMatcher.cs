using TensorCompress.Tokenization.Expressions;
using TensorCompress.Tokenization.Unicode;

namespace TensorCompress.Tokenization.Splitting;

/// <summary>Finds what a <see cref="SplitStage"/> or a replacement is about, from left to right and without overlap.</summary>
internal abstract class PieceMatcher
{
    /// <summary>Finds the next match from an index on.</summary>
    /// <param name="text">The whole part.</param>
    /// <param name="from">Where the search begins.</param>
    /// <param name="state">Reset for each part.</param>
    /// <param name="start">Where the match begins.</param>
    /// <param name="end">Where it ends.</param>
    public abstract bool Find(ReadOnlySpan<char> text, int from, MatchState state, out int start, out int end);
}

/// <summary>Finds a literal text.</summary>
internal sealed class LiteralMatcher(string literal) : PieceMatcher
{
    public override bool Find(ReadOnlySpan<char> text, int from, MatchState state, out int start, out int end)
    {
        int found = literal.Length == 0 ? -1 : text[from..].IndexOf(literal);
        start = from + Math.Max(found, 0);
        end = start + literal.Length;
        return found >= 0;
    }
}

/// <summary>Finds single characters of a set.</summary>
internal sealed class CharacterMatcher(CodePointSet set) : PieceMatcher
{
    public override bool Find(ReadOnlySpan<char> text, int from, MatchState state, out int start, out int end)
    {
        for (start = from; start < text.Length; start = end)
        {
            bool isMatch = set.Contains(CodePoints.At(text, start, out int length));
            end = start + length;
            if (isMatch) return true;
        }

        end = start;
        return false;
    }
}

/// <summary>Finds matches of a regular expression.</summary>
internal sealed class ExpressionMatcher(Expression expression) : PieceMatcher
{
    public override bool Find(ReadOnlySpan<char> text, int from, MatchState state, out int start, out int end) => expression.Find(text, from, state, out start, out end);
}
