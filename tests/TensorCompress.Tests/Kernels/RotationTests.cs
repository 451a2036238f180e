using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Kernels;

public class RotationTests
{
    private delegate void Turn(Span<float> head, ReadOnlySpan<float> cosines, ReadOnlySpan<float> sines);

    private static Widths<Turn> Halves { get; } = new(Rotation.HalvesCore<Simd512>, Rotation.HalvesCore<Simd256>, Rotation.HalvesCore<Simd128>, Rotation.HalvesCore<SimdScalar>);

    private static Widths<Turn> Neighbours { get; } = new(
        Rotation.NeighboursCore<Simd512>, Rotation.NeighboursCore<Simd256>, Rotation.NeighboursCore<Simd128>, Rotation.NeighboursCore<SimdScalar>);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Both_layouts_are_the_rounded_formula_at_all_widths(bool halves)
    {
        var source = new FloatSource(83);
        for (int half = 0; half <= 128; half++)
        {
            bool guardAfter = half % 4 != 0;
            int angles = halves ? half : 2 * half;
            float[] x = source.Array(2 * half), angle = source.Array(half, 3f), expected = new float[2 * half];
            using GuardedMemory<float> head = new(2 * half, guardAfter), cosines = new(angles, guardAfter), sines = new(angles, guardAfter);
            for (int i = 0; i < half; i++)
            {
                (float sine, float cosine) = (MathF.Sin(angle[i]), MathF.Cos(angle[i]));
                (int first, int second) = halves ? (i, i + half) : (2 * i, 2 * i + 1);
                float a = x[first] * cosine, b = x[second] * sine, c = x[second] * cosine, d = x[first] * sine;
                (expected[first], expected[second]) = (a - b, c + d);
                for (int j = 0; j < angles / half; j++)
                {
                    int at = halves ? i : 2 * i + j;
                    cosines.Span[at] = cosine;
                    sines.Span[at] = !halves && j == 0 ? -sine : sine;
                }
            }

            foreach ((string width, Turn run) in (halves ? Halves : Neighbours).All)
            {
                x.CopyTo(head.Span);
                run(head.Span, cosines.Span, sines.Span);
                FloatBits.AssertEqual(expected, head.Span, $"half = {half}, width {width}");
            }
        }
    }

    [Fact]
    public void Only_the_pair_of_a_NaN_is_NaN()
    {
        foreach ((string width, Turn run) in Halves.All)
        {
            float[] head = [.. Enumerable.Repeat(1f, 40)], ones = [.. Enumerable.Repeat(1f, 20)];
            head[19] = float.NaN;
            run(head, ones, ones);
            Assert.All(head, (value, i) => Assert.True(float.IsNaN(value) == (i is 19 or 39), $"{i}, width {width}"));
        }
    }

    [Fact]
    public void Lengths_must_fit()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => Rotation.Halves(new float[8], new float[3], new float[3]));
        Assert.Throws<ArgumentOutOfRangeException>(() => Rotation.Halves(new float[8], new float[4], new float[3]));
        Assert.Throws<ArgumentOutOfRangeException>(() => Rotation.Neighbours(new float[8], new float[4], new float[4]));
        Assert.Throws<ArgumentOutOfRangeException>(() => Rotation.Neighbours(new float[8], new float[8], new float[7]));
    }
}
