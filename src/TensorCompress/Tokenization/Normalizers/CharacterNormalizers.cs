using System.Text;
using TensorCompress.Tokenization.Merging;
using TensorCompress.Tokenization.Unicode;

namespace TensorCompress.Tokenization.Normalizers;

/// <summary>One of Unicode's normalisation forms.</summary>
internal sealed class UnicodeFormNormalizer(bool isCompatible, bool composes) : TextNormalizer
{
    public override bool Normalize(ReadOnlySpan<char> text, TextBuffer result) => NormalizationForms.Normalize(text, isCompatible, composes, result);
}

/// <summary>Small letters, each character by itself (no rule for the sigma at the end of a word).</summary>
internal sealed class LowercaseNormalizer : TextNormalizer
{
    public override bool Normalize(ReadOnlySpan<char> text, TextBuffer result)
    {
        for (int i = 0; i < text.Length;)
        {
            int codePoint = CodePoints.At(text, i, out int length);
            i += length;
            if (codePoint == 0x130) result.Append("i\u0307"); // the only one that becomes two
            else result.AppendCodePoint(codePoint < 128 ? char.ToLowerInvariant((char)codePoint) : Rune.ToLowerInvariant(new Rune(codePoint)).Value);
        }

        return true;
    }
}

/// <summary>Leaves out marks: all of them, or as BERT does only those that take no room (<c>\p{Mn}</c>).</summary>
internal sealed class StripAccentsNormalizer(CodePointSet marks) : TextNormalizer
{
    public override bool Normalize(ReadOnlySpan<char> text, TextBuffer result)
    {
        if (text.IndexOfAnyInRange('\u0300', char.MaxValue) < 0) return false;
        for (int i = 0; i < text.Length;)
        {
            int codePoint = CodePoints.At(text, i, out int length);
            i += length;
            if (!marks.Contains(codePoint)) result.AppendCodePoint(codePoint);
        }

        return true;
    }
}

/// <summary>Takes white space from the ends.</summary>
internal sealed class StripNormalizer(bool left, bool right) : TextNormalizer
{
    public override bool Normalize(ReadOnlySpan<char> text, TextBuffer result)
    {
        if (left) text = text.TrimStart();
        if (right) text = text.TrimEnd();
        result.Append(text);
        return true;
    }
}

/// <summary>Puts a text before one that is not empty.</summary>
internal sealed class PrependNormalizer(string prefix) : TextNormalizer
{
    public override bool Normalize(ReadOnlySpan<char> text, TextBuffer result)
    {
        result.Append(prefix);
        result.Append(text);
        return true;
    }
}

/// <summary>The cleaning that neural machine translation of SentencePiece is trained with: control characters go, kinds of white space become a blank.</summary>
internal sealed class NmtNormalizer : TextNormalizer
{
    public override bool Normalize(ReadOnlySpan<char> text, TextBuffer result)
    {
        foreach (char unit in text)
        {
            switch (unit)
            {
                case (>= '\u0001' and <= '\u0008') or '\u000B' or (>= '\u000E' and <= '\u001F') or '\u007F' or '\u008F' or '\u009F':
                    break;
                case '\t' or '\n' or '\f' or '\r' or '\u1680' or (>= '\u200B' and <= '\u200F') or '\u2028' or '\u2029' or '\u2581' or '\uFEFF' or '\uFFFD':
                    result.Append(' ');
                    break;
                default:
                    result.Append(unit);
                    break;
            }
        }

        return true;
    }
}

/// <summary>UTF-8 bytes in the byte alphabet of GPT-2.</summary>
internal sealed class ByteLevelNormalizer : TextNormalizer
{
    public override bool Normalize(ReadOnlySpan<char> text, TextBuffer result)
    {
        ByteAlphabet.AppendCharacters(text, result);
        return true;
    }
}
