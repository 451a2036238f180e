using System.Numerics;

namespace TensorCompress.Templates.Values;

/// <summary>Numbers as Python sees them: whole numbers of any size, floats, and truth values as 0 and 1.</summary>
internal static class Numbers
{
    /// <summary>A bound for whole numbers, about Python's own for printing them.</summary>
    public const int MaxBits = 16384;

    public static bool Is(Value value) => value is IntegerValue or FloatValue or BooleanValue;

    /// <summary>A whole number, or null for floats and everything else.</summary>
    public static BigInteger? Whole(Value value) => value switch
    {
        IntegerValue integer => integer.Number,
        BooleanValue boolean => boolean.IsTruthy ? BigInteger.One : BigInteger.Zero,
        _ => null,
    };

    /// <summary>Any number as a float; null for everything else.</summary>
    public static double? Real(Value value) => value is FloatValue number ? number.Number : Whole(value) is BigInteger whole ? ToDouble(whole) : null;

    /// <summary>The order of two numbers: negative, 0 or positive; null where one of them is no number or NaN.</summary>
    public static int? Compare(Value left, Value right)
    {
        BigInteger? a = Whole(left), b = Whole(right);
        if (a is BigInteger x && b is BigInteger y) return x.CompareTo(y);
        if (Real(left) is not double p || Real(right) is not double q || double.IsNaN(p) || double.IsNaN(q)) return null;
        // A whole number beyond 53 bits is compared exactly.
        if (a is BigInteger whole && double.IsFinite(q) && p == q) return whole.CompareTo(new BigInteger(q));
        if (b is BigInteger other && double.IsFinite(p) && p == q) return new BigInteger(p).CompareTo(other);
        return p.CompareTo(q);
    }

    /// <summary>Whether two numbers are equal; null where one of them is no number.</summary>
    public static bool? AreEqual(Value left, Value right) => Is(left) && Is(right) ? Compare(left, right) == 0 : null;

    /// <summary>A whole number of 32 bits; the nearest bound for larger ones, as far as positions in texts and lists go.</summary>
    public static int Clamp(BigInteger number) => (int)BigInteger.Max(int.MinValue, BigInteger.Min(int.MaxValue, number));

    /// <summary>The nearest float, the even one where two are equally near; .NET's own conversion cuts off.</summary>
    public static double ToDouble(BigInteger whole)
    {
        BigInteger size = BigInteger.Abs(whole);
        int shift = (int)Math.Max(0, size.GetBitLength() - 64);
        var leading = (ulong)(size >> shift);
        if (shift > 0 && (size & ((BigInteger.One << shift) - 1)) != 0) leading |= 1;
        double result = Math.ScaleB((double)leading, shift);
        return whole.Sign < 0 ? -result : result;
    }
}
