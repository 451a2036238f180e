using System.Globalization;
using System.Text;

namespace TensorCompress.Tokenization.Splitting;

/// <summary>What the split expressions of byte-level vocabularies distinguish.</summary>
internal enum CharacterClass : byte
{
    /// <summary>Everything else, unassigned code points and lone surrogates (read as U+FFFD) too.</summary>
    Other,

    /// <summary><c>\p{L}</c>.</summary>
    Letter,

    /// <summary><c>\p{N}</c>: decimal digits, letter numbers and other numbers.</summary>
    Number,

    /// <summary><c>\s</c>, which is White_Space.</summary>
    Space,
}

/// <summary>Classes of code points. Expressions of .NET see UTF-16 units and so no letter beyond U+FFFF: hence by hand.</summary>
internal static class CharacterClasses
{
    private static readonly CharacterClass[] BasicPlane = BuildBasicPlane();

    /// <summary>The class of the code point that begins at an index, and how many UTF-16 units it has.</summary>
    public static CharacterClass At(ReadOnlySpan<char> text, int index, out int length)
    {
        char unit = text[index];
        if (char.IsHighSurrogate(unit) && index + 1 < text.Length && char.IsLowSurrogate(text[index + 1]))
        {
            length = 2;
            return Classify(CharUnicodeInfo.GetUnicodeCategory(char.ConvertToUtf32(unit, text[index + 1])));
        }

        length = 1;
        return BasicPlane[unit];
    }

    /// <summary>Index of the first code point from <paramref name="start"/> on that is not of the class.</summary>
    public static int EndOfRun(ReadOnlySpan<char> text, int start, CharacterClass kind)
    {
        while (start < text.Length && At(text, start, out int length) == kind) start += length;
        return start;
    }

    /// <summary><c>\w</c>: letters, marks, decimal and letter numbers, connectors and the two joiners.</summary>
    public static bool IsWordCharacter(Rune rune) => Rune.GetUnicodeCategory(rune) switch
    {
        <= UnicodeCategory.LetterNumber => true,
        UnicodeCategory.ConnectorPunctuation => true,
        _ => rune.Value is 0x200C or 0x200D,
    };

    private static CharacterClass[] BuildBasicPlane()
    {
        var classes = new CharacterClass[char.MaxValue + 1];
        for (int unit = 0; unit < classes.Length; unit++)
            classes[unit] = char.IsWhiteSpace((char)unit) ? CharacterClass.Space : Classify(CharUnicodeInfo.GetUnicodeCategory((char)unit));
        return classes;
    }

    private static CharacterClass Classify(UnicodeCategory category) => category switch
    {
        <= UnicodeCategory.OtherLetter => CharacterClass.Letter,
        UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => CharacterClass.Number,
        _ => CharacterClass.Other,
    };
}
