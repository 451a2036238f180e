using TensorCompress.Templates.Execution;
using TensorCompress.Templates.Values;

namespace TensorCompress.Templates.Library;

/// <summary>Methods that cut a text into parts.</summary>
internal static class TextSplitting
{
    /// <summary>At a separator, at most so many times; without one at white space, where empty parts do not count.</summary>
    public static Value Split(RenderContext context, string text, BoundArguments arguments, bool fromEnd)
    {
        string? separator = arguments.Text(0);
        int given = arguments.Whole(1, -1);
        int left = given < 0 ? int.MaxValue : given;
        if (separator is { Length: 0 }) throw new TemplateException(TemplateErrorKind.Value, "the separator is empty");
        context.Search(text.Length, separator?.Length ?? 0);
        List<Value> parts = [];
        if (separator is null && fromEnd) SplitAtSpaceFromEnd(context, text, left, parts);
        else if (separator is null) SplitAtSpace(context, text, left, parts);
        else if (fromEnd) SplitFromEnd(context, text, separator, left, parts);
        else SplitFromStart(context, text, separator, left, parts);
        return new ListValue(parts);
    }

    public static Value SplitLines(RenderContext context, string text, BoundArguments arguments) =>
        new ListValue([.. Lines(text, arguments.Flag(0)).Select(line => Part(context, line))]);

    /// <summary>The lines of a text; a line end at the end begins no further line.</summary>
    public static IEnumerable<string> Lines(string text, bool keepsEnds = false)
    {
        for (int start = 0; start < text.Length;)
        {
            int end = start;
            while (end < text.Length && !PythonCharacters.IsLineEnd(text[end])) end++;
            int next = Math.Min(text.Length, end + 1);
            if (end + 1 < text.Length && text[end] == '\r' && text[end + 1] == '\n') next++;
            yield return text[start..(keepsEnds ? next : end)];
            start = next;
        }
    }

    public static Value Partition(RenderContext context, string text, BoundArguments arguments, bool atLast)
    {
        string separator = arguments.RequiredText(0);
        if (separator.Length == 0) throw new TemplateException(TemplateErrorKind.Value, "the separator is empty");
        context.Search(text.Length, separator.Length);
        int hit = atLast ? text.LastIndexOf(separator, StringComparison.Ordinal) : text.IndexOf(separator, StringComparison.Ordinal);
        string[] parts = hit >= 0 ? [text[..hit], separator, text[(hit + separator.Length)..]] : atLast ? ["", "", text] : [text, "", ""];
        return new TupleValue([.. parts.Select(part => Part(context, part))]);
    }

    private static void SplitFromStart(RenderContext context, string text, string separator, int left, List<Value> parts)
    {
        int start = 0, hit;
        while (left-- > 0 && (hit = text.IndexOf(separator, start, StringComparison.Ordinal)) >= 0)
        {
            parts.Add(Part(context, text[start..hit]));
            start = hit + separator.Length;
        }

        parts.Add(Part(context, text[start..]));
    }

    private static void SplitFromEnd(RenderContext context, string text, string separator, int left, List<Value> parts)
    {
        int end = text.Length, hit;
        while (left-- > 0 && (hit = text.AsSpan(0, end).LastIndexOf(separator, StringComparison.Ordinal)) >= 0)
        {
            parts.Add(Part(context, text[(hit + separator.Length)..end]));
            end = hit;
        }

        parts.Add(Part(context, text[..end]));
        parts.Reverse();
    }

    private static void SplitAtSpace(RenderContext context, string text, int left, List<Value> parts)
    {
        for (int start = 0; ;)
        {
            while (start < text.Length && PythonCharacters.IsSpace(text[start])) start++;
            if (start == text.Length) return;
            bool isRest = left-- <= 0; // the last part keeps the blanks at its end
            int end = isRest ? text.Length : start;
            while (end < text.Length && !PythonCharacters.IsSpace(text[end])) end++;
            parts.Add(Part(context, text[start..end]));
            if (isRest) return;
            start = end;
        }
    }

    private static void SplitAtSpaceFromEnd(RenderContext context, string text, int left, List<Value> parts)
    {
        for (int end = text.Length; ;)
        {
            while (end > 0 && PythonCharacters.IsSpace(text[end - 1])) end--;
            if (end == 0) break;
            bool isRest = left-- <= 0;
            int start = isRest ? 0 : end;
            while (start > 0 && !PythonCharacters.IsSpace(text[start - 1])) start--;
            parts.Add(Part(context, text[start..end]));
            if (isRest) break;
            end = start;
        }

        parts.Reverse();
    }

    private static TextValue Part(RenderContext context, string part)
    {
        context.Step();
        context.Allocate(16);
        return context.Text(part);
    }
}
