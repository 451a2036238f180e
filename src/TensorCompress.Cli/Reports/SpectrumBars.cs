using System.Globalization;

namespace TensorCompress.Cli.Reports;

/// <summary>A small picture of descending numbers: one bar for each, or for each of equally spaced ones where there are many.</summary>
internal static class SpectrumBars
{
    public const int MostBars = 64;

    private const string Levels = "▁▂▃▄▅▆▇█";

    /// <summary>Bars relative to the largest number.</summary>
    public static string Draw(IReadOnlyList<double> values)
    {
        double largest = values.Count == 0 ? 0 : values[0];
        int bars = Math.Min(values.Count, MostBars);
        return string.Concat(Enumerable.Range(0, bars).Select(bar =>
        {
            double value = values[(int)((long)bar * values.Count / bars)];
            return Levels[largest > 0 ? Math.Clamp((int)(value / largest * Levels.Length), 0, Levels.Length - 1) : 0];
        }));
    }

    /// <summary>The ends of the range.</summary>
    public static string Range(IReadOnlyList<double> values) =>
        values.Count == 0 ? "none" : string.Create(CultureInfo.InvariantCulture, $"{values.Count}: {values[0]:G4} down to {values[^1]:G4}");
}
