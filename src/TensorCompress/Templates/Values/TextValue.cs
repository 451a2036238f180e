using System.Text;
using TensorCompress.Templates.Library;

namespace TensorCompress.Templates.Values;

/// <summary>Text. Lengths, indices and slices count code points; a lone surrogate is one.</summary>
internal sealed class TextValue(string text) : Value
{
    private static readonly TextValue[] Ascii = [.. Enumerable.Range(0, 128).Select(code => new TextValue(((char)code).ToString()))];

    private int _length = -1;

    public static TextValue Empty { get; } = new("");

    public string Text { get; } = text;

    public override string TypeName => "str";

    public override bool IsTruthy => Text.Length > 0;

    public override int? Length => CodePoints;

    public override bool IsSequence => true;

    /// <summary>Number of code points.</summary>
    public int CodePoints => _length >= 0 ? _length : _length = Text.Length - CountPairs(Text);

    public override IEnumerable<Value> Items
    {
        get
        {
            for (int i = 0; i < Text.Length;)
            {
                int units = UnitsAt(i);
                yield return units == 1 ? Character(Text[i]) : new TextValue(Text.Substring(i, units));
                i += units;
            }
        }
    }

    public override Value? Attribute(string name) => MethodList.Text.Find(this, name);

    /// <summary>Text of one code point.</summary>
    public static TextValue Character(char unit) => unit < Ascii.Length ? Ascii[unit] : new TextValue(unit.ToString());

    /// <summary>The UTF-16 index of a code point; the length of the text for the number of code points.</summary>
    public int UnitOf(int codePoint)
    {
        if (CodePoints == Text.Length) return codePoint;
        int unit = 0;
        for (; codePoint > 0; codePoint--) unit += UnitsAt(unit);
        return unit;
    }

    /// <summary>The number of code points before a UTF-16 index.</summary>
    public int CodePointOf(int unit) => CodePoints == Text.Length ? unit : unit - CountPairs(Text.AsSpan(0, unit));

    /// <summary>Every step-th code point from start, as far as count.</summary>
    public string Slice(int start, int step, int count)
    {
        if (count == 0) return "";
        if (step == 1)
        {
            int first = UnitOf(start), last = UnitOf(start + count);
            return Text[first..last];
        }

        var taken = new StringBuilder(count);
        if (CodePoints == Text.Length)
        {
            for (int i = 0; i < count; i++) taken.Append(Text[start + (i * step)]);
            return taken.ToString();
        }

        var offsets = new int[CodePoints + 1];
        for (int i = 0; i < CodePoints; i++) offsets[i + 1] = offsets[i] + UnitsAt(offsets[i]);
        for (int i = 0; i < count; i++)
        {
            int codePoint = start + (i * step);
            taken.Append(Text, offsets[codePoint], offsets[codePoint + 1] - offsets[codePoint]);
        }

        return taken.ToString();
    }

    private int UnitsAt(int unit) => char.IsHighSurrogate(Text[unit]) && unit + 1 < Text.Length && char.IsLowSurrogate(Text[unit + 1]) ? 2 : 1;

    private static int CountPairs(ReadOnlySpan<char> text)
    {
        int pairs = 0;
        int surrogate;
        while ((surrogate = text.IndexOfAnyInRange('\uD800', '\uDFFF')) >= 0)
        {
            bool isPair = char.IsHighSurrogate(text[surrogate]) && surrogate + 1 < text.Length && char.IsLowSurrogate(text[surrogate + 1]);
            if (isPair) pairs++;
            text = text[(surrogate + (isPair ? 2 : 1))..];
        }

        return pairs;
    }
}
