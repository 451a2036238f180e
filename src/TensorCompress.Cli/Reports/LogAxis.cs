namespace TensorCompress.Cli.Reports;

/// <summary>A logarithmic axis: maps values to pixels and chooses round tick values.</summary>
internal sealed class LogAxis
{
    private const int FewestTicks = 3;

    // 1, 1.5, 2, 3, 4, 6, 8, ...: the numbers that people think of bits in.
    private static readonly double[] Bits = [.. Enumerable.Range(-4, 16).SelectMany(exponent => new[] { Math.Pow(2, exponent), 1.5 * Math.Pow(2, exponent) })];

    private readonly double _lowest;
    private readonly double _highest;
    private readonly double _start;
    private readonly double _end;

    /// <summary>An axis over all values, with a little air on both sides.</summary>
    /// <param name="values">Positive finite values, at least one.</param>
    /// <param name="start">Pixel of the lowest value.</param>
    /// <param name="end">Pixel of the highest value; may be less than the start.</param>
    /// <param name="inBits">Whether ticks are 2, 3, 4, 6, 8 and so on instead of 1, 2, 5, 10.</param>
    public LogAxis(IReadOnlyCollection<double> values, double start, double end, bool inBits = false)
    {
        (_start, _end) = (start, end);
        double low = Math.Log(values.Min()), high = Math.Log(values.Max());
        double air = Math.Max(0.06 * (high - low), 0.05);
        (_lowest, _highest) = (low - air, high + air);
        Ticks = inBits ? Within(Bits) : DecimalTicks();
    }

    /// <summary>Values with a mark and a label.</summary>
    public IReadOnlyList<double> Ticks { get; }

    /// <summary>Pixel of a value.</summary>
    public double Position(double value) => _start + (_end - _start) * (Math.Log(value) - _lowest) / (_highest - _lowest);

    // The coarsest steps that give enough ticks.
    private double[] DecimalTicks()
    {
        double[][] steps = [[1], [1, 3], [1, 2, 5], [1, 1.5, 2, 3, 4, 5, 7], [.. Enumerable.Range(0, 90).Select(tenth => 1 + tenth / 10.0)]];
        double[] ticks = [];
        foreach (double[] step in steps)
        {
            ticks = Within(Enumerable.Range(-8, 20).SelectMany(decade => step.Select(value => value * Math.Pow(10, decade))));
            if (ticks.Length >= FewestTicks) break;
        }

        return ticks;
    }

    private double[] Within(IEnumerable<double> values) => [.. values.Where(value => Math.Log(value) >= _lowest && Math.Log(value) <= _highest)];
}
