using System.Numerics;
using TensorCompress.Templates.Execution;
using TensorCompress.Templates.Values;

namespace TensorCompress.Templates.Library;

/// <summary>Python's <c>'%s is %d' % (a, b)</c>.</summary>
internal static class PercentFormat
{
    public static string Apply(RenderContext context, string format, Value values)
    {
        context.Scan(format.Length * 4L);
        List<Value> items = values is TupleValue tuple ? context.ToList(tuple) : [values];
        var buffer = new TextBuffer(context);
        int taken = 0;
        for (int at = 0; at < format.Length;)
        {
            int mark = format.IndexOf('%', at);
            if (mark < 0) mark = format.Length;
            buffer.Append(format.AsSpan(at, mark - at));
            if (mark == format.Length) break;
            at = mark + 1;
            Value? named = ReadName(format, ref at, values);
            NumberFormat layout = ReadLayout(format, ref at, Next);
            char type = at < format.Length ? format[at++] : throw Fault("the format ends within a conversion");
            if (type == '%') buffer.Append('%');
            else buffer.Append(Convert(context, layout, type, named ?? Next()));
        }

        if (taken < items.Count && values is not (DictValue or ListValue)) throw Fault("not all values are used by the format");
        return buffer.ToString();

        Value Next() => taken < items.Count ? items[taken++] : throw Fault("the format needs more values");
    }

    private static Value? ReadName(string format, ref int at, Value values)
    {
        if (at >= format.Length || format[at] != '(') return null;
        int end = format.IndexOf(')', at);
        if (end < 0) throw Fault("a name in the format has no end");
        string name = format[(at + 1)..end];
        at = end + 1;
        if (values is not DictValue dict) throw Fault("a format with names takes a dict");
        return dict.Find(new TextValue(name)) ?? throw Fault($"the format needs a value named {name}");
    }

    private static NumberFormat ReadLayout(string format, ref int at, Func<Value> next)
    {
        var layout = new NumberFormat();
        bool isLeft = false, isZero = false;
        for (; at < format.Length && "-+ #0".Contains(format[at]); at++)
        {
            isLeft |= format[at] == '-';
            isZero |= format[at] == '0';
            if (format[at] == '#') layout = layout with { HasPrefix = true };
            if (format[at] == '+' || (format[at] == ' ' && layout.Sign != '+')) layout = layout with { Sign = format[at] };
        }

        layout = layout with { Width = ReadSize(format, ref at, next) ?? 0 };
        if (isLeft) layout = layout with { Alignment = '<' };
        else if (isZero) layout = layout with { Alignment = '=', Fill = '0' };
        if (at < format.Length && format[at] == '.')
        {
            at++;
            layout = layout with { Precision = ReadSize(format, ref at, next) ?? 0 };
        }

        while (at < format.Length && format[at] is 'h' or 'l' or 'L') at++;
        return layout;
    }

    private static int? ReadSize(string format, ref int at, Func<Value> next)
    {
        int size = 0, start = at;
        if (at < format.Length && format[at] == '*')
        {
            at++;
            BigInteger given = Numbers.Whole(next()) ?? throw Fault("a width is a whole number");
            size = Numbers.Clamp(given);
        }
        else
        {
            for (; at < format.Length && char.IsAsciiDigit(format[at]); at++) size = Math.Min(NumberFormat.MaxSize + 1, (size * 10) + (format[at] - '0'));
        }

        if (size is < 0 or > NumberFormat.MaxSize) throw RenderContext.Limit($"widths and decimals of formats are at most {NumberFormat.MaxSize}");
        return at > start ? size : null;
    }

    private static string Convert(RenderContext context, NumberFormat layout, char type, Value value)
    {
        switch (type)
        {
            case 's' or 'r' or 'a':
                string text = type == 's' ? PythonText.Of(context, value) : PythonText.Repr(context, value);
                return (layout with { Alignment = layout.Alignment == '<' ? '<' : '>', Fill = ' ' }).OfText(context, text);
            case 'd' or 'i' or 'u':
                if (value is FloatValue { Number: double number } && double.IsFinite(number)) return layout.OfWhole(context, new BigInteger(number));
                return layout.OfWhole(context, Whole(value, type));
            case 'x' or 'X' or 'o':
                return (layout with { Type = type }).OfWhole(context, Whole(value, type));
            case 'c':
                if (value is TextValue { CodePoints: 1 } character) return (layout with { Alignment = layout.Alignment ?? '>' }).OfText(context, character.Text);
                return (layout with { Type = type }).OfWhole(context, Whole(value, type));
            case 'e' or 'E' or 'f' or 'F' or 'g' or 'G':
                return (layout with { Type = type }).OfReal(context, Numbers.Real(value) ?? throw Fault($"'%{type}' takes a number, not a value of type {value.TypeName}"));
            default:
                throw Fault($"there is no conversion '%{type}'");
        }
    }

    private static BigInteger Whole(Value value, char type) => Numbers.Whole(value) ?? throw Fault($"'%{type}' takes a whole number, not a value of type {value.TypeName}");

    private static TemplateException Fault(string reason) => new(TemplateErrorKind.Value, reason);
}
