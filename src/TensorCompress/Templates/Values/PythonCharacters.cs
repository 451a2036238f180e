using System.Globalization;
using System.Text;

namespace TensorCompress.Templates.Values;

/// <summary>Classes and cases of characters as Python's texts have them.</summary>
internal static class PythonCharacters
{
    // Upper case of more than one character (Unicode's SpecialCasing, without conditions): the character, then its upper case.
    private const string LongUpperCases =
        "ßSS ŉʼN ǰJ\u030c ΐΙ\u0308\u0301 ΰΥ\u0308\u0301 ևԵՒ ẖH\u0331 ẗT\u0308 ẘW\u030a ẙY\u030a ẚAʾ ὐΥ\u0313 ὒΥ\u0313\u0300 ὔΥ\u0313\u0301 ὖΥ\u0313\u0342 ᾀἈΙ " +
        "ᾁἉΙ ᾂἊΙ ᾃἋΙ ᾄἌΙ ᾅἍΙ ᾆἎΙ ᾇἏΙ ᾈἈΙ ᾉἉΙ ᾊἊΙ ᾋἋΙ ᾌἌΙ ᾍἍΙ ᾎἎΙ ᾏἏΙ ᾐἨΙ ᾑἩΙ ᾒἪΙ ᾓἫΙ ᾔἬΙ ᾕἭΙ ᾖἮΙ ᾗἯΙ ᾘἨΙ ᾙἩΙ ᾚἪΙ ᾛἫΙ ᾜἬΙ ᾝἭΙ ᾞἮΙ ᾟἯΙ ᾠὨΙ ᾡὩΙ ᾢὪΙ ᾣὫΙ ᾤὬΙ ᾥὭΙ " +
        "ᾦὮΙ ᾧὯΙ ᾨὨΙ ᾩὩΙ ᾪὪΙ ᾫὫΙ ᾬὬΙ ᾭὭΙ ᾮὮΙ ᾯὯΙ ᾲᾺΙ ᾳΑΙ ᾴΆΙ ᾶΑ\u0342 ᾷΑ\u0342Ι ᾼΑΙ ῂῊΙ ῃΗΙ ῄΉΙ ῆΗ\u0342 ῇΗ\u0342Ι ῌΗΙ ῒΙ\u0308\u0300 ΐΙ\u0308\u0301 ῖΙ\u0342 " +
        "ῗΙ\u0308\u0342 ῢΥ\u0308\u0300 ΰΥ\u0308\u0301 ῤΡ\u0313 ῦΥ\u0342 ῧΥ\u0308\u0342 ῲῺΙ ῳΩΙ ῴΏΙ ῶΩ\u0342 ῷΩ\u0342Ι ῼΩΙ ﬀFF ﬁFI ﬂFL ﬃFFI ﬄFFL ﬅST ﬆST ﬓՄՆ ﬔՄԵ " +
        "ﬕՄԻ ﬖՎՆ ﬗՄԽ";

    private static readonly Dictionary<char, string> LongUpper = LongUpperCases.Split(' ').ToDictionary(entry => entry[0], entry => entry[1..]);

    /// <summary>White space, as <c>str.isspace</c> has it: the separators of the ASCII controls too.</summary>
    public static bool IsSpace(char c) => char.IsWhiteSpace(c) || c is >= '\u001c' and <= '\u001f';

    /// <summary>A line end, as <c>str.splitlines</c> has it.</summary>
    public static bool IsLineEnd(char c) => c is '\n' or '\r' or '\v' or '\f' or (>= '\u001c' and <= '\u001e') or '\u0085' or '\u2028' or '\u2029';

    public static string Upper(string text)
    {
        if (!text.AsSpan().ContainsAnyExceptInRange('\0', '\u007f')) return text.ToUpperInvariant();
        var upper = new StringBuilder(text.Length + 8);
        foreach (char c in text)
        {
            if (LongUpper.TryGetValue(c, out string? several)) upper.Append(several);
            else upper.Append(c);
        }

        return upper.ToString().ToUpperInvariant();
    }

    public static string Lower(string text)
    {
        if (!text.AsSpan().ContainsAny('\u03a3', '\u0130')) return text.ToLowerInvariant();
        var lower = new StringBuilder(text.Length + 8);
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] == '\u0130') lower.Append("i\u0307");
            else if (text[i] == '\u03a3') lower.Append(IsFinalSigma(text, i) ? '\u03c2' : '\u03c3');
            else lower.Append(text[i]);
        }

        return lower.ToString().ToLowerInvariant();
    }

    /// <summary>Lower case for comparisons.</summary>
    public static string Fold(string text)
    {
        var folded = new StringBuilder(text.Length + 8);
        foreach (char c in text)
        {
            if (LongUpper.TryGetValue(c, out string? several)) folded.Append(several);
            else folded.Append(c == '\u03c2' ? '\u03c3' : c);
        }

        return folded.ToString().ToLowerInvariant();
    }

    /// <summary>The first character in upper case, the others in lower case.</summary>
    public static string Capitalize(string text)
    {
        if (text.Length == 0) return text;
        int first = char.IsHighSurrogate(text[0]) && text.Length > 1 ? 2 : 1;
        return TitleCase(text[..first]) + Lower(text)[LowerLength(text, first)..];
    }

    /// <summary>Each run of letters with its first in upper case and the others in lower case.</summary>
    public static string Title(string text)
    {
        var title = new StringBuilder(text.Length + 8);
        string lower = Lower(text);
        bool isInside = false;
        int at = 0; // in lower
        for (int i = 0; i < text.Length;)
        {
            int units = char.IsHighSurrogate(text[i]) && i + 1 < text.Length ? 2 : 1;
            int lowerUnits = text[i] == '\u0130' ? 2 : units;
            if (isInside) title.Append(lower, at, lowerUnits);
            else title.Append(TitleCase(text.Substring(i, units)));
            isInside = IsCased(text, i);
            i += units;
            at += lowerUnits;
        }

        return title.ToString();
    }

    public static string SwapCase(string text)
    {
        var swapped = new StringBuilder(text.Length + 8);
        for (int i = 0; i < text.Length; i++)
        {
            int units = char.IsHighSurrogate(text[i]) && i + 1 < text.Length ? 2 : 1;
            string character = text.Substring(i, units);
            swapped.Append(CharUnicodeInfo.GetUnicodeCategory(text, i) switch
            {
                UnicodeCategory.UppercaseLetter => Lower(character),
                UnicodeCategory.LowercaseLetter => Upper(character),
                _ => character,
            });
            i += units - 1;
        }

        return swapped.ToString();
    }

    /// <summary>Whether the character at an index has an upper or lower case.</summary>
    public static bool IsCased(string text, int index) =>
        CharUnicodeInfo.GetUnicodeCategory(text, index) is UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter;

    /// <summary>Whether a text shows a character as it is, or as an escape in a repr.</summary>
    public static bool IsPrintable(string text, int index) => text[index] == ' ' || CharUnicodeInfo.GetUnicodeCategory(text, index) is not (
        UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned
        or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator or UnicodeCategory.SpaceSeparator);

    // Title case is upper case but for the digraphs, and for upper cases of several characters, where the first is upper.
    private static string TitleCase(string character)
    {
        if (character.Length == 1 && LongUpper.TryGetValue(character[0], out string? several))
            return character[0] == 'ŉ' ? several : several[0] + Lower(several[1..]);
        return character switch
        {
            "Ǆ" or "ǅ" or "ǆ" => "ǅ",
            "Ǉ" or "ǈ" or "ǉ" => "ǈ",
            "Ǌ" or "ǋ" or "ǌ" => "ǋ",
            "Ǳ" or "ǲ" or "ǳ" => "ǲ",
            _ => Upper(character),
        };
    }

    private static int LowerLength(string text, int first) => text[0] == '\u0130' ? 2 : first;

    // A capital sigma at the end of a word.
    private static bool IsFinalSigma(string text, int index)
    {
        int before = index - 1, after = index + 1;
        while (before >= 0 && IsIgnorable(text[before])) before--;
        while (after < text.Length && IsIgnorable(text[after])) after++;
        return before >= 0 && char.IsLetter(text[before]) && !(after < text.Length && char.IsLetter(text[after]));
    }

    private static bool IsIgnorable(char c) =>
        c is '\'' or '.' or ':' or '^' or '`' or '\u00b7' or '\u2019' || char.GetUnicodeCategory(c) is UnicodeCategory.NonSpacingMark or UnicodeCategory.Format or UnicodeCategory.ModifierLetter;
}
