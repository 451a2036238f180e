using System.Globalization;
using System.Text;
using TensorCompress.Tokenization.Unicode;

namespace TensorCompress.Tokenization.Normalizers;

/// <summary>
/// A <see cref="CharacterMap"/> as Hugging Face's library applies it: by what people see as one character. One of fewer than six bytes is looked up whole, and its shortest
/// beginning in the map takes its place (the rest is lost); others go code point by code point.
/// </summary>
internal sealed class PrecompiledNormalizer : TextNormalizer
{
    private const int MaxWholeBytes = 5;

    private readonly CharacterMap _map;
    private readonly bool[] _isMapped = new bool[128];

    public PrecompiledNormalizer(CharacterMap map)
    {
        _map = map;
        for (int value = 0; value < _isMapped.Length; value++)
        {
            map.Find([(byte)value], isShortest: true, out int length);
            _isMapped[value] = length > 0;
        }
    }

    public override bool Normalize(ReadOnlySpan<char> text, TextBuffer result)
    {
        Span<byte> utf8 = stackalloc byte[MaxWholeBytes];
        for (int i = 0; i < text.Length;)
        {
            // A character of ASCII stands alone before another one, but for the end of a line.
            bool isPlain = text[i] < 128 && !_isMapped[text[i]] && text[i] != '\r' && (i + 1 == text.Length || text[i + 1] < 128);
            if (isPlain)
            {
                result.Append(text[i++]);
                continue;
            }

            ReadOnlySpan<char> character = text.Slice(i, StringInfo.GetNextTextElementLength(text[i..]));
            i += character.Length;
            if (Encoding.UTF8.TryGetBytes(character, utf8, out int count) && TryMap(utf8[..count], result)) continue;
            for (int j = 0; j < character.Length;)
            {
                int codePoint = CodePoints.At(character, j, out int length);
                if (!TryMap(utf8[..CodePoints.EncodeUtf8(codePoint, utf8)], result)) result.AppendCodePoint(codePoint);
                j += length;
            }
        }

        return true;
    }

    private bool TryMap(ReadOnlySpan<byte> utf8, TextBuffer result)
    {
        ReadOnlySpan<byte> replacement = _map.Find(utf8, isShortest: true, out int length);
        if (length == 0) return false;
        if (replacement.IsEmpty) return true;
        Span<char> units = replacement.Length <= 256 ? stackalloc char[256] : new char[replacement.Length];
        result.Append(units[..Encoding.UTF8.GetChars(replacement, units)]);
        return true;
    }
}
