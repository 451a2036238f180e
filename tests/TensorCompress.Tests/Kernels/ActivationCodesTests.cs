using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Kernels;

public class ActivationCodesTests
{
    private delegate void Quantizer(ActivationCodes codes, int token, ReadOnlySpan<float> values);

    private static Widths<Quantizer> Widths { get; } = new(
        static (codes, token, values) => codes.Core<Simd512>(token, values),
        static (codes, token, values) => codes.Core<Simd256>(token, values),
        static (codes, token, values) => codes.Core<Simd128>(token, values),
        static (codes, token, values) => codes.Core<SimdScalar>(token, values));

    [Fact]
    public void All_lengths_are_rounded_to_the_nearest_level_alike_at_all_widths()
    {
        var source = new FloatSource(5);
        for (int length = 1; length <= 256; length++)
        {
            float[] values = source.Array(length, scale: MathF.Pow(10, length % 9 - 4));
            foreach ((string width, Quantizer run) in Widths.All)
            {
                using var codes = new ActivationCodes();
                codes.Reserve(2, length);
                codes.Codes.Row(1).Fill(77); // memory that was used before
                run(codes, 1, values);
                Assert.Equal((length + 31) / 32, codes.Blocks);
                for (int block = 0; block < codes.Blocks; block++)
                {
                    ReadOnlySpan<float> part = values.AsSpan(block * 32, Math.Min(32, length - block * 32));
                    float largest = 0;
                    foreach (float value in part) largest = Math.Max(largest, Math.Abs(value));
                    float scale = codes.Scales.Row(1)[block];
                    Assert.Equal(largest / 127, scale);
                    int sum = 0;
                    for (int i = 0; i < 32; i++)
                    {
                        int code = (sbyte)codes.Codes.Row(1)[block * 32 + i];
                        sum += code;
                        if (i >= part.Length) Assert.Equal(0, code);
                        else Assert.True(Math.Abs(code) <= 127 && Math.Abs(code * (double)scale - part[i]) <= scale * 0.50001, $"length {length}, width {width}: {part[i]} as {code} x {scale}");
                    }

                    Assert.Equal(sum, codes.Sums.Row(1)[block]);
                }
            }
        }
    }

    [Fact]
    public void The_codes_are_the_same_at_all_widths()
    {
        float[] values = new FloatSource(6).Array(4096);
        for (int i = 0; i < values.Length; i += 3) values[i] = MathF.Round(values[i] * 127) / 254; // many halves between two levels
        using var reference = new ActivationCodes();
        reference.Reserve(1, values.Length);
        Widths.Bits512(reference, 0, values);
        foreach ((string width, Quantizer run) in Widths.All)
        {
            using var codes = new ActivationCodes();
            codes.Reserve(1, values.Length);
            run(codes, 0, values);
            Assert.True(codes.Codes.Row(0).SequenceEqual(reference.Codes.Row(0)), width);
        }
    }

    [Fact]
    public void What_is_not_finite_reaches_the_scale_and_zeros_stay_zero()
    {
        foreach ((string width, Quantizer run) in Widths.All)
        {
            float[] values = new float[160];
            values[3] = float.NaN;
            values[40] = float.NegativeInfinity;
            values[41] = 1;
            values[70] = 1e-36f;
            values[100] = float.MaxValue;
            using var codes = new ActivationCodes();
            codes.Reserve(1, values.Length);
            run(codes, 0, values);
            Assert.True(float.IsNaN(codes.Scales.Row(0)[0]), width);
            Assert.True(float.IsPositiveInfinity(codes.Scales.Row(0)[1]), width);
            Assert.Equal(0, codes.Scales.Row(0)[2]);
            Assert.Equal((float.MaxValue / 127, 127), (codes.Scales.Row(0)[3], codes.Codes.Row(0)[100]));
            Assert.Equal(0, codes.Scales.Row(0)[4]);
            Assert.Equal(0, codes.Codes.Row(0)[128]);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Nothing_outside_the_values_is_read(bool guardAfter)
    {
        for (int length = 1; length <= 100; length++)
        {
            using var values = new GuardedMemory<float>(length, guardAfter);
            using var codes = new ActivationCodes();
            codes.Reserve(1, length);
            foreach ((_, Quantizer run) in Widths.All) run(codes, 0, values.Span);
        }
    }
}
