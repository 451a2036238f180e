using System.Globalization;
using System.Text;
using TensorCompress.Templates.Execution;
using TensorCompress.Templates.Values;

namespace TensorCompress.Templates.Library;

/// <summary>A text, of which only a part is looked at.</summary>
internal readonly record struct TextPart(TextValue Owner, int Start, int End, bool IsOutside)
{
    public ReadOnlySpan<char> Span => Owner.Text.AsSpan(Start, End - Start);

    /// <summary>From the arguments <c>sub, start, end</c> of a method, which count code points, from the end where they are negative.</summary>
    public static TextPart Of(RenderContext context, TextValue owner, BoundArguments arguments)
    {
        context.Scan(owner.Text.Length);
        int length = owner.CodePoints;
        int start = arguments.Whole(1, 0), end = arguments.Whole(2, length);
        if (start < 0) start = Math.Max(0, start + length);
        if (end < 0) end = Math.Max(0, end + length);
        end = Math.Min(end, length);
        return start > end ? new TextPart(owner, 0, 0, IsOutside: true) : new TextPart(owner, owner.UnitOf(start), owner.UnitOf(end), IsOutside: false);
    }
}

/// <summary>Methods of texts.</summary>
internal static class TextMethods
{
    /// <summary>Without a set of characters, all white space goes.</summary>
    public static string Strip(RenderContext context, string text, string? characters, bool fromStart, bool fromEnd)
    {
        int start = 0, end = text.Length;
        if (characters is not null) context.Scan((long)characters.Length * 16);
        HashSet<Rune>? set = characters is null || characters.Length == 0 ? null : [.. characters.EnumerateRunes()];
        if (characters is { Length: 0 }) return text;
        while (fromStart && start < end && IsIn(set, text, start, out int units)) start += units;
        while (fromEnd && end > start)
        {
            int last = end - 1;
            if (char.IsLowSurrogate(text[last]) && last > start && char.IsHighSurrogate(text[last - 1])) last--;
            if (!IsIn(set, text, last, out _)) break;
            end = last;
        }

        return start == 0 && end == text.Length ? text : text[start..end];
    }

    public static Value RemovePrefix(RenderContext context, string text, BoundArguments arguments)
    {
        string prefix = arguments.RequiredText(0);
        return new TextValue(text.StartsWith(prefix, StringComparison.Ordinal) ? text[prefix.Length..] : text);
    }

    public static Value RemoveSuffix(RenderContext context, string text, BoundArguments arguments)
    {
        string suffix = arguments.RequiredText(0);
        return new TextValue(suffix.Length > 0 && text.EndsWith(suffix, StringComparison.Ordinal) ? text[..^suffix.Length] : text);
    }

    /// <summary>The character that fills: a blank where none is given.</summary>
    public static char Fill(BoundArguments arguments, int place) => arguments.Text(place) switch
    {
        null => ' ',
        { Length: 1 } fill => fill[0],
        _ => throw new TemplateException(TemplateErrorKind.Value, "the fill character is one character"),
    };

    public static string Center(RenderContext context, string text, int width, char fill)
    {
        int missing = Math.Max(0, width - new TextValue(text).CodePoints);
        // Python puts the odd one to the left where the width is odd.
        int left = (missing / 2) + (missing & width & 1);
        return new TextBuffer(context).Append(fill, left).Append(text).Append(fill, missing - left).ToString();
    }

    public static Value Justify(RenderContext context, string text, BoundArguments arguments, bool atEnd)
    {
        long missing = Math.Max(0, (long)arguments.Whole(0, 0) - new TextValue(text).CodePoints);
        char fill = Fill(arguments, 1);
        var buffer = new TextBuffer(context);
        return new TextValue((atEnd ? buffer.Append(text).Append(fill, missing) : buffer.Append(fill, missing).Append(text)).ToString());
    }

    public static Value ZeroFill(RenderContext context, string text, BoundArguments arguments)
    {
        long missing = Math.Max(0, (long)arguments.Whole(0, 0) - new TextValue(text).CodePoints);
        int sign = text.Length > 0 && text[0] is '+' or '-' ? 1 : 0;
        return new TextValue(new TextBuffer(context).Append(text.AsSpan(0, sign)).Append('0', missing).Append(text.AsSpan(sign)).ToString());
    }

    public static Value ExpandTabs(RenderContext context, string text, BoundArguments arguments)
    {
        int size = arguments.Whole(0, 8);
        var buffer = new TextBuffer(context);
        int column = 0;
        foreach (char c in text)
        {
            if (c == '\t')
            {
                int blanks = size > 0 ? size - (column % size) : 0;
                buffer.Append(' ', blanks);
                column += blanks;
                continue;
            }

            buffer.Append(c);
            column = c is '\n' or '\r' ? 0 : char.IsLowSurrogate(c) ? column : column + 1;
        }

        return new TextValue(buffer.ToString());
    }

    /// <summary>Replaces the first ones, or all where the count is negative. An empty text stands before, between and after all characters.</summary>
    public static string Replace(RenderContext context, string text, string old, string replacement, int count)
    {
        context.Search(text.Length, old.Length);
        long left = count < 0 ? long.MaxValue : count;
        var buffer = new TextBuffer(context);
        int at = 0;
        if (old.Length == 0)
        {
            for (; left > 0; left--)
            {
                buffer.Append(replacement);
                if (at >= text.Length) break;
                int units = char.IsHighSurrogate(text[at]) && at + 1 < text.Length ? 2 : 1;
                buffer.Append(text.AsSpan(at, units));
                at += units;
            }

            return buffer.Append(text.AsSpan(at)).ToString();
        }

        int hit;
        while (left-- > 0 && (hit = text.IndexOf(old, at, StringComparison.Ordinal)) >= 0)
        {
            buffer.Append(text.AsSpan(at, hit - at)).Append(replacement);
            at = hit + old.Length;
        }

        return at == 0 ? text : buffer.Append(text.AsSpan(at)).ToString();
    }

    public static Value Join(RenderContext context, string text, BoundArguments arguments)
    {
        var buffer = new TextBuffer(context);
        bool isFirst = true;
        foreach (Value item in context.Iterate(arguments.Required(0)))
        {
            if (item is not TextValue part) throw new TemplateException(TemplateErrorKind.Value, $"join takes texts, not a value of type {item.TypeName}");
            if (!isFirst) buffer.Append(text);
            isFirst = false;
            buffer.Append(part.Text);
        }

        return new TextValue(buffer.ToString());
    }

    public static Value Find(RenderContext context, TextPart part, Value sought, bool isLast, bool mustBeThere)
    {
        string text = SoughtText(sought);
        context.Search(part.Span.Length, text.Length);
        int hit = part.IsOutside ? -1 : isLast ? part.Span.LastIndexOf(text, StringComparison.Ordinal) : part.Span.IndexOf(text, StringComparison.Ordinal);
        if (hit < 0 && mustBeThere) throw new TemplateException(TemplateErrorKind.Value, "the text does not have the part");
        return IntegerValue.Of(hit < 0 ? -1 : part.Owner.CodePointOf(part.Start + hit));
    }

    public static Value Count(RenderContext context, TextPart part, Value sought)
    {
        string text = SoughtText(sought);
        context.Search(part.Span.Length, text.Length);
        if (part.IsOutside) return IntegerValue.Of(0);
        return IntegerValue.Of(text.Length > 0 ? part.Span.Count(text) : part.Owner.CodePointOf(part.End) - part.Owner.CodePointOf(part.Start) + 1);
    }

    /// <summary>Whether a text begins or ends with another, or with one of a tuple.</summary>
    public static bool BordersWith(RenderContext context, TextPart part, Value sought, bool atEnd)
    {
        if (sought is TupleValue tuple)
        {
            foreach (Value item in context.Iterate(tuple))
            {
                if (BordersWith(context, part, item, atEnd)) return true;
            }

            return false;
        }

        string text = SoughtText(sought);
        context.Scan(text.Length);
        return !part.IsOutside && (atEnd ? part.Span.EndsWith(text, StringComparison.Ordinal) : part.Span.StartsWith(text, StringComparison.Ordinal));
    }

    /// <summary>Whether a text has letters of a case, and none of the other.</summary>
    public static bool HasCase(RenderContext context, string text, bool isUpper)
    {
        context.Scan(text.Length);
        bool hasAny = false;
        for (int i = 0; i < text.Length; i++)
        {
            UnicodeCategory category = CharUnicodeInfo.GetUnicodeCategory(text, i);
            if (category == UnicodeCategory.TitlecaseLetter || category == (isUpper ? UnicodeCategory.LowercaseLetter : UnicodeCategory.UppercaseLetter)) return false;
            hasAny |= category == (isUpper ? UnicodeCategory.UppercaseLetter : UnicodeCategory.LowercaseLetter);
        }

        return hasAny;
    }

    private static string SoughtText(Value sought) =>
        sought is TextValue text ? text.Text : throw new TemplateException(TemplateErrorKind.Value, $"a text can have a text, not a value of type {sought.TypeName}");

    private static bool IsIn(HashSet<Rune>? set, string text, int index, out int units)
    {
        units = 1;
        if (set is null) return PythonCharacters.IsSpace(text[index]);
        if (!Rune.TryGetRuneAt(text, index, out Rune rune)) return false;
        units = rune.Utf16SequenceLength;
        return set.Contains(rune);
    }
}
