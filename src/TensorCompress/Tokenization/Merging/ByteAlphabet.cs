using System.Text;
using TensorCompress.Tokenization.Unicode;

namespace TensorCompress.Tokenization.Merging;

/// <summary>The byte-level alphabet of GPT-2: each byte has one visible character, so that vocabularies are plain text. Printable Latin-1 stands for itself, the other 68 bytes follow from U+0100 on.</summary>
internal static class ByteAlphabet
{
    private static readonly char[] Characters = BuildCharacters();
    private static readonly short[] Bytes = BuildBytes(); // of characters below U+0144, -1: stands for no byte

    /// <summary>All bytes in the order of GPT-2's vocabulary: those that stand for themselves first.</summary>
    public static IEnumerable<byte> InOrder => Enumerable.Range(0, 256).Select(value => (byte)value).OrderBy(value => Characters[value]);

    /// <summary>The character that stands for a byte.</summary>
    public static char Character(byte value) => Characters[value];

    /// <summary>The byte that a character stands for, or -1.</summary>
    public static int Byte(char character) => character < Bytes.Length ? Bytes[character] : -1;

    /// <summary>Appends the bytes of a token: of each character its byte, or UTF-8 when the token has a character that stands for none.</summary>
    /// <returns>Whether all characters stand for bytes.</returns>
    public static bool AppendBytes(string token, List<byte> bytes)
    {
        int start = bytes.Count;
        foreach (char character in token)
        {
            int value = Byte(character);
            if (value < 0)
            {
                bytes.RemoveRange(start, bytes.Count - start);
                bytes.AddRange(Encoding.UTF8.GetBytes(token));
                return false;
            }

            bytes.Add((byte)value);
        }

        return true;
    }

    /// <summary>Appends the characters that stand for the UTF-8 bytes of a well-formed text.</summary>
    public static void AppendCharacters(ReadOnlySpan<char> text, TextBuffer characters)
    {
        Span<byte> utf8 = stackalloc byte[4];
        for (int i = 0; i < text.Length;)
        {
            int count = CodePoints.EncodeUtf8(CodePoints.At(text, i, out int length), utf8);
            foreach (byte value in utf8[..count]) characters.Append(Characters[value]);
            i += length;
        }
    }

    private static char[] BuildCharacters()
    {
        var characters = new char[256];
        int next = 256;
        for (int value = 0; value < 256; value++)
            characters[value] = value is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or >= 0xAE ? (char)value : (char)next++;
        return characters;
    }

    private static short[] BuildBytes()
    {
        var bytes = new short[Characters.Max() + 1];
        Array.Fill(bytes, (short)-1);
        for (int value = 0; value < 256; value++) bytes[Characters[value]] = (short)value;
        return bytes;
    }
}
