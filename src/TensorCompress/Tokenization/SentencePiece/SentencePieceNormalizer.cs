using System.Text;
using TensorCompress.Tokenization.Normalizers;
using TensorCompress.Tokenization.Unicode;
using TensorCompress.Tokenization.Words;

namespace TensorCompress.Tokenization.SentencePiece;

/// <summary>SentencePiece's own normalisation: the longest entry of the map anywhere, user-defined pieces as they stand, blanks thinned out, marked, and put before or behind the text.</summary>
internal sealed class SentencePieceNormalizer
{
    private const char Mark = '\u2581';

    private readonly SentencePieceVocabulary _vocabulary;
    private readonly CharacterMap? _map;
    private readonly PrefixTree? _userDefined;
    private readonly bool[] _beginsEntry = new bool[256];
    private readonly char _space;

    /// <summary>Takes the settings of a vocabulary, and its user-defined pieces, if any.</summary>
    public SentencePieceNormalizer(SentencePieceVocabulary vocabulary, CharacterMap? map, PrefixTree? userDefined)
    {
        _vocabulary = vocabulary;
        _map = map;
        _userDefined = userDefined;
        _space = vocabulary.EscapesWhitespace ? Mark : ' ';
        if (map is not null) for (int value = 0; value < 256; value++) _beginsEntry[value] = map.HasBeginning((byte)value);
    }

    /// <summary>Appends the normal form of a well-formed text.</summary>
    public void Normalize(ReadOnlySpan<char> text, TextBuffer result)
    {
        if (text.IsEmpty) return;
        // A place in the text is a place in its bytes too, where the map is looked up.
        byte[] utf8 = _map is null ? [] : Encoding.UTF8.GetBytes(text.ToString());
        var writer = new Writer(result, _space, _vocabulary.RemovesExtraWhitespace);
        char[] replacement = _map is null ? [] : new char[64];
        bool isBeginning = true;
        for (int at = 0, byteAt = 0; at < text.Length;)
        {
            ReadOnlySpan<char> piece = NextPiece(text, utf8, ref at, ref byteAt, ref replacement);
            if (isBeginning)
            {
                if (_vocabulary.RemovesExtraWhitespace && piece is [' ']) continue;
                isBeginning = false;
                if (_vocabulary.AddsDummyPrefix && !_vocabulary.TreatsWhitespaceAsSuffix) result.Append(_space);
            }

            writer.Append(piece);
        }

        if (isBeginning) return;
        if (_vocabulary.RemovesExtraWhitespace) result.RemoveEnd(result.Text.Length - result.Text.TrimEnd(_space).Length);
        if (_vocabulary.AddsDummyPrefix && _vocabulary.TreatsWhitespaceAsSuffix) result.Append(_space);
    }

    // What takes the place of the text's next part; moves behind that part.
    private ReadOnlySpan<char> NextPiece(ReadOnlySpan<char> text, byte[] utf8, ref int at, ref int byteAt, ref char[] replacement)
    {
        int start = at;
        if (_userDefined is not null && _userDefined.LongestAt(text[at..], out int length) >= 0)
        {
            at += length;
            if (_map is not null) byteAt += Encoding.UTF8.GetByteCount(text[start..at]);
            return text[start..at];
        }

        if (_map is not null && _beginsEntry[utf8[byteAt]])
        {
            ReadOnlySpan<byte> entry = _map.Find(utf8.AsSpan(byteAt), isShortest: false, out int byteLength);
            if (byteLength > 0)
            {
                at += Encoding.UTF8.GetCharCount(utf8, byteAt, byteLength);
                byteAt += byteLength;
                if (entry.Length > replacement.Length) replacement = new char[entry.Length];
                return replacement.AsSpan(0, Encoding.UTF8.GetChars(entry, replacement));
            }
        }

        int codePoint = CodePoints.At(text, at, out length);
        at += length;
        byteAt += codePoint < 0x80 ? 1 : codePoint < 0x800 ? 2 : codePoint < 0x10000 ? 3 : 4;
        return text[start..at];
    }

    // Leaves out blanks after blanks, where these are not wanted.
    private sealed class Writer(TextBuffer result, char space, bool removesExtra)
    {
        private bool _isKept; // a blank that comes now; not at the beginning

        public void Append(ReadOnlySpan<char> piece)
        {
            if (removesExtra && !_isKept) piece = piece.TrimStart(' ');
            if (!piece.IsEmpty) result.AppendReplaced(piece, ' ', space);
            if (!piece.IsEmpty) _isKept = piece[^1] != ' ';
        }
    }
}
