using System.Globalization;
using TensorCompress.Templates.Execution;
using TensorCompress.Templates.Values;

namespace TensorCompress.Templates.Library;

/// <summary>The filter <c>tojson</c>: Python's <c>json.dumps</c>, without escapes for HTML.</summary>
internal sealed class JsonText
{
    private const int MaxDepth = 200;

    private readonly RenderContext _context;
    private readonly TextBuffer _buffer;
    private readonly bool _isAscii;
    private readonly bool _isSorted;
    private readonly string? _indentation;
    private readonly string _itemSeparator;
    private readonly string _keySeparator;

    private JsonText(RenderContext context, BoundArguments arguments)
    {
        _context = context;
        _buffer = new TextBuffer(context);
        _isAscii = arguments.Flag(0);
        _isSorted = arguments.Flag(3);
        _indentation = arguments[1] switch
        {
            null or NoneValue => null,
            TextValue text => text.Text,
            _ => new string(' ', Math.Clamp(arguments.Whole(1, 0), 0, NumberFormat.MaxSize)),
        };
        _itemSeparator = _indentation is null ? ", " : ",";
        _keySeparator = ": ";
        if (arguments[2] is null or NoneValue) return;
        List<Value> separators = context.ToList(arguments[2]!);
        if (separators.Count != 2 || separators.Exists(separator => separator is not TextValue)) throw Fault("tojson takes two texts as separators");
        (_itemSeparator, _keySeparator) = (((TextValue)separators[0]).Text, ((TextValue)separators[1]).Text);
    }

    public static Value ToJson(RenderContext context, Value value, BoundArguments arguments)
    {
        var json = new JsonText(context, arguments);
        json.Write(value, 0);
        return new TextValue(json._buffer.ToString());
    }

    private void Write(Value value, int depth)
    {
        _context.Step();
        if (depth > MaxDepth) throw RenderContext.Limit($"a value nested deeper than {MaxDepth} levels");
        switch (value)
        {
            case TextValue text:
                WriteText(text.Text);
                break;
            case ListValue or TupleValue:
                WriteItems('[', ']', ((SequenceValue)value).Items, depth, item => Write(item, depth + 1));
                break;
            case DictValue dict:
                WriteItems('{', '}', Sorted(dict), depth, pair =>
                {
                    WriteText(Key(pair.Key));
                    _buffer.Append(_keySeparator);
                    Write(pair.Value, depth + 1);
                });
                break;
            default:
                _buffer.Append(Plain(value) ?? throw Fault($"a value of type {value.TypeName} has no JSON"));
                break;
        }
    }

    private void WriteItems<T>(char open, char close, IEnumerable<T> items, int depth, Action<T> write)
    {
        _buffer.Append(open);
        bool isEmpty = true;
        foreach (T item in items)
        {
            if (!isEmpty) _buffer.Append(_itemSeparator);
            isEmpty = false;
            BreakLine(depth + 1);
            write(item);
        }

        if (!isEmpty) BreakLine(depth);
        _buffer.Append(close);
    }

    private void BreakLine(int depth)
    {
        if (_indentation is null) return;
        _buffer.Append('\n');
        for (int i = 0; i < depth; i++) _buffer.Append(_indentation);
    }

    private IEnumerable<KeyValuePair<Value, Value>> Sorted(DictValue dict)
    {
        if (!_isSorted) return dict.Pairs;
        _context.AllocateItems(dict.Count * 4L);
        KeyValuePair<Value, Value>[] pairs = [.. dict.Pairs];
        StableSort.Sort(pairs, (a, b) => Comparisons.Compare(_context, a.Key, b.Key) ?? 0);
        return pairs;
    }

    private static string Key(Value key) => key is TextValue text ? text.Text : Plain(key) ?? throw Fault($"a key of type {key.TypeName} has no JSON");

    private static string? Plain(Value value) => value switch
    {
        NoneValue => "null",
        BooleanValue boolean => boolean.IsTruthy ? "true" : "false",
        IntegerValue integer => integer.Number.ToString(CultureInfo.InvariantCulture),
        FloatValue { Number: double number } => double.IsNaN(number) ? "NaN" : double.IsInfinity(number) ? (number > 0 ? "Infinity" : "-Infinity") : PythonText.OfFloat(number),
        _ => null,
    };

    private void WriteText(string text)
    {
        _context.Scan(text.Length * 4L);
        _buffer.Append('"');
        int plain = 0;
        for (int i = 0; i < text.Length; i++)
        {
            if (Escape(text[i]) is not string escape) continue;
            _buffer.Append(text.AsSpan(plain, i - plain)).Append(escape);
            plain = i + 1;
        }

        _buffer.Append(text.AsSpan(plain)).Append('"');
    }

    private string? Escape(char c) => c switch
    {
        '"' => "\\\"",
        '\\' => "\\\\",
        '\n' => "\\n",
        '\r' => "\\r",
        '\t' => "\\t",
        '\f' => "\\f",
        '\b' => "\\b",
        < ' ' => Unicode(c),
        > '~' when _isAscii => Unicode(c),
        _ => null,
    };

    private static string Unicode(char c) => string.Create(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");

    private static TemplateException Fault(string reason) => new(TemplateErrorKind.Value, reason);
}
