using TensorCompress.Storage;
using TensorCompress.Tokenization.Expressions;
using TensorCompress.Tokenization.Splitting;

namespace TensorCompress.Tokenization.Json;

/// <summary>The <c>pattern</c> of a component: a literal text or a regular expression.</summary>
internal static class PatternJson
{
    /// <summary>Reads it.</summary>
    /// <param name="component">The component whose pattern it is.</param>
    /// <param name="isOneCharacter">Whether its matches have one UTF-16 unit at most.</param>
    public static PieceMatcher Read(JsonProperties component, out bool isOneCharacter)
    {
        JsonSource source = component.Require("pattern");
        JsonProperties pattern = source.Properties();
        isOneCharacter = false;
        if (pattern.Find("String") is JsonSource text)
        {
            string literal = text.String();
            isOneCharacter = literal.Length <= 1;
            return new LiteralMatcher(literal);
        }

        if (pattern.Find("Regex") is not JsonSource expression) throw pattern.Unsupported($"The pattern '{string.Join(", ", pattern.All.Keys)}'", ["String", "Regex"]);
        return new ExpressionMatcher(Compile(expression));
    }

    private static Expression Compile(JsonSource source)
    {
        string pattern = source.String();
        try
        {
            return new Expression(pattern);
        }
        catch (NotSupportedException e)
        {
            throw new TensorFormatException(TensorFormatError.Unsupported, $"The expression '{Short(pattern)}' is not supported: it has {e.Message}.", source.FileName, offset: source.Offset, innerException: e);
        }
        catch (FormatException e)
        {
            throw new TensorFormatException(TensorFormatError.Value, $"The expression '{Short(pattern)}' is not well formed: {e.Message}.", source.FileName, offset: source.Offset, innerException: e);
        }
    }

    private static string Short(string pattern) => pattern.Length <= 80 ? pattern : pattern[..80] + "...";
}
