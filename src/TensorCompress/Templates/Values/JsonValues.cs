using System.Globalization;
using System.Numerics;
using System.Text.Json;

namespace TensorCompress.Templates.Values;

/// <summary>Values from JSON, as Python's own reader gives them.</summary>
internal static class JsonValues
{
    private const int MaxDepth = 200;
    private const int MaxDigits = 4300;

    /// <exception cref="TemplateException">Nested deeper than 200 levels, a number of more than 4300 digits, or text that is not valid Unicode.</exception>
    public static Value Of(JsonElement element, int depth = 0)
    {
        if (depth > MaxDepth) throw new TemplateException(TemplateErrorKind.Limit, $"a value nested deeper than {MaxDepth} levels");
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                var dict = new DictValue();
                foreach (JsonProperty property in element.EnumerateObject()) dict.Set(Text(() => property.Name), Of(property.Value, depth + 1));
                return dict;
            case JsonValueKind.Array:
                var items = new List<Value>(element.GetArrayLength());
                foreach (JsonElement item in element.EnumerateArray()) items.Add(Of(item, depth + 1));
                return new ListValue(items);
            case JsonValueKind.String:
                return new TextValue(Text(() => element.GetString()!));
            case JsonValueKind.Number:
                return Number(element.GetRawText());
            case JsonValueKind.True:
                return BooleanValue.True;
            case JsonValueKind.False:
                return BooleanValue.False;
            case JsonValueKind.Undefined:
                return new UndefinedValue("the value is not defined");
            default:
                return NoneValue.None;
        }
    }

    private static Value Number(string text)
    {
        if (text.AsSpan().ContainsAny('.', 'e', 'E')) return new FloatValue(double.Parse(text, CultureInfo.InvariantCulture));
        return text.Length <= MaxDigits ? IntegerValue.Of(BigInteger.Parse(text, CultureInfo.InvariantCulture)) : throw new TemplateException(
            TemplateErrorKind.Limit, $"a number of more than {MaxDigits} digits");
    }

    private static string Text(Func<string> read)
    {
        try
        {
            return read();
        }
        catch (InvalidOperationException) // a lone surrogate
        {
            throw new TemplateException(TemplateErrorKind.Value, "a text that is not valid Unicode");
        }
    }
}
