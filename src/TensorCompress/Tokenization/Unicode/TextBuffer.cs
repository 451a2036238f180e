using System.Buffers;
using System.Text;

namespace TensorCompress.Tokenization.Unicode;

/// <summary>A growing text that is filled, read and filled again.</summary>
internal sealed class TextBuffer
{
    public const int MaxLength = 1 << 27;

    private const int KeptLength = 1 << 16; // a larger one goes back to the pool when it is cleared

    private char[] _units = [];
    private int _count;

    public ReadOnlySpan<char> Text => _units.AsSpan(0, _count);

    public void Clear()
    {
        _count = 0;
        if (_units.Length <= KeptLength) return;
        ArrayPool<char>.Shared.Return(_units);
        _units = [];
    }

    public void Append(char unit)
    {
        if (_count == _units.Length) Grow(1);
        _units[_count++] = unit;
    }

    public void Append(ReadOnlySpan<char> text)
    {
        if (_units.Length - _count < text.Length) Grow(text.Length);
        text.CopyTo(_units.AsSpan(_count));
        _count += text.Length;
    }

    /// <summary>Appends a text with one unit in the place of another.</summary>
    public void AppendReplaced(ReadOnlySpan<char> text, char old, char replacement)
    {
        int start = _count;
        Append(text);
        _units.AsSpan(start, text.Length).Replace(old, replacement);
    }

    public void AppendCodePoint(int codePoint)
    {
        if (codePoint <= char.MaxValue) Append((char)codePoint);
        else
        {
            if (_units.Length - _count < 2) Grow(2);
            _count += new Rune(codePoint).EncodeToUtf16(_units.AsSpan(_count));
        }
    }

    public void RemoveEnd(int count) => _count -= count;

    private void Grow(int more)
    {
        if (_count + (long)more > MaxLength) throw new ArgumentException($"The normalised text has more than {MaxLength} UTF-16 units.");
        char[] larger = ArrayPool<char>.Shared.Rent((int)Math.Min(MaxLength, Math.Max(_count + (long)more, Math.Max(256, 2L * _units.Length))));
        Text.CopyTo(larger);
        if (_units.Length > 0) ArrayPool<char>.Shared.Return(_units);
        _units = larger;
    }
}
