using System.Globalization;
using TensorCompress.Templates.Execution;
using TensorCompress.Templates.Values;

namespace TensorCompress.Templates.Library;

/// <summary>Python's <c>'{} and {name:>5}'.format(...)</c>.</summary>
internal sealed class BraceFormat
{
    private readonly RenderContext _context;
    private readonly Arguments _arguments;
    private int _automatic;

    private BraceFormat(RenderContext context, Arguments arguments)
    {
        _context = context;
        _arguments = arguments;
    }

    public static string Apply(RenderContext context, string format, Arguments arguments) => new BraceFormat(context, arguments).Apply(format, depth: 0);

    private string Apply(string format, int depth)
    {
        _context.Scan(format.Length * 4L);
        var buffer = new TextBuffer(_context);
        for (int at = 0; at < format.Length; at++)
        {
            char c = format[at];
            bool isDoubled = at + 1 < format.Length && format[at + 1] == c;
            if (c is '{' or '}' && isDoubled)
            {
                buffer.Append(c);
                at++;
            }
            else if (c == '}')
            {
                throw Fault("a single '}' stands in the format");
            }
            else if (c == '{')
            {
                int end = FieldEnd(format, at);
                buffer.Append(Field(format[(at + 1)..end], depth));
                at = end;
            }
            else
            {
                buffer.Append(c);
            }
        }

        return buffer.ToString();
    }

    private static int FieldEnd(string format, int open)
    {
        int depth = 0;
        for (int at = open; at < format.Length; at++)
        {
            if (format[at] == '{') depth++;
            if (format[at] == '}' && --depth == 0) return at;
        }

        throw Fault("a '{' in the format has no '}'");
    }

    private string Field(string field, int depth)
    {
        if (depth > 1) throw Fault("fields of a format are nested too deep");
        int colon = field.IndexOf(':', StringComparison.Ordinal);
        string name = colon < 0 ? field : field[..colon];
        string specification = colon < 0 ? "" : field[(colon + 1)..];
        char? conversion = null;
        int mark = name.IndexOf('!', StringComparison.Ordinal);
        if (mark >= 0)
        {
            conversion = mark + 2 == name.Length ? name[^1] : throw Fault("a conversion is one letter");
            name = name[..mark];
        }

        Value value = Find(name);
        if (specification.Contains('{', StringComparison.Ordinal)) specification = Apply(specification, depth + 1);
        NumberFormat layout = Parse(specification);
        return conversion switch
        {
            null => Lay(layout, value, specification.Length == 0),
            's' => layout.OfText(_context, PythonText.Of(_context, value)),
            'r' => layout.OfText(_context, PythonText.Repr(_context, value)),
            _ => throw Fault($"there is no conversion '!{conversion}'"),
        };
    }

    private string Lay(NumberFormat layout, Value value, bool isPlain)
    {
        if (isPlain) return PythonText.Of(_context, value);
        if (value is IntegerValue integer) return layout.OfWhole(_context, integer.Number);
        if (value is BooleanValue && layout.Type != 's') return layout.OfWhole(_context, Numbers.Whole(value)!.Value);
        if (value is FloatValue number) return layout.OfReal(_context, number.Number);
        if (value is not (TextValue or BooleanValue)) throw Fault($"a value of type {value.TypeName} has no formats");
        if (layout.Type is not (null or 's')) throw Fault($"a text has no format '{layout.Type}'");
        return layout.OfText(_context, PythonText.Of(_context, value));
    }

    // A name or number, then .attribute and [item] as often as wanted.
    private Value Find(string path)
    {
        int end = path.AsSpan().IndexOfAny('.', '[');
        string first = end < 0 ? path : path[..end];
        Value value = First(first);
        for (int at = end < 0 ? path.Length : end; at < path.Length;)
        {
            if (path[at] == '.')
            {
                int next = path.AsSpan(at + 1).IndexOfAny('.', '[') is var dot && dot >= 0 ? at + 1 + dot : path.Length;
                value = Access.Attribute(_context, value, path[(at + 1)..next]);
                at = next;
            }
            else
            {
                int close = path.IndexOf(']', at);
                if (path[at] != '[' || close < 0) throw Fault("an item in the format has no ']'");
                string key = path[(at + 1)..close];
                bool isIndex = int.TryParse(key, NumberStyles.None, CultureInfo.InvariantCulture, out int index);
                value = Access.Item(_context, value, isIndex ? IntegerValue.Of(index) : new TextValue(key));
                at = close + 1;
            }
        }

        return value;
    }

    private Value First(string name)
    {
        if (name.Length == 0) name = _automatic++.ToString(CultureInfo.InvariantCulture);
        if (int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out int place))
            return place < _arguments.Positional.Count ? _arguments.Positional[place] : throw Fault("the format needs more values");
        foreach ((string key, Value value) in _arguments.Named)
        {
            if (key == name) return value;
        }

        throw Fault($"the format needs a value named {name}");
    }

    // [[fill]align][sign][#][0][width][grouping][.precision][type]
    private static NumberFormat Parse(string text)
    {
        var format = new NumberFormat();
        int at = 0;
        if (text.Length > 1 && IsAlignment(text[1]))
        {
            format = format with { Fill = text[0], Alignment = text[1] };
            at = 2;
        }
        else if (text.Length > 0 && IsAlignment(text[0]))
        {
            format = format with { Alignment = text[0] };
            at = 1;
        }

        if (at < text.Length && text[at] is '+' or '-' or ' ') format = format with { Sign = text[at++] };
        if (at < text.Length && text[at] == '#')
        {
            format = format with { HasPrefix = true };
            at++;
        }

        if (at < text.Length && text[at] == '0')
        {
            if (format.Alignment is null) format = format with { Fill = '0', Alignment = '=' };
            at++;
        }

        format = format with { Width = Size(text, ref at) ?? 0 };
        if (at < text.Length && text[at] is ',' or '_') format = format with { Grouping = text[at++] };
        if (at < text.Length && text[at] == '.')
        {
            at++;
            format = format with { Precision = Size(text, ref at) ?? throw Fault("a precision is a number") };
        }

        if (at < text.Length) format = format with { Type = text[at++] };
        return at == text.Length ? format : throw Fault($"'{text}' is no format");
    }

    private static bool IsAlignment(char c) => c is '<' or '>' or '^' or '=';

    private static int? Size(string text, ref int at)
    {
        int size = 0, start = at;
        for (; at < text.Length && char.IsAsciiDigit(text[at]); at++) size = Math.Min(NumberFormat.MaxSize + 1, (size * 10) + (text[at] - '0'));
        if (size > NumberFormat.MaxSize) throw RenderContext.Limit($"widths and decimals of formats are at most {NumberFormat.MaxSize}");
        return at > start ? size : null;
    }

    private static TemplateException Fault(string reason) => new(TemplateErrorKind.Value, reason);
}
