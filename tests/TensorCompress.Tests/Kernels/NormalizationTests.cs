using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Kernels;

public class NormalizationTests
{
    private const float Epsilon = 1e-5f;

    private delegate float Total(ReadOnlySpan<float> x);

    private delegate float Squares(ReadOnlySpan<float> x, float center);

    private static Widths<Total> SumWidths { get; } = new(
        Normalization.SumCore<Simd512>, Normalization.SumCore<Simd256>, Normalization.SumCore<Simd128>, Normalization.SumCore<SimdScalar>);

    private static Widths<Squares> SquareWidths { get; } = new(
        Normalization.SumOfSquaresCore<Simd512>, Normalization.SumOfSquaresCore<Simd256>, Normalization.SumOfSquaresCore<Simd128>, Normalization.SumOfSquaresCore<SimdScalar>);

    [Fact]
    public void Sums_cover_all_lengths_at_all_widths()
    {
        var source = new FloatSource(41);
        for (int n = 0; n <= 256; n++)
        {
            float[] x = source.Array(n, 3f);
            float sum = SumWidths.Bits512(x), squares = SquareWidths.Bits512(x, 0.25f);
            FloatBits.AssertNear(_ => x.Sum(v => (double)v), [sum], _ => 6e-8 * (n / 16 + 5) * x.Sum(v => Math.Abs((double)v)), $"n = {n}");
            FloatBits.AssertNear(_ => x.Sum(v => Math.Pow((double)v - 0.25, 2)), [squares], _ => 6e-8 * (n / 16 + 8) * (x.Sum(v => Math.Pow(Math.Abs(v) + 0.25, 2)) + 1e-30), $"n = {n}");
            foreach ((string width, Total run) in SumWidths.All) FloatBits.AssertEqual([sum], [run(x)], $"sum, n = {n}, width {width}");
            if (!FloatBits.FusedMultiplyAdd) continue;
            foreach ((string width, Squares run) in SquareWidths.All) FloatBits.AssertEqual([squares], [run(x, 0.25f)], $"squares, n = {n}, width {width}");
        }
    }

    [Theory]
    [InlineData(GuardSide.Before)]
    [InlineData(GuardSide.After)]
    internal void Nothing_outside_the_span_is_read(GuardSide side)
    {
        for (int n = 0; n <= 50; n++)
        {
            using var x = new GuardedPages(n, side);
            foreach ((_, Total run) in SumWidths.All) run(x.Span);
            foreach ((_, Squares run) in SquareWidths.All) run(x.Span, 1f);
        }
    }

    [Fact]
    public void Root_mean_square_is_its_formula_also_in_place()
    {
        var source = new FloatSource(43);
        for (int n = 1; n <= 256; n++)
        {
            float[] x = source.Array(n, 5f), gain = source.Array(n), y = new float[n], inPlace = [.. x];
            double scale = 1 / Math.Sqrt(x.Sum(v => (double)v * v) / n + Epsilon);
            Normalization.RootMeanSquare(x, gain, Epsilon, y);
            FloatBits.AssertNear(i => x[i] * scale * gain[i], y, i => 1e-6 * Math.Abs(x[i] * scale * gain[i]), $"n = {n}");
            Normalization.RootMeanSquare(inPlace, gain, Epsilon, inPlace);
            FloatBits.AssertEqual(y, inPlace, $"n = {n}, in place");
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Layer_normalisation_is_its_formula_also_in_place(bool hasBias)
    {
        var source = new FloatSource(47);
        for (int n = 1; n <= 256; n++)
        {
            float[] x = source.Array(n, 5f), gain = source.Array(n), bias = hasBias ? source.Array(n) : [], y = new float[n], inPlace = [.. x];
            double mean = x.Average(v => (double)v);
            double scale = 1 / Math.Sqrt(x.Average(v => (v - mean) * (v - mean)) + Epsilon);
            Normalization.Layer(x, gain, bias, Epsilon, y);
            // A single element is its own mean: what is left is rounding, magnified by 1 / sqrt(epsilon).
            FloatBits.AssertNear(i => (x[i] - mean) * scale * gain[i] + (hasBias ? bias[i] : 0), y, i => 3e-6 * Math.Min(scale, 10) + 2e-6, $"n = {n}");
            Normalization.Layer(inPlace, gain, bias, Epsilon, inPlace);
            FloatBits.AssertEqual(y, inPlace, $"n = {n}, in place");
        }
    }

    [Fact]
    public void A_NaN_makes_the_whole_vector_NaN()
    {
        float[] x = [1f, float.NaN, 2f], gain = [1f, 1f, 1f], y = new float[3];
        Normalization.RootMeanSquare(x, gain, Epsilon, y);
        Assert.All(y, value => Assert.True(float.IsNaN(value)));
        Normalization.Layer(x, gain, default, Epsilon, y);
        Assert.All(y, value => Assert.True(float.IsNaN(value)));
    }

    [Fact]
    public void Zeros_stay_zero_and_lengths_must_fit()
    {
        float[] y = new float[4];
        Normalization.RootMeanSquare(new float[4], [1f, 1f, 1f, 1f], Epsilon, y);
        Assert.All(y, value => Assert.Equal(0f, value));
        Assert.Throws<ArgumentOutOfRangeException>(() => Normalization.RootMeanSquare(new float[4], new float[3], Epsilon, y));
        Assert.Throws<ArgumentOutOfRangeException>(() => Normalization.Layer(new float[4], new float[4], new float[3], Epsilon, y));
    }
}
