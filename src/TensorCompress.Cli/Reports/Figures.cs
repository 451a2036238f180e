using System.Globalization;

namespace TensorCompress.Cli.Reports;

/// <summary>Numbers for people, alike in every culture.</summary>
internal static class Figures
{
    public static string Bytes(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes:N0} bytes");

    public static string Count(long count) => count.ToString("N0", CultureInfo.InvariantCulture);

    public static string Bits(double bitsPerWeight) => bitsPerWeight.ToString("0.00", CultureInfo.InvariantCulture);

    public static string Seconds(TimeSpan time) => time.TotalSeconds.ToString(time.TotalSeconds < 10 ? "0.00" : "0", CultureInfo.InvariantCulture) + " s";

    /// <summary>A number with some significant digits, without an exponent where it can be helped.</summary>
    public static string Significant(double value, int digits = 4)
    {
        if (value == 0 || !double.IsFinite(value)) return value.ToString(CultureInfo.InvariantCulture);
        int before = (int)Math.Floor(Math.Log10(Math.Abs(value))) + 1;
        if (before is < -3 or > 9) return value.ToString("0.##e0", CultureInfo.InvariantCulture);
        return value.ToString("F" + Math.Max(0, digits - before).ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
    }

    public static string Percent(double share) => (share * 100).ToString("0.0", CultureInfo.InvariantCulture) + " %";
}
