using System.Globalization;
using System.Numerics;
using TensorCompress.Templates.Execution;
using TensorCompress.Templates.Values;

namespace TensorCompress.Templates.Library;

/// <summary>How a number or text is laid out: what stands between <c>%</c> or <c>:</c> and the letter of the type.</summary>
internal sealed record NumberFormat
{
    /// <summary>A bound for widths and decimals, which templates choose.</summary>
    public const int MaxSize = 1000;

    public char Fill { get; init; } = ' ';

    /// <summary><c>&lt;</c>, <c>&gt;</c>, <c>^</c>, or <c>=</c> for filling between sign and digits.</summary>
    public char? Alignment { get; init; }

    /// <summary><c>+</c> or a blank before numbers that are not negative, <c>-</c> for none.</summary>
    public char Sign { get; init; } = '-';

    public bool HasPrefix { get; init; }

    public int Width { get; init; }

    /// <summary><c>,</c> or <c>_</c> between groups of digits.</summary>
    public char? Grouping { get; init; }

    public int? Precision { get; init; }

    /// <summary>The letter of the type; null for the type's own way.</summary>
    public char? Type { get; init; }

    /// <summary>Lays a text out.</summary>
    public string OfText(RenderContext context, string text)
    {
        if (Precision is int most) text = new TextValue(text) is { CodePoints: int length } whole && length > most ? text[..whole.UnitOf(most)] : text;
        return Pad(context, "", text, Alignment ?? '<');
    }

    /// <summary>Lays a whole number out.</summary>
    public string OfWhole(RenderContext context, BigInteger number)
    {
        if (Type is 'e' or 'E' or 'f' or 'F' or 'g' or 'G' or '%') return OfReal(context, (double)number);
        BigInteger size = BigInteger.Abs(number);
        (string prefix, string digits) = Type switch
        {
            'x' => ("0x", Radix(size, 16)),
            'X' => ("0X", Radix(size, 16).ToUpperInvariant()),
            'o' => ("0o", Radix(size, 8)),
            'b' => ("0b", Radix(size, 2)),
            'c' => ("", CodePoint(number)),
            null or 'd' or 'i' or 'u' or 'n' => ("", size.ToString(CultureInfo.InvariantCulture)),
            _ => throw Fault($"a whole number has no format '{Type}'"),
        };
        return Pad(context, SignOf(number.Sign < 0) + (HasPrefix ? prefix : ""), Grouped(digits), Alignment ?? '>');
    }

    /// <summary>Lays a float out.</summary>
    public string OfReal(RenderContext context, double number)
    {
        int decimals = Precision ?? 6;
        context.Step(1 + decimals);
        string digits;
        if (double.IsNaN(number)) digits = "nan";
        else if (double.IsInfinity(number)) digits = "inf";
        else
        {
            digits = Type switch
            {
                'f' or 'F' => FixedDecimal.Format(number, decimals),
                'e' or 'E' => FixedDecimal.FormatExponent(number, decimals),
                'g' or 'G' or 'n' => FixedDecimal.FormatGeneral(number, decimals),
                '%' => FixedDecimal.Format(number * 100, decimals) + "%",
                null when Precision is null => PythonText.OfFloat(Math.Abs(number)),
                null => General(number, decimals),
                _ => throw Fault($"a float has no format '{Type}'"),
            };
        }

        if (Type is 'E' or 'F' or 'G') digits = digits.ToUpperInvariant();
        return Pad(context, SignOf(double.IsNegative(number) && !double.IsNaN(number)), Grouped(digits), Alignment ?? '>');
    }

    // As %g, but a float always shows that it is one: with a digit after the point, or an exponent.
    private static string General(double number, int digits)
    {
        string text = FixedDecimal.FormatGeneral(number, digits);
        if (text.AsSpan().ContainsAny('.', 'e')) return text;
        return text.Length < digits || text.Length == 1 ? text + ".0" : FixedDecimal.FormatGeneral(number, digits - 1);
    }

    private string SignOf(bool isNegative) => isNegative ? "-" : Sign == '-' ? "" : Sign.ToString();

    private string Grouped(string digits)
    {
        if (Grouping is not char separator) return digits;
        int end = digits.AsSpan().IndexOfAnyExceptInRange('0', '9') is var other && other >= 0 ? other : digits.Length;
        for (int place = end - 3; place > 0; place -= 3) digits = digits.Insert(place, separator.ToString());
        return digits;
    }

    private string Pad(RenderContext context, string sign, string text, char alignment)
    {
        int missing = Width - sign.Length - new TextValue(text).CodePoints;
        if (missing <= 0) return sign + text;
        var buffer = new TextBuffer(context);
        return (alignment switch
        {
            '<' => buffer.Append(sign).Append(text).Append(Fill, missing),
            '^' => buffer.Append(Fill, missing / 2).Append(sign).Append(text).Append(Fill, missing - (missing / 2)),
            '=' => buffer.Append(sign).Append(Fill, missing).Append(text),
            _ => buffer.Append(Fill, missing).Append(sign).Append(text),
        }).ToString();
    }

    private static string Radix(BigInteger number, int radix)
    {
        if (number.IsZero) return "0";
        var digits = new Stack<char>();
        for (; !number.IsZero; number /= radix) digits.Push("0123456789abcdef"[(int)(number % radix)]);
        return new string([.. digits]);
    }

    private static string CodePoint(BigInteger number) => number >= 0 && number < 0x110000 && number is var code && !(code >= 0xD800 && code < 0xE000)
        ? char.ConvertFromUtf32((int)number)
        : throw Fault("no character has that number");

    private static TemplateException Fault(string reason) => new(TemplateErrorKind.Value, reason);
}
