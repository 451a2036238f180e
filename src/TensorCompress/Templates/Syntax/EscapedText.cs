using System.Globalization;
using System.Text;

namespace TensorCompress.Templates.Syntax;

/// <summary>The escapes of Python's text literals.</summary>
internal static class EscapedText
{
    /// <summary>The text that is meant; null where an escape with a number is incomplete. A backslash before any other character stands for itself.</summary>
    public static string? Decode(ReadOnlySpan<char> literal)
    {
        var text = new StringBuilder(literal.Length);
        for (int i = 0; i < literal.Length; i++)
        {
            if (literal[i] != '\\' || i + 1 == literal.Length)
            {
                text.Append(literal[i]);
                continue;
            }

            char mark = literal[++i];
            if (mark is 'x' or 'u' or 'U')
            {
                int digits = mark == 'x' ? 2 : mark == 'u' ? 4 : 8;
                if (i + digits >= literal.Length || !TryAppend(text, literal.Slice(i + 1, digits), NumberStyles.AllowHexSpecifier)) return null;
                i += digits;
            }
            else if (mark is >= '0' and <= '7')
            {
                int value = 0, end = i;
                for (; end < literal.Length && end < i + 3 && literal[end] is >= '0' and <= '7'; end++) value = (value * 8) + (literal[end] - '0');
                text.Append((char)value);
                i = end - 1;
            }
            else if (Simple(mark) is char plain)
            {
                text.Append(plain);
            }
            else if (mark != '\n') // a newline after a backslash joins the lines
            {
                text.Append('\\').Append(mark);
            }
        }

        return text.ToString();
    }

    private static bool TryAppend(StringBuilder text, ReadOnlySpan<char> digits, NumberStyles style)
    {
        if (!uint.TryParse(digits, style, CultureInfo.InvariantCulture, out uint value) || value > 0x10FFFF) return false;
        if (value < 0x10000) text.Append((char)value);
        else text.Append(char.ConvertFromUtf32((int)value));
        return true;
    }

    private static char? Simple(char mark) => mark switch
    {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        '\\' => '\\',
        '\'' => '\'',
        '"' => '"',
        'a' => '\a',
        'b' => '\b',
        'f' => '\f',
        'v' => '\v',
        _ => null,
    };
}
