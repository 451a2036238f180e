using TensorCompress.Tokenization.Unicode;

namespace TensorCompress.Tokenization.Normalizers;

/// <summary>The first step of BERT's normalisation: control characters go, white space becomes blanks, and ideographs are set apart by blanks.</summary>
internal sealed class BertCleaning(bool cleansText, bool separatesIdeographs) : TextNormalizer
{
    private static readonly CodePointSet Removed = CodePointSets.Category("Cc").Union(CodePointSets.Category("Cf")).Union(CodePointSets.Category("Co")).Union(CodePointSet.Of(0xFFFD))
        .Except(CodePointSet.Of('\t', '\n', '\r'));

    private static readonly CodePointSet Ideographs = CodePointSet.OfRanges(
        [(0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F), (0x2B920, 0x2CEAF), (0x2F800, 0x2FA1F)]);

    public override bool Normalize(ReadOnlySpan<char> text, TextBuffer result)
    {
        for (int i = 0; i < text.Length;)
        {
            int codePoint = CodePoints.At(text, i, out int length);
            i += length;
            if (cleansText && Removed.Contains(codePoint)) continue;
            if (cleansText && CodePointSets.WhiteSpace.Contains(codePoint)) codePoint = ' ';
            bool isApart = separatesIdeographs && Ideographs.Contains(codePoint);
            if (isApart) result.Append(' ');
            result.AppendCodePoint(codePoint);
            if (isApart) result.Append(' ');
        }

        return true;
    }
}
