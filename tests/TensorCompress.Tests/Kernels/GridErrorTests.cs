using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Kernels;

public class GridErrorTests
{
    private delegate float Error(ReadOnlySpan<float> weights, ReadOnlySpan<float> importance, float scale, int least, int most);

    private static readonly Widths<Error> Kernel = new(GridError.Core<Simd512>, GridError.Core<Simd256>, GridError.Core<Simd128>, GridError.Core<SimdScalar>);

    [Theory]
    [InlineData(0.25f, -2, 1)]
    [InlineData(0.125f, -8, 7)]
    [InlineData(0.5f, 0, 15)]
    public void All_lengths_and_widths_give_the_sum_of_the_formula(float scale, int least, int most)
    {
        var source = new FloatSource(11);
        for (int n = 0; n <= 256; n++)
        {
            using GuardedMemory<float> weights = new(n, n % 2 == 0), importance = new(n, n % 2 == 1);
            source.Array(n).CopyTo(weights.Span);
            foreach (ref float value in importance.Span) value = Math.Abs(source.Next());
            double expected = 0;
            for (int i = 0; i < n; i++)
            {
                double level = Math.Clamp(Math.Round((double)weights.Span[i] / scale, MidpointRounding.ToEven), least, most);
                expected += importance.Span[i] * Math.Pow(weights.Span[i] - scale * level, 2);
            }

            float? first = null;
            foreach ((string width, Error run) in Kernel.All)
            {
                float actual = run(weights.Span, importance.Span, scale, least, most);
                Assert.True(Math.Abs(actual - expected) <= 1e-6 * (1 + expected), $"n = {n}, width {width}: {actual}, not {expected}");
                if (FloatBits.FusedMultiplyAdd) Assert.Equal(first ??= actual, actual);
            }
        }
    }

    [Fact]
    public void Lengths_are_checked() => Assert.Throws<ArgumentOutOfRangeException>(() => GridError.Compute(new float[3], new float[4], 1, 0, 1));
}
