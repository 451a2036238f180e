using System.Numerics;
using TensorCompress.Templates.Library;
using TensorCompress.Templates.Values;

namespace TensorCompress.Templates.Execution;

/// <summary>Arithmetic as Python does it.</summary>
internal static class Operators
{
    public static Value Apply(RenderContext context, string operation, Value left, Value right)
    {
        if (left is UndefinedValue || right is UndefinedValue)
            throw new TemplateException(TemplateErrorKind.Undefined, ((left as UndefinedValue) ?? (UndefinedValue)right).Reason);
        if (operation == "%" && left is TextValue format) return context.Text(PercentFormat.Apply(context, format.Text, right));
        if (Numbers.Whole(left) is BigInteger a && Numbers.Whole(right) is BigInteger b && OfWholes(operation, a, b) is Value whole) return whole;
        if (Numbers.Real(left) is double x && Numbers.Real(right) is double y) return double.IsInfinity(x) && left is not FloatValue || double.IsInfinity(y) && right is not FloatValue ? throw TooLarge() : new FloatValue(OfReals(operation, x, y));
        if (operation == "+" && Join(context, left, right) is Value joined) return joined;
        if (operation == "*" && (Repeat(context, left, right) ?? Repeat(context, right, left)) is Value repeated) return repeated;
        throw new TemplateException(TemplateErrorKind.Value, $"'{operation}' does not fit values of type {left.TypeName} and {right.TypeName}");
    }

    public static Value Negate(Value value, bool isMinus)
    {
        if (value is UndefinedValue undefined) throw new TemplateException(TemplateErrorKind.Undefined, undefined.Reason);
        if (Numbers.Whole(value) is BigInteger whole) return IntegerValue.Of(isMinus ? -whole : whole);
        if (value is FloatValue number) return isMinus ? new FloatValue(-number.Number) : number;
        throw new TemplateException(TemplateErrorKind.Value, $"a sign does not fit a value of type {value.TypeName}");
    }

    private static Value? OfWholes(string operation, BigInteger a, BigInteger b) => operation switch
    {
        "+" => Bounded(a + b),
        "-" => Bounded(a - b),
        "*" => Bounded(a * b),
        "//" => Bounded(FloorDivide(a, NotZero(b))),
        "%" => Bounded(a - (FloorDivide(a, NotZero(b)) * b)),
        "/" => new FloatValue(Ratio(a, NotZero(b))),
        "**" when b.Sign >= 0 => Power(a, b),
        _ => null,
    };

    private static IntegerValue Bounded(BigInteger number) => number.GetBitLength() <= Numbers.MaxBits ? IntegerValue.Of(number) : throw RenderContext.Limit(
        $"a whole number of more than {Numbers.MaxBits} bits");

    private static BigInteger NotZero(BigInteger divisor) => divisor.IsZero ? throw DivisionByZero() : divisor;

    private static TemplateException DivisionByZero() => new(TemplateErrorKind.Value, "division by zero");

    private static TemplateException TooLarge() => new(TemplateErrorKind.Value, "the result is too large for a float");

    private static BigInteger FloorDivide(BigInteger a, BigInteger b)
    {
        BigInteger quotient = BigInteger.DivRem(a, b, out BigInteger rest);
        return !rest.IsZero && (rest.Sign < 0) != (b.Sign < 0) ? quotient - 1 : quotient;
    }

    // Numbers beyond 53 bits are divided exactly to 64 bits first, so that the one rounding is the last.
    private static double Ratio(BigInteger a, BigInteger b)
    {
        if (a.GetBitLength() <= 53 && b.GetBitLength() <= 53) return (double)a / (double)b;
        int shift = (int)Math.Max(0, b.GetBitLength() - a.GetBitLength() + 66);
        BigInteger quotient = BigInteger.DivRem(BigInteger.Abs(a) << shift, BigInteger.Abs(b), out BigInteger rest);
        if (!rest.IsZero) quotient |= 1;
        double result = Math.ScaleB(Numbers.ToDouble(quotient), -shift);
        if (double.IsInfinity(result)) throw TooLarge();
        return a.Sign * b.Sign < 0 ? -result : result;
    }

    private static IntegerValue Power(BigInteger number, BigInteger exponent)
    {
        if (number.IsZero || number.IsOne) return IntegerValue.Of(exponent.IsZero ? BigInteger.One : number);
        if (exponent > Numbers.MaxBits || number.GetBitLength() * (long)exponent > Numbers.MaxBits) throw RenderContext.Limit($"a whole number of more than {Numbers.MaxBits} bits");
        return IntegerValue.Of(BigInteger.Pow(number, (int)exponent));
    }

    private static double OfReals(string operation, double x, double y)
    {
        switch (operation)
        {
            case "+": return x + y;
            case "-": return x - y;
            case "*": return x * y;
            case "/": return y == 0 ? throw DivisionByZero() : x / y;
            case "//": return y == 0 ? throw DivisionByZero() : FloorDivide(x, y);
            case "%": return y == 0 ? throw DivisionByZero() : Remainder(x, y);
            default:
                if (x == 0 && y < 0) throw DivisionByZero();
                double power = Math.Pow(x, y);
                if (double.IsNaN(power) && !double.IsNaN(x) && !double.IsNaN(y)) throw new TemplateException(TemplateErrorKind.Unsupported, "complex numbers are not supported");
                if (double.IsInfinity(power) && double.IsFinite(x) && double.IsFinite(y)) throw TooLarge();
                return power;
        }
    }

    // The quotient is nearly whole already: rounding takes it to the whole number that is meant.
    private static double FloorDivide(double x, double y)
    {
        double quotient = (x - Remainder(x, y)) / y;
        return quotient == 0 ? Math.CopySign(0, x / y) : Math.Round(quotient);
    }

    // With the sign of the divisor.
    private static double Remainder(double x, double y)
    {
        double rest = x % y;
        if (rest == 0) return Math.CopySign(0, y);
        return (rest < 0) != (y < 0) ? rest + y : rest;
    }

    private static Value? Join(RenderContext context, Value left, Value right)
    {
        if (left is TextValue a && right is TextValue b)
        {
            context.AllocateText((long)a.Text.Length + b.Text.Length);
            return new TextValue(a.Text + b.Text);
        }

        if (!(left is ListValue && right is ListValue) && !(left is TupleValue && right is TupleValue)) return null;
        (SequenceValue first, SequenceValue second) = ((SequenceValue)left, (SequenceValue)right);
        context.AllocateItems((long)first.Count + second.Count);
        return first.With([.. first.Items, .. second.Items]);
    }

    private static Value? Repeat(RenderContext context, Value value, Value times)
    {
        if (value is not (TextValue or ListValue or TupleValue) || Numbers.Whole(times) is not BigInteger number) return null;
        int count = Math.Max(0, Numbers.Clamp(number));
        if (value is TextValue text)
        {
            context.AllocateText((long)text.Text.Length * count);
            return new TextValue(string.Concat(Enumerable.Repeat(text.Text, text.Text.Length == 0 ? 0 : count)));
        }

        var sequence = (SequenceValue)value;
        if (sequence.Count == 0) return sequence;
        context.AllocateItems((long)sequence.Count * count);
        var items = new List<Value>(sequence.Count * count);
        for (int i = 0; i < count; i++) items.AddRange(sequence.Items);
        return sequence.With(items);
    }
}
