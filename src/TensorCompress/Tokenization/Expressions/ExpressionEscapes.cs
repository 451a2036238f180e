using System.Globalization;
using TensorCompress.Tokenization.Unicode;

namespace TensorCompress.Tokenization.Expressions;

/// <summary>What a backslash begins, in and outside of classes: one set of code points.</summary>
internal static class ExpressionEscapes
{
    private static readonly CodePointSet HexadecimalDigits = CodePointSet.OfRanges([('0', '9'), ('A', 'F'), ('a', 'f')]);

    /// <summary>Reads the escape at an index, where a backslash stands, and moves behind it.</summary>
    public static CodePointSet Read(string pattern, ref int at)
    {
        if (at + 1 >= pattern.Length) throw new FormatException("it ends with a backslash");
        int letterLength = 1;
        int letter = CodePoints.At(pattern, at + 1, out letterLength);
        at += 1 + letterLength;
        switch (letter)
        {
            case 's': return CodePointSets.WhiteSpace;
            case 'S': return CodePointSets.WhiteSpace.Negate();
            case 'd': return CodePointSets.Category("Nd");
            case 'D': return CodePointSets.Category("Nd").Negate();
            case 'w': return CodePointSets.Word;
            case 'W': return CodePointSets.Word.Negate();
            case 'h': return HexadecimalDigits;
            case 'H': return HexadecimalDigits.Negate();
            case 'p': return ReadProperty(pattern, ref at);
            case 'P': return ReadProperty(pattern, ref at).Negate();
            case 'n': return CodePointSet.Of('\n');
            case 'r': return CodePointSet.Of('\r');
            case 't': return CodePointSet.Of('\t');
            case 'f': return CodePointSet.Of('\f');
            case 'v': return CodePointSet.Of('\v');
            case 'a': return CodePointSet.Of('\a');
            case 'e': return CodePointSet.Of('\u001B');
            case 'x' or 'u': return CodePointSet.Of(ReadNumber(pattern, ref at, letter == 'x' ? 2 : 4));
            case '0': return CodePointSet.Of(0);
            case (>= '1' and <= '9') or 'k' or 'g' or 'K' or 'R' or 'X' or 'G' or 'N' or 'O' or 'C' or 'M' or 'c' or 'y' or 'Y':
                throw new NotSupportedException($"'\\{(char)letter}'");
            default: return CodePointSet.Of(letter);
        }
    }

    // {Name}, {^Name}, or one letter.
    private static CodePointSet ReadProperty(string pattern, ref int at)
    {
        if (at >= pattern.Length) throw new FormatException("it ends within a property");
        string name = pattern[at].ToString();
        int end = at + 1;
        if (name == "{")
        {
            end = pattern.IndexOf('}', at);
            if (end < 0) throw new FormatException($"it has a property without an end at character {at}");
            name = pattern[(at + 1)..end++];
        }

        at = end;
        bool isNegative = name.StartsWith('^');
        if (isNegative) name = name[1..];
        string key = name[(name.IndexOf('=') + 1)..]; // Script=Han, gc=Lu
        CodePointSet set = CodePointSets.Find(key) ?? throw new NotSupportedException($"the property '{name}'");
        return isNegative ? set.Negate() : set;
    }

    private static int ReadNumber(string pattern, ref int at, int digits)
    {
        int start = at;
        int end = Math.Min(at + digits, pattern.Length);
        if (at < pattern.Length && pattern[at] == '{')
        {
            start = at + 1;
            end = pattern.IndexOf('}', at);
            at = end + 1;
        }
        else
        {
            while (at < end && char.IsAsciiHexDigit(pattern[at])) at++;
            end = at;
        }

        if (end <= start || !int.TryParse(pattern.AsSpan(start, end - start), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int value) || (uint)value >= CodePointSet.End)
            throw new FormatException($"it has no code point at character {start}");
        return value;
    }
}
