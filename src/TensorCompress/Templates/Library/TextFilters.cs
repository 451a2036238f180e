using System.Text;
using TensorCompress.Templates.Execution;
using TensorCompress.Templates.Values;

namespace TensorCompress.Templates.Library;

/// <summary>Filters of texts.</summary>
internal static class TextFilters
{
    /// <summary>The five characters that mean something in HTML.</summary>
    public static string Escape(string text) => text
        .Replace("&", "&amp;", StringComparison.Ordinal).Replace(">", "&gt;", StringComparison.Ordinal).Replace("<", "&lt;", StringComparison.Ordinal)
        .Replace("'", "&#39;", StringComparison.Ordinal).Replace("\"", "&#34;", StringComparison.Ordinal);

    public static Value Format(RenderContext context, Value value, Arguments arguments)
    {
        if (arguments.Named.Count > 0 && arguments.Positional.Count > 0) throw Fault("format takes arguments with names or without, not both");
        var named = new DictValue();
        foreach ((string name, Value argument) in arguments.Named) named.Set(name, argument);
        return context.Text(PercentFormat.Apply(context, PythonText.Of(context, value), arguments.Named.Count > 0 ? named : new TupleValue(arguments.Positional)));
    }

    public static string Indent(RenderContext context, string text, BoundArguments arguments)
    {
        string indentation = arguments[0] is TextValue given ? given.Text : Blanks(context, arguments.Whole(0, 4));
        bool blank = arguments.Flag(2);
        var buffer = new TextBuffer(context);
        bool isFirst = true;
        // The newline that is added makes a last empty line count.
        foreach (string line in TextSplitting.Lines(text + "\n"))
        {
            if (!isFirst) buffer.Append('\n');
            if ((isFirst && arguments.Flag(1)) || (!isFirst && (blank || line.Length > 0))) buffer.Append(indentation);
            buffer.Append(line);
            isFirst = false;
        }

        return buffer.ToString();
    }

    public static string Replace(RenderContext context, string text, BoundArguments arguments) => TextMethods.Replace(
        context, text, PythonText.Of(context, arguments.Required(0)), PythonText.Of(context, arguments.Required(1)), arguments.Whole(2, -1));

    /// <summary>Tags and comments go, white space shrinks to single blanks, and the commonest entities become their characters.</summary>
    public static string StripTags(string text)
    {
        string plain = Without(Without(text, "<!--", "-->"), "<", ">");
        string joined = string.Join(' ', SplitAtSpace(plain));
        return joined.Replace("&lt;", "<", StringComparison.Ordinal).Replace("&gt;", ">", StringComparison.Ordinal).Replace("&#34;", "\"", StringComparison.Ordinal)
            .Replace("&quot;", "\"", StringComparison.Ordinal).Replace("&#39;", "'", StringComparison.Ordinal).Replace("&nbsp;", "\u00a0", StringComparison.Ordinal)
            .Replace("&amp;", "&", StringComparison.Ordinal);
    }

    /// <summary>Words begin after white space, a dash or an opening bracket.</summary>
    public static string Title(string text)
    {
        var title = new StringBuilder(text.Length);
        for (int start = 0; start < text.Length;)
        {
            int end = start;
            while (end < text.Length && IsBetweenWords(text[end])) end++;
            title.Append(text, start, end - start);
            start = end;
            while (end < text.Length && !IsBetweenWords(text[end])) end++;
            if (end == start) continue;
            int first = char.IsHighSurrogate(text[start]) && start + 1 < end ? 2 : 1;
            title.Append(PythonCharacters.Upper(text.Substring(start, first))).Append(PythonCharacters.Lower(text[(start + first)..end]));
            start = end;
        }

        return title.ToString();
    }

    public static string Truncate(RenderContext context, string text, BoundArguments arguments)
    {
        int length = arguments.Whole(0, 255), leeway = arguments.Whole(3, 5);
        string end = arguments.Text(2) ?? "...";
        var whole = new TextValue(text);
        int kept = length - new TextValue(end).CodePoints;
        if (kept < 0) throw Fault($"truncate needs a length of at least that of \"{end}\"");
        if (leeway < 0) throw Fault("truncate needs a leeway of 0 or more");
        if (whole.CodePoints <= (long)length + leeway) return text;
        string cut = text[..whole.UnitOf(kept)];
        if (arguments.Flag(1)) return cut + end;
        int blank = cut.LastIndexOf(' ');
        return (blank < 0 ? cut : cut[..blank]) + end;
    }

    public static Value UrlEncode(RenderContext context, Value value, BoundArguments arguments)
    {
        if (value is DictValue dict) return Query(context, dict.Pairs.Select(pair => (pair.Key, pair.Value)));
        if (value is TextValue or UndefinedValue || value.Items is null) return new TextValue(Quote(context, PythonText.Of(context, value), "/"));
        return Query(context, context.ToList(value).Select(item => context.ToList(item)).Select(pair => pair.Count == 2 ? (pair[0], pair[1]) : throw Fault("urlencode takes pairs")));
    }

    public static Value WordCount(RenderContext context, Value value, BoundArguments arguments)
    {
        string text = PythonText.Of(context, value);
        context.Scan(text.Length * 4L);
        int words = 0;
        for (int i = 0; i < text.Length; i++)
        {
            if (IsWord(text[i]) && (i == 0 || !IsWord(text[i - 1]))) words++;
        }

        return IntegerValue.Of(words);
    }

    /// <summary>Breaks lines at blanks; words that are too long are cut, unless they must not be.</summary>
    public static string WordWrap(RenderContext context, string text, BoundArguments arguments)
    {
        int width = arguments.Whole(0, 79);
        if (width < 1) throw Fault("wordwrap needs a width of at least 1");
        bool breaksWords = arguments[1]?.IsTruthy ?? true;
        string lineEnd = arguments.Text(2) ?? "\n";
        var buffer = new TextBuffer(context);
        bool isFirst = true;
        foreach (string line in TextSplitting.Lines(text).SelectMany(line => Wrapped(line, width, breaksWords)))
        {
            context.Step();
            context.AllocateText(line.Length * 2L);
            if (!isFirst) buffer.Append(lineEnd);
            isFirst = false;
            buffer.Append(line);
        }

        return buffer.ToString();
    }

    // Each line is a piece of the text from the first to the last of its words.
    private static IEnumerable<string> Wrapped(string line, int width, bool breaksWords)
    {
        int start = 0, end = 0; // what is taken so far
        for (int at = 0; at < line.Length;)
        {
            int next = line.IndexOf(' ', at) is var blank && blank >= 0 ? blank : line.Length;
            if (next - start > width)
            {
                if (end > start) yield return line[start..end].TrimEnd(' ');
                start = end > start ? at : start;
                for (; breaksWords && next - start > width; start += width) yield return line.Substring(start, width);
            }

            end = next;
            at = next + 1;
        }

        if (end > start || line.Length == 0) yield return line[start..end];
    }

    private static TextValue Query(RenderContext context, IEnumerable<(Value Key, Value Value)> pairs) => context.Text(string.Join('&', pairs.Select(pair =>
        Quote(context, PythonText.Of(context, pair.Key), "").Replace("%20", "+", StringComparison.Ordinal) + "="
        + Quote(context, PythonText.Of(context, pair.Value), "").Replace("%20", "+", StringComparison.Ordinal))));

    private static string Quote(RenderContext context, string text, string safe)
    {
        var buffer = new TextBuffer(context);
        foreach (byte unit in Encoding.UTF8.GetBytes(text))
        {
            char c = (char)unit;
            if (char.IsAsciiLetterOrDigit(c) || "_.-~".Contains(c) || safe.Contains(c)) buffer.Append(c);
            else buffer.Append('%').Append(unit.ToString("X2", System.Globalization.CultureInfo.InvariantCulture));
        }

        return buffer.ToString();
    }

    private static string Blanks(RenderContext context, int count) => new TextBuffer(context).Append(' ', count).ToString();

    private static string Without(string text, string open, string close)
    {
        var kept = new StringBuilder(text.Length);
        int at = 0;
        while (true)
        {
            int start = text.IndexOf(open, at, StringComparison.Ordinal);
            int end = start < 0 ? -1 : text.IndexOf(close, start + open.Length, StringComparison.Ordinal);
            if (end < 0) return kept.Append(text, at, text.Length - at).ToString();
            kept.Append(text, at, start - at);
            at = end + close.Length;
        }
    }

    private static IEnumerable<string> SplitAtSpace(string text)
    {
        for (int start = 0; start < text.Length;)
        {
            int end = start;
            while (end < text.Length && !PythonCharacters.IsSpace(text[end])) end++;
            if (end > start) yield return text[start..end];
            start = end + 1;
        }
    }

    private static bool IsBetweenWords(char c) => c is '-' or '(' or '{' or '[' or '<' || PythonCharacters.IsSpace(c);

    private static bool IsWord(char c) => c == '_' || char.IsLetterOrDigit(c) || char.IsSurrogate(c);

    private static TemplateException Fault(string reason) => new(TemplateErrorKind.Value, reason);
}
