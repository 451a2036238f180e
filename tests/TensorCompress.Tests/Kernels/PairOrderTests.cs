using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Kernels;

public class PairOrderTests
{
    private delegate void Order(ReadOnlySpan<float> source, Span<float> target, Span<byte> bits, long firstBit);

    private static readonly Widths<Order> Split = new(PairOrder.Split<Simd512>, PairOrder.Split<Simd256>, PairOrder.Split<Simd128>, PairOrder.Split<SimdScalar>);

    private static readonly Widths<Order> Join = new(
        (source, target, bits, first) => PairOrder.Join<Simd512>(source, target, bits, first),
        (source, target, bits, first) => PairOrder.Join<Simd256>(source, target, bits, first),
        (source, target, bits, first) => PairOrder.Join<Simd128>(source, target, bits, first),
        (source, target, bits, first) => PairOrder.Join<SimdScalar>(source, target, bits, first));

    [Fact]
    public void All_lengths_places_and_widths_give_the_bits_of_a_plain_loop()
    {
        float[] awkward = [0, -0f, float.Epsilon, -float.Epsilon, float.MaxValue, -float.MaxValue, 1, 1, float.BitIncrement(1), -1];
        var source = new FloatSource(7);
        for (int half = 0; half <= 130; half++)
        {
            int firstBit = half * 5 % 19, bytes = (firstBit + half + 7) / 8;
            using GuardedMemory<float> pairs = new(2 * half, half % 2 == 0), ordered = new(2 * half, half % 2 == 1), back = new(2 * half, half % 2 == 0);
            foreach (ref float value in pairs.Span) value = source.Integer(2) == 0 ? source.Next() : awkward[(source.Integer(1000) + 1000) % awkward.Length];
            float[] expected = new float[2 * half];
            byte[] expectedBits = new byte[bytes];
            for (int p = 0; p < half; p++)
            {
                float a = pairs.Span[2 * p], b = pairs.Span[2 * p + 1];
                (expected[p], expected[half + p]) = a < b ? (a, b) : (b, a);
                if (a < b) expectedBits[(firstBit + p) / 8] |= (byte)(1 << (firstBit + p) % 8);
            }

            for (int i = 0; i < 4; i++)
            {
                using var bits = new GuardedMemory<byte>(bytes, half % 2 == 0);
                bits.Span.Clear();
                Split.All[i].Run(pairs.Span, ordered.Span, bits.Span, firstBit);
                FloatBits.AssertEqual(expected, ordered.Span, $"{half} pairs, width {Split.All[i].Name}");
                Assert.Equal(expectedBits, bits.Span.ToArray());
                Join.All[i].Run(ordered.Span, back.Span, bits.Span, firstBit);
                FloatBits.AssertEqual(pairs.Span, back.Span, $"{half} pairs undone, width {Split.All[i].Name}");
            }
        }
    }

    [Fact]
    public void Lengths_are_checked()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => PairOrder.Split(new float[4], new float[6], new byte[1], 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => PairOrder.Split(new float[4], new float[4], new byte[1], 7));
        Assert.Throws<ArgumentOutOfRangeException>(() => PairOrder.Join(new float[4], new float[4], new byte[1], -1));
    }
}
