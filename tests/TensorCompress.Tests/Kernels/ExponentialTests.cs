using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Kernels;

public class ExponentialTests
{
    [Fact]
    public void The_error_is_below_one_and_a_half_units_in_the_last_place()
    {
        const int Count = 1 << 18;
        float[] x = [.. Enumerable.Range(0, Count).Select(i => -87f + 175f * i / Count)], y = new float[Count];
        Elementwise.MapCore<Simd512, Exponential.Operation>(x, y);
        double worst = 0;
        for (int i = 0; i < Count; i++)
        {
            double exact = Math.Exp(x[i]);
            double unit = MathF.BitIncrement((float)exact) - (float)exact;
            worst = Math.Max(worst, Math.Abs(y[i] - exact) / unit);
        }

        Assert.InRange(worst, 0.4, FloatBits.FusedMultiplyAdd ? 1.5 : 3);
    }

    [Fact]
    public void All_widths_give_the_same_bits()
    {
        if (!FloatBits.FusedMultiplyAdd) return; // then only the tolerance above holds
        float[] x = new FloatSource(5).Array(4099, 95f), expected = new float[x.Length], y = new float[x.Length];
        Elementwise.MapCore<Simd512, Exponential.Operation>(x, expected);
        Elementwise.MapCore<Simd256, Exponential.Operation>(x, y);
        FloatBits.AssertEqual(expected, y, "256");
        Elementwise.MapCore<Simd128, Exponential.Operation>(x, y);
        FloatBits.AssertEqual(expected, y, "128");
        Elementwise.MapCore<SimdScalar, Exponential.Operation>(x, y);
        FloatBits.AssertEqual(expected, y, "scalar");
    }

    [Theory]
    [InlineData(0f, 1f)]
    [InlineData(float.NaN, float.NaN)]
    public void Special_values_are_exact(float x, float expected) => Assert.Equal(expected, ExpOf(x));

    [Theory]
    [InlineData(float.PositiveInfinity, 88f)]
    [InlineData(1000f, 88f)]
    [InlineData(float.NegativeInfinity, -87f)]
    [InlineData(-1000f, -87f)]
    public void Arguments_are_clamped(float x, float clamped) => Assert.Equal(ExpOf(clamped), ExpOf(x));

    private static float ExpOf(float x)
    {
        float[] one = [x];
        Elementwise.Map<Exponential.Operation>(one, one);
        return one[0];
    }
}
