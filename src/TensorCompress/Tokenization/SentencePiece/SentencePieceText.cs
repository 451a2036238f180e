using System.Buffers;
using System.Text;

namespace TensorCompress.Tokenization.SentencePiece;

/// <summary>Pieces to text as SentencePiece does: control pieces vanish, the unknown piece has its own text, marks become blanks, and at the beginning one goes, or all.</summary>
internal sealed class SentencePieceText(SentencePieceVocabulary vocabulary, List<byte> bytes, bool isLive) : TokenText
{
    private const char Mark = '\u2581';

    private readonly List<byte> _run = []; // of byte pieces
    private bool _isBeginning = true;
    private bool _hasTaken; // a mark at the beginning
    private bool _hasText;

    public override void Append(int id)
    {
        Piece piece = vocabulary.Pieces[id];
        if (piece.Type == PieceType.Byte)
        {
            byte value = (byte)Math.Max(0, Decoders.ByteFallbackDecoder.ByteOf(piece.Text));
            (isLive ? bytes : _run).Add(value);
            _hasText |= isLive;
            return;
        }

        Flush();
        if (_hasTaken || _hasText) _isBeginning = false;
        string text = Surface(piece);
        _hasText |= text.Length > 0;
        bytes.AddRange(Encoding.UTF8.GetBytes(text));
    }

    /// <summary>Ends a run of bytes: each that is no part of a character becomes U+FFFD.</summary>
    public override void Flush()
    {
        if (_run.Count == 0) return;
        _hasText = true;
        ReadOnlySpan<byte> run = [.. _run];
        _run.Clear();
        while (!run.IsEmpty)
        {
            bool isValid = Rune.DecodeFromUtf8(run, out _, out int length) == OperationStatus.Done;
            if (isValid) bytes.AddRange(run[..length]);
            else bytes.AddRange("\uFFFD"u8);
            run = run[(isValid ? length : 1)..];
        }
    }

    private string Surface(Piece piece)
    {
        _hasTaken = false;
        if (piece.Type == PieceType.Control) return "";
        if (piece.Type == PieceType.Unknown) return vocabulary.UnknownSurface;
        string text = piece.Text;
        if (_isBeginning && (vocabulary.AddsDummyPrefix || vocabulary.RemovesExtraWhitespace) && text.StartsWith(Mark))
        {
            text = text[1..];
            _hasTaken = !vocabulary.RemovesExtraWhitespace; // there every one goes
        }

        return text.Replace(Mark, ' ');
    }
}
