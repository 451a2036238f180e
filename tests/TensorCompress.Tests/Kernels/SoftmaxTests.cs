using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Kernels;

public class SoftmaxTests
{
    private delegate float Exponentiate(Span<float> x, float scale, float maximum);

    private static Widths<Exponentiate> Widths { get; } = new(
        Softmax.ExponentiateCore<Simd512>, Softmax.ExponentiateCore<Simd256>, Softmax.ExponentiateCore<Simd128>, Softmax.ExponentiateCore<SimdScalar>);

    [Fact]
    public void All_lengths_are_the_formula_at_all_widths()
    {
        var source = new FloatSource(53);
        for (int n = 1; n <= 256; n++)
        {
            float scale = n % 2 == 0 ? 0.125f : 1f;
            float[] x = source.Array(n, 20f);
            float maximum = x.Max() * scale;
            float[] reference = [.. x];
            float sum = Widths.Bits512(reference, scale, maximum);
            foreach ((string width, Exponentiate run) in Widths.All)
            {
                float[] values = [7f, .. x, 7f];
                float total = run(values.AsSpan(1, n), scale, maximum);
                Assert.Equal((7f, 7f), (values[0], values[^1]));
                FloatBits.AssertNear(i => Math.Exp((double)x[i] * scale - maximum), values.AsSpan(1, n), _ => 4e-6, $"n = {n}, width {width}");
                FloatBits.AssertNear(_ => x.Sum(v => Math.Exp((double)v * scale - maximum)), [total], _ => 4e-6 * n, $"n = {n}, width {width}");
                if (FloatBits.FusedMultiplyAdd) FloatBits.AssertEqual([.. reference, sum], [.. values[1..^1], total], $"n = {n}, width {width}");
            }
        }
    }

    [Fact]
    public void Probabilities_are_the_formula_and_sum_to_one()
    {
        var source = new FloatSource(59);
        for (int n = 1; n <= 256; n++)
        {
            float[] x = source.Array(n, 30f), y = [.. x];
            Softmax.Apply(y, 0.5f);
            double normaliser = x.Sum(v => Math.Exp(0.5 * v));
            FloatBits.AssertNear(i => Math.Exp(0.5 * x[i]) / normaliser, y, i => 4e-6, $"n = {n}");
            Assert.InRange(y.Sum(v => (double)v), 1 - 1e-5, 1 + 1e-5);
        }
    }

    [Fact]
    public void Large_values_do_not_overflow()
    {
        float[] x = [3e38f, -3e38f, 3e38f];
        Softmax.Apply(x, 1f);
        Assert.Equal(0.5f, x[0]);
        Assert.Equal(0.5f, x[2]);
        Assert.InRange(x[1], 0f, 1e-37f);
    }

    [Fact]
    public void A_NaN_makes_all_NaN()
    {
        for (int at = 0; at < 20; at++)
        {
            float[] x = new FloatSource(at).Array(20);
            x[at] = float.NaN;
            Softmax.Apply(x, 1f);
            Assert.All(x, value => Assert.True(float.IsNaN(value)));
        }
    }

    [Fact]
    public void Nothing_is_nothing()
    {
        Softmax.Apply([], 1f);
        Assert.Equal(double.NegativeInfinity, Softmax.LogSumExp([]));
    }

    [Fact]
    public void Log_sum_exp_is_its_formula()
    {
        float[] x = new FloatSource(61).Array(1000, 30f);
        Assert.Equal(Math.Log(x.Sum(v => Math.Exp(v))), Softmax.LogSumExp(x), 10);
        Assert.Equal(100000 + Math.Log(2), Softmax.LogSumExp([1e5f, 1e5f]), 10);
        Assert.True(double.IsNaN(Softmax.LogSumExp([1f, float.NaN])));
    }

    [Theory]
    [InlineData(GuardSide.Before)]
    [InlineData(GuardSide.After)]
    internal void Nothing_outside_the_span_is_touched(GuardSide side)
    {
        for (int n = 0; n <= 50; n++)
        {
            using var x = new GuardedPages(n, side);
            foreach ((_, Exponentiate run) in Widths.All) run(x.Span, 1f, 0f);
        }
    }
}
