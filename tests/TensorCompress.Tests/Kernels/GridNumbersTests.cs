using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Kernels;

public sealed class GridNumbersTests
{
    private static readonly Widths<Decoder<ushort>> Words = new(GridNumbers.Decode<Simd512>, GridNumbers.Decode<Simd256>, GridNumbers.Decode<Simd128>, GridNumbers.Decode<SimdScalar>);

    private static readonly Widths<Decoder<sbyte>> Bytes = new(GridNumbers.Decode<Simd512>, GridNumbers.Decode<Simd256>, GridNumbers.Decode<Simd128>, GridNumbers.Decode<SimdScalar>);

    private delegate void Decoder<T>(ReadOnlySpan<T> q, float least, float step, Span<float> destination);

    [Fact]
    public void Every_place_has_its_number_at_every_length_and_width()
    {
        const float Least = -1.37f, Step = 0.0123f;
        for (int length = 0; length <= 70; length++)
        {
            bool guardAfter = length % 2 == 0;
            using GuardedMemory<ushort> words = new(length, guardAfter);
            using GuardedMemory<sbyte> bytes = new(length, guardAfter);
            using GuardedMemory<float> numbers = new(length, guardAfter);
            for (int i = 0; i < length; i++) (words.Span[i], bytes.Span[i]) = ((ushort)(i * 9973 % 65536), (sbyte)(i * 37 % 256 - 128));
            foreach ((string width, Decoder<ushort> decode) in Words.All)
            {
                decode(words.Span, Least, Step, numbers.Span);
                for (int i = 0; i < length; i++) Assert.Equal((double)Least + words.Span[i] * (double)Step, numbers.Span[i], 1e-4);
                if (FloatBits.FusedMultiplyAdd) FloatBits.AssertEqual([.. Enumerable.Range(0, length).Select(i => MathF.FusedMultiplyAdd(words.Span[i], Step, Least))], numbers.Span, width);
            }

            foreach ((string width, Decoder<sbyte> decode) in Bytes.All)
            {
                decode(bytes.Span, Least, Step, numbers.Span);
                for (int i = 0; i < length; i++) Assert.Equal((double)Least + (bytes.Span[i] + 128) * (double)Step, numbers.Span[i], 1e-5);
                if (FloatBits.FusedMultiplyAdd) FloatBits.AssertEqual([.. Enumerable.Range(0, length).Select(i => MathF.FusedMultiplyAdd(bytes.Span[i] + 128, Step, Least))], numbers.Span, width);
            }
        }
    }

    [Fact]
    public void Other_lengths_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => GridNumbers.Decode(new ushort[3], 0, 1, new float[4]));
        Assert.Throws<ArgumentOutOfRangeException>(() => GridNumbers.Decode(new sbyte[3], 0, 1, new float[2]));
    }
}
