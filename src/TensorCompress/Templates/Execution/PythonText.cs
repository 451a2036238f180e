using System.Globalization;
using TensorCompress.Templates.Values;

namespace TensorCompress.Templates.Execution;

/// <summary>Values as text: Python's <c>str</c> and <c>repr</c>.</summary>
internal static class PythonText
{
    private const int MaxDepth = 200;

    /// <summary>What <c>{{ value }}</c> prints.</summary>
    public static string Of(RenderContext context, Value value)
    {
        if (value is TextValue text) return text.Text;
        if (value is UndefinedValue) return "";
        if (value is IntegerValue or BooleanValue or NoneValue or FloatValue) return Plain(value);
        return Repr(context, value);
    }

    /// <summary>What a value looks like within a list.</summary>
    public static string Repr(RenderContext context, Value value)
    {
        var buffer = new TextBuffer(context);
        Write(context, buffer, value, 0);
        return buffer.ToString();
    }

    /// <summary>Python's shortest text of a float.</summary>
    public static string OfFloat(double number)
    {
        if (double.IsNaN(number)) return "nan";
        if (double.IsInfinity(number)) return number > 0 ? "inf" : "-inf";
        (string digits, int exponent) = Shortest(Math.Abs(number));
        string sign = double.IsNegative(number) ? "-" : "";
        if (exponent is < -4 or >= 16)
            return string.Create(CultureInfo.InvariantCulture, $"{sign}{digits[0]}{(digits.Length > 1 ? "." + digits[1..] : "")}e{(exponent < 0 ? "-" : "+")}{Math.Abs(exponent):00}");
        if (exponent < 0) return sign + "0." + new string('0', -exponent - 1) + digits;
        return digits.Length <= exponent + 1 ? sign + digits.PadRight(exponent + 1, '0') + ".0" : sign + digits[..(exponent + 1)] + "." + digits[(exponent + 1)..];
    }

    // The fewest digits that give the number again, without zeros around them, and the power of ten of the first.
    private static (string Digits, int Exponent) Shortest(double number)
    {
        if (number == 0) return ("0", 0);
        string text = number.ToString("R", CultureInfo.InvariantCulture);
        int mark = text.IndexOf('E', StringComparison.Ordinal);
        int exponent = mark < 0 ? 0 : int.Parse(text.AsSpan(mark + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        string mantissa = mark < 0 ? text : text[..mark];
        int point = mantissa.IndexOf('.', StringComparison.Ordinal);
        string digits = mantissa.Replace(".", "", StringComparison.Ordinal);
        int leading = digits.AsSpan().IndexOfAnyExcept('0');
        return (digits.Trim('0'), exponent + (point < 0 ? mantissa.Length : point) - 1 - leading);
    }

    private static string Plain(Value value) => value switch
    {
        BooleanValue boolean => boolean.IsTruthy ? "True" : "False",
        IntegerValue integer => integer.Number.ToString(CultureInfo.InvariantCulture),
        FloatValue number => OfFloat(number.Number),
        _ => "None",
    };

    private static void Write(RenderContext context, TextBuffer buffer, Value value, int depth)
    {
        context.Step();
        if (depth > MaxDepth) throw RenderContext.Limit($"a value nested deeper than {MaxDepth} levels");
        switch (value)
        {
            case TextValue text:
                WriteQuoted(context, buffer, text.Text);
                break;
            case BooleanValue or IntegerValue or FloatValue or NoneValue:
                buffer.Append(Plain(value));
                break;
            case RangeValue range:
                buffer.Append(string.Create(CultureInfo.InvariantCulture, $"range({range.Start}, {range.Stop}{(range.Step == 1 ? "" : ", " + range.Step.ToString(CultureInfo.InvariantCulture))})"));
                break;
            case TupleValue tuple:
                WriteItems(context, buffer, tuple.Items, "(", tuple.Count == 1 ? ",)" : ")", depth);
                break;
            case ListValue list:
                WriteItems(context, buffer, list.Items, "[", "]", depth);
                break;
            case DictViewValue view:
                WriteItems(context, buffer, view.Items, view.TypeName + "([", "])", depth);
                break;
            case DictValue dict:
                WriteDict(context, buffer, dict, depth);
                break;
            case UndefinedValue:
                buffer.Append("Undefined");
                break;
            case NamespaceValue space:
                buffer.Append("<Namespace ");
                WriteDict(context, buffer, space.Attributes, depth);
                buffer.Append(">");
                break;
            case MacroValue macro:
                buffer.Append("<Macro ");
                WriteQuoted(context, buffer, macro.Name);
                buffer.Append(">");
                break;
            case LoopValue loop:
                buffer.Append(string.Create(CultureInfo.InvariantCulture, $"<LoopContext {loop.Index + 1}/{loop.Count}>"));
                break;
            default:
                buffer.Append("<").Append(value.TypeName).Append(">");
                break;
        }
    }

    private static void WriteItems(RenderContext context, TextBuffer buffer, IEnumerable<Value> items, string open, string close, int depth)
    {
        buffer.Append(open);
        bool isFirst = true;
        foreach (Value item in items)
        {
            if (!isFirst) buffer.Append(", ");
            isFirst = false;
            Write(context, buffer, item, depth + 1);
        }

        buffer.Append(close);
    }

    private static void WriteDict(RenderContext context, TextBuffer buffer, DictValue dict, int depth)
    {
        buffer.Append('{');
        bool isFirst = true;
        foreach ((Value key, Value value) in dict.Pairs)
        {
            if (!isFirst) buffer.Append(", ");
            isFirst = false;
            Write(context, buffer, key, depth + 1);
            buffer.Append(": ");
            Write(context, buffer, value, depth + 1);
        }

        buffer.Append('}');
    }

    // Single quotes, unless the text has some and no double ones.
    private static void WriteQuoted(RenderContext context, TextBuffer buffer, string text)
    {
        context.Scan(text.Length * 8L);
        char quote = text.Contains('\'', StringComparison.Ordinal) && !text.Contains('"', StringComparison.Ordinal) ? '"' : '\'';
        buffer.Append(quote);
        for (int i = 0; i < text.Length; i++)
        {
            char c = text[i];
            bool isPair = char.IsHighSurrogate(c) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]);
            if (c == quote || c == '\\') buffer.Append('\\').Append(c);
            else if (c == '\n') buffer.Append("\\n");
            else if (c == '\r') buffer.Append("\\r");
            else if (c == '\t') buffer.Append("\\t");
            else if (PythonCharacters.IsPrintable(text, i)) buffer.Append(text.AsSpan(i, isPair ? 2 : 1));
            else buffer.Append(Escape(isPair ? char.ConvertToUtf32(c, text[i + 1]) : c));
            if (isPair) i++;
        }

        buffer.Append(quote);
    }

    private static string Escape(int codePoint) => codePoint switch
    {
        < 0x100 => string.Create(CultureInfo.InvariantCulture, $"\\x{codePoint:x2}"),
        < 0x10000 => string.Create(CultureInfo.InvariantCulture, $"\\u{codePoint:x4}"),
        _ => string.Create(CultureInfo.InvariantCulture, $"\\U{codePoint:x8}"),
    };
}
