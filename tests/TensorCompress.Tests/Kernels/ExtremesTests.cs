using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Kernels;

public class ExtremesTests
{
    private delegate float Largest(ReadOnlySpan<float> x);

    private delegate int Index(ReadOnlySpan<float> x);

    private static Widths<Largest> Max { get; } = new(Extremes.MaxCore<Simd512>, Extremes.MaxCore<Simd256>, Extremes.MaxCore<Simd128>, Extremes.MaxCore<SimdScalar>);

    private static Widths<Index> IndexOfMax { get; } = new(
        Extremes.IndexOfMaxCore<Simd512>, Extremes.IndexOfMaxCore<Simd256>, Extremes.IndexOfMaxCore<Simd128>, Extremes.IndexOfMaxCore<SimdScalar>);

    [Fact]
    public void The_largest_is_found_at_all_lengths_and_widths_with_ties()
    {
        var source = new FloatSource(89);
        for (int n = 1; n <= 256; n++)
        {
            using var x = new GuardedMemory<float>(n, guardAfter: n % 4 != 0);
            foreach (ref float value in x.Span) value = source.Integer(n / 2 + 1) - n; // few different values: ties; all negative: no padding may win
            float largest = x.Span.ToArray().Max();
            foreach ((string width, Largest run) in Max.All) Assert.True(run(x.Span) == largest, $"n = {n}, width {width}");
            foreach ((string width, Index run) in IndexOfMax.All) Assert.True(run(x.Span) == x.Span.ToArray().ToList().IndexOf(largest), $"n = {n}, width {width}");
        }
    }

    [Fact]
    public void Every_place_is_found()
    {
        for (int at = 0; at < 70; at++)
        {
            float[] x = new float[70];
            x[at] = 1e-45f;
            foreach ((string width, Index run) in IndexOfMax.All) Assert.True(run(x) == at, $"{at}, width {width}");
        }
    }

    [Fact]
    public void The_first_NaN_wins()
    {
        for (int at = 0; at < 40; at++)
        {
            float[] x = [.. Enumerable.Repeat(float.PositiveInfinity, 41)];
            x[at] = x[40] = float.NaN;
            foreach ((string width, Largest run) in Max.All) Assert.True(float.IsNaN(run(x)), $"{at}, width {width}");
            foreach ((string width, Index run) in IndexOfMax.All) Assert.True(run(x) == at, $"{at}, width {width}");
        }
    }

    [Fact]
    public void Infinities_are_values_and_nothing_is_refused()
    {
        foreach ((_, Index run) in IndexOfMax.All)
        {
            Assert.Equal(0, run([float.NegativeInfinity, float.NegativeInfinity]));
            Assert.Equal(1, run([1f, float.PositiveInfinity, 2f]));
        }

        Assert.Equal(float.NegativeInfinity, Extremes.Max([float.NegativeInfinity]));
        Assert.Equal(2, Extremes.IndexOfMax([1f, 2f, 3f]));
        Assert.Throws<ArgumentOutOfRangeException>(() => Extremes.Max([]));
        Assert.Throws<ArgumentOutOfRangeException>(() => Extremes.IndexOfMax([]));
    }
}
