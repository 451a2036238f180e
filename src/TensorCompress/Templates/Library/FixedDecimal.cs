using System.Globalization;
using System.Numerics;

namespace TensorCompress.Templates.Library;

/// <summary>Floats with a fixed number of decimals, from their exact value; halves go to the even digit.</summary>
internal static class FixedDecimal
{
    /// <summary>The digits of a finite number times 10^decimals, rounded.</summary>
    public static BigInteger Scale(double number, int decimals)
    {
        long bits = BitConverter.DoubleToInt64Bits(number);
        int exponent = (int)((bits >> 52) & 0x7FF);
        BigInteger significand = (bits & 0xFFFFFFFFFFFFF) | (exponent == 0 ? 0L : 1L << 52);
        int shift = Math.Max(exponent, 1) - 1075;
        BigInteger numerator = significand * (decimals > 0 ? BigInteger.Pow(10, decimals) : BigInteger.One) << Math.Max(0, shift);
        BigInteger denominator = (decimals < 0 ? BigInteger.Pow(10, -decimals) : BigInteger.One) << Math.Max(0, -shift);
        BigInteger quotient = BigInteger.DivRem(numerator, denominator, out BigInteger rest);
        int order = (rest * 2).CompareTo(denominator);
        if (order > 0 || (order == 0 && !quotient.IsEven)) quotient += 1;
        return bits < 0 ? -quotient : quotient;
    }

    public static double Round(double number, int decimals)
    {
        if (!double.IsFinite(number)) return number;
        BigInteger scaled = Scale(number, decimals);
        if (scaled.IsZero) return Math.CopySign(0, number);
        return double.Parse(scaled.ToString(CultureInfo.InvariantCulture) + "E" + (-decimals).ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
    }

    /// <summary>Without a sign, as <c>%f</c> has it.</summary>
    public static string Format(double number, int decimals)
    {
        string digits = BigInteger.Abs(Scale(number, decimals)).ToString(CultureInfo.InvariantCulture).PadLeft(decimals + 1, '0');
        return decimals == 0 ? digits : digits[..^decimals] + "." + digits[^decimals..];
    }

    /// <summary>Without a sign, as <c>%e</c> has it.</summary>
    public static string FormatExponent(double number, int decimals)
    {
        number = Math.Abs(number);
        int exponent = number == 0 ? 0 : (int)Math.Floor(Math.Log10(number));
        string digits = number == 0 ? new string('0', decimals + 1) : Scale(number, decimals - exponent).ToString(CultureInfo.InvariantCulture);
        // The logarithm may be one off, and rounding may add a digit.
        if (digits.Length != decimals + 1)
        {
            exponent += digits.Length > decimals + 1 ? 1 : -1;
            digits = Scale(number, decimals - exponent).ToString(CultureInfo.InvariantCulture);
        }

        string fraction = decimals == 0 ? "" : "." + digits[1..];
        return string.Create(CultureInfo.InvariantCulture, $"{digits[0]}{fraction}e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}");
    }

    /// <summary>Without a sign, as <c>%g</c> has it: the shorter of both, without zeros at the end.</summary>
    public static string FormatGeneral(double number, int digits)
    {
        digits = Math.Max(1, digits);
        string scientific = FormatExponent(number, digits - 1);
        int mark = scientific.IndexOf('e', StringComparison.Ordinal);
        int exponent = int.Parse(scientific.AsSpan(mark + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        if (exponent >= -4 && exponent < digits) return WithoutZeros(Format(number, digits - 1 - exponent));
        return WithoutZeros(scientific[..mark]) + scientific[mark..];
    }

    private static string WithoutZeros(string number) => number.Contains('.', StringComparison.Ordinal) ? number.TrimEnd('0').TrimEnd('.') : number;
}
