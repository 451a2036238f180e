using System.Text;

namespace TensorCompress.Tokenization.Unicode;

/// <summary>Code points of well-formed UTF-16 texts.</summary>
internal static class CodePoints
{
    /// <summary>The code point that begins at an index, and how many UTF-16 units it has. A lone surrogate is itself.</summary>
    public static int At(ReadOnlySpan<char> text, int index, out int length)
    {
        char unit = text[index];
        if (char.IsHighSurrogate(unit) && index + 1 < text.Length && char.IsLowSurrogate(text[index + 1]))
        {
            length = 2;
            return char.ConvertToUtf32(unit, text[index + 1]);
        }

        length = 1;
        return unit;
    }

    /// <summary>The code point that ends before an index greater than zero.</summary>
    public static int Before(ReadOnlySpan<char> text, int index, out int length)
    {
        char unit = text[index - 1];
        if (char.IsLowSurrogate(unit) && index > 1 && char.IsHighSurrogate(text[index - 2]))
        {
            length = 2;
            return char.ConvertToUtf32(text[index - 2], unit);
        }

        length = 1;
        return unit;
    }

    /// <summary>Whether a text has half of a surrogate pair.</summary>
    public static bool HasLoneSurrogate(ReadOnlySpan<char> text)
    {
        for (int i = text.IndexOfAnyInRange('\uD800', '\uDFFF'); i >= 0 && i < text.Length;)
        {
            if (!char.IsHighSurrogate(text[i]) || i + 1 == text.Length || !char.IsLowSurrogate(text[i + 1])) return true;
            i += 2;
            int next = text[i..].IndexOfAnyInRange('\uD800', '\uDFFF');
            if (next < 0) return false;
            i += next;
        }

        return false;
    }

    /// <summary>Writes the UTF-8 bytes of a code point; returns how many.</summary>
    public static int EncodeUtf8(int codePoint, Span<byte> utf8) => (Rune.TryCreate(codePoint, out Rune rune) ? rune : Rune.ReplacementChar).EncodeToUtf8(utf8);
}
