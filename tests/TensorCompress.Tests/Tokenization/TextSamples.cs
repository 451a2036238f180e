using System.Text;

namespace TensorCompress.Tests.Tokenization;

/// <summary>Random texts of what tokenizers stumble over: scripts, marks, digits beyond U+FFFF, blanks of all kinds, contractions, lone surrogates.</summary>
internal static class TextSamples
{
    private static readonly string[] Parts =
    [
        "the", "Hello", "naïve", "Straße", "мир", "你好", "कि", "ก็", "안녕", "𝐀𝐁", "𠀀", "x", "Q", "ﷺ",
        "0", "42", "½", "Ⅷ", "²", "𝟙", "٣", "१",
        " ", "  ", "\t", "\n", "\r\n", "\n\n\n", "\u00A0", "\u0085", "\u2028", "\u3000", "\u200B", "\uFEFF", "\u180E", "\u001C",
        "'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'", "''", "'r", "'l", "'\u017F",
        ".", "...", "!?", "<|", "|>", "_", "#", "€", "🚀", "👩‍👩‍👧", "e\u0301", "\u0301", "\u200D", "\0", "\u001F", "\uFFFD", "\uE000",
    ];

    public static string Text(Random random, int parts, bool loneSurrogates = false)
    {
        var text = new StringBuilder();
        for (int i = 0; i < parts; i++)
        {
            int kind = random.Next(12);
            if (kind == 0) text.Append((char)random.Next(0x20, 0x7F));
            else if (kind == 1) text.Append(RandomRune(random));
            else if (kind == 2 && loneSurrogates) text.Append((char)random.Next(0xD800, 0xE000));
            else text.Append(Parts[random.Next(Parts.Length)]);
        }

        return text.ToString();
    }

    private static Rune RandomRune(Random random)
    {
        while (true)
        {
            if (Rune.TryCreate(random.Next(random.Next(2) == 0 ? 0x3000 : 0x110000), out Rune rune)) return rune;
        }
    }
}
