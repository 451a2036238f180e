using System.Globalization;
using System.Numerics;
using TensorCompress.Templates.Execution;
using TensorCompress.Templates.Values;

namespace TensorCompress.Templates.Library;

/// <summary>Filters of numbers.</summary>
internal static class NumberFilters
{
    public static Value Abs(RenderContext context, Value value, BoundArguments arguments) =>
        Numbers.Whole(value) is BigInteger whole ? IntegerValue.Of(BigInteger.Abs(whole)) : new FloatValue(Math.Abs(Real(value)));

    public static Value Float(RenderContext context, Value value, BoundArguments arguments)
    {
        ThrowIfUndefined(value);
        if (value is TextValue text) return ParseReal(text.Text) is double parsed ? new FloatValue(parsed) : arguments.Optional(0, new FloatValue(0));
        return Numbers.Real(value) is double number ? new FloatValue(number) : arguments.Optional(0, new FloatValue(0));
    }

    /// <summary>Towards zero; a text with a fraction counts too, whatever else gives the default.</summary>
    public static Value Int(RenderContext context, Value value, BoundArguments arguments)
    {
        ThrowIfUndefined(value);
        Value other = arguments.Optional(0, IntegerValue.Of(0));
        if (value is TextValue text)
        {
            context.Scan(text.Text.Length * 16L);
            if (ParseWhole(text.Text, arguments.Whole(1, 10)) is BigInteger parsed) return IntegerValue.Of(parsed);
            return ParseReal(text.Text) is double real && double.IsFinite(real) ? IntegerValue.Of(new BigInteger(real)) : other;
        }

        if (Numbers.Whole(value) is BigInteger whole) return IntegerValue.Of(whole);
        return value is FloatValue { Number: double number } && double.IsFinite(number) ? IntegerValue.Of(new BigInteger(number)) : other;
    }

    public static Value Round(RenderContext context, Value value, BoundArguments arguments)
    {
        int precision = arguments.Whole(0, 0);
        string method = arguments.Text(1) ?? "common";
        if (method is not ("common" or "ceil" or "floor")) throw Fault("round takes common, ceil or floor");
        if (Math.Abs((long)precision) > 400) throw RenderContext.Limit("round takes at most 400 digits");
        if (method == "common")
        {
            if (value is FloatValue number) return new FloatValue(FixedDecimal.Round(number.Number, precision));
            BigInteger whole = Numbers.Whole(value) ?? throw Fault($"round takes a number, not a value of type {value.TypeName}");
            return IntegerValue.Of(precision >= 0 ? whole : RoundWhole(whole, BigInteger.Pow(10, -precision)));
        }

        double power = Math.Pow(10, precision);
        double scaled = Real(value) * power;
        if (!double.IsFinite(scaled)) throw Fault("the number is too large to be rounded");
        return new FloatValue((method == "ceil" ? Math.Ceiling(scaled) : Math.Floor(scaled)) / power);
    }

    public static Value Sum(RenderContext context, Value value, BoundArguments arguments)
    {
        Func<Value, Value> part = SequenceFilters.AttributeOf(context, arguments[0]);
        Value sum = arguments.Optional(1, IntegerValue.Of(0));
        if (sum is TextValue) throw Fault("sum takes no texts: join does");
        foreach (Value item in context.Iterate(value)) sum = Operators.Apply(context, "+", sum, part(item));
        return sum;
    }

    // To the nearest multiple, to the even one where two are equally near.
    private static BigInteger RoundWhole(BigInteger number, BigInteger unit)
    {
        BigInteger quotient = BigInteger.DivRem(number, unit, out BigInteger rest);
        int order = (BigInteger.Abs(rest) * 2).CompareTo(unit);
        if (order > 0 || (order == 0 && !quotient.IsEven)) quotient += number.Sign;
        return quotient * unit;
    }

    private static BigInteger? ParseWhole(string text, int radix)
    {
        string digits = text.Trim().Replace("_", "", StringComparison.Ordinal);
        bool isNegative = digits.StartsWith('-');
        if (digits.Length > 0 && digits[0] is '-' or '+') digits = digits[1..];
        int prefix = digits.Length > 2 && digits[0] == '0' ? char.ToLowerInvariant(digits[1]) switch { 'x' => 16, 'o' => 8, 'b' => 2, _ => 0 } : 0;
        if (prefix != 0 && (radix == prefix || radix == 0)) (digits, radix) = (digits[2..], prefix);
        if (radix == 0) radix = 10;
        if (digits.Length is 0 or > 4300 || radix is < 2 or > 36) return null;
        BigInteger number = BigInteger.Zero;
        if (radix == 10)
        {
            if (digits.AsSpan().ContainsAnyExceptInRange('0', '9')) return null;
            number = BigInteger.Parse(digits, NumberStyles.None, CultureInfo.InvariantCulture);
        }
        else
        {
            foreach (char c in digits)
            {
                int digit = char.IsAsciiDigit(c) ? c - '0' : char.IsAsciiLetter(c) ? char.ToLowerInvariant(c) - 'a' + 10 : radix;
                if (digit >= radix) return null;
                number = (number * radix) + digit;
            }
        }

        return isNegative ? -number : number;
    }

    private static double? ParseReal(string text)
    {
        string trimmed = text.Trim();
        string word = trimmed.TrimStart('+', '-').ToLowerInvariant();
        double sign = trimmed.StartsWith('-') ? -1 : 1;
        if (word is "inf" or "infinity") return sign * double.PositiveInfinity;
        if (word == "nan") return double.NaN;
        const NumberStyles style = NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent;
        return double.TryParse(trimmed.Replace("_", "", StringComparison.Ordinal), style, CultureInfo.InvariantCulture, out double number) && !word.StartsWith('i') && !word.StartsWith('n') ? number : null;
    }

    private static double Real(Value value)
    {
        ThrowIfUndefined(value);
        return Numbers.Real(value) ?? throw Fault($"a number is needed, not a value of type {value.TypeName}");
    }

    private static void ThrowIfUndefined(Value value)
    {
        if (value is UndefinedValue undefined) throw new TemplateException(TemplateErrorKind.Undefined, undefined.Reason);
    }

    private static TemplateException Fault(string reason) => new(TemplateErrorKind.Value, reason);
}
