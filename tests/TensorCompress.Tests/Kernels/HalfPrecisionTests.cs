using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Kernels;

public class HalfPrecisionTests
{
    private delegate void Widen(ReadOnlySpan<ushort> source, Span<float> destination);

    private delegate void Round(ReadOnlySpan<float> source, Span<ushort> destination);

    [Fact]
    public void Every_half_becomes_the_float_of_the_framework() => CheckWords<HalfFormat>(word => (float)BitConverter.UInt16BitsToHalf(word));

    [Fact]
    public void Every_bfloat16_becomes_its_float() => CheckWords<BfloatFormat>(Bfloat16.ToSingle);

    [Fact]
    public void Floats_round_to_the_half_of_the_framework() => CheckFloats<HalfFormat>(value => BitConverter.HalfToUInt16Bits((Half)value));

    [Fact]
    public void Floats_round_to_the_nearest_bfloat16() => CheckFloats<BfloatFormat>(Bfloat16.FromSingle);

    [Fact]
    public void Lengths_must_be_equal()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => HalfPrecision.Widen<HalfFormat>(new ushort[3], new float[2]));
        Assert.Throws<ArgumentOutOfRangeException>(() => HalfPrecision.Round<HalfFormat>(new float[3], new ushort[2]));
    }

    private static void CheckWords<TFormat>(Func<ushort, float> oracle)
        where TFormat : struct, IHalfFormat
    {
        ushort[] words = [.. Enumerable.Range(0, 1 << 16).Select(word => (ushort)word)];
        float[] expected = [.. words.Select(oracle)], actual = new float[words.Length];
        Widths<Widen> widths = new(
            HalfPrecision.WidenCore<Simd512, TFormat>, HalfPrecision.WidenCore<Simd256, TFormat>, HalfPrecision.WidenCore<Simd128, TFormat>, HalfPrecision.WidenCore<SimdScalar, TFormat>);
        foreach ((string width, Widen run) in widths.All)
        {
            run(words, actual);
            AssertBits(expected, actual, i => $"{words[i]:X4}, width {width}");
            for (int n = 0; n <= 256; n++)
            {
                using GuardedMemory<ushort> source = new(n, guardAfter: n % 4 != 0);
                using GuardedMemory<float> destination = new(n, guardAfter: n % 4 != 0);
                words.AsSpan(1000, n).CopyTo(source.Span);
                run(source.Span, destination.Span);
                AssertBits(expected.AsSpan(1000, n).ToArray(), destination.Span.ToArray(), i => $"element {i} of {n}, width {width}");
            }
        }
    }

    // Both signs of: all floats that end where a half or a bfloat16 is decided, powers of two with their neighbours, NaN with payloads, and random bits.
    private static void CheckFloats<TFormat>(Func<float, ushort> oracle)
        where TFormat : struct, IHalfFormat
    {
        var random = new Random(101);
        var bits = new List<uint>();
        for (uint upper = 0; upper < 1 << 16; upper++) bits.AddRange([upper << 16, (upper << 16) | 0x8000, (upper << 16) | 0x7FFF, (upper << 16) | 0x8001, (upper << 16) | (1u << 12)]);
        for (int i = 0; i < 1 << 18; i++) bits.Add((uint)random.NextInt64(1L << 32));
        for (int i = 0; i < 1 << 17; i++) bits.Add((uint)random.NextInt64(0x33000000, 0x47810000)); // where halves live
        float[] values = [.. bits.Select(BitConverter.UInt32BitsToSingle)];
        ushort[] expected = [.. values.Select(oracle)], actual = new ushort[values.Length];
        Widths<Round> widths = new(
            HalfPrecision.RoundCore<Simd512, TFormat>, HalfPrecision.RoundCore<Simd256, TFormat>, HalfPrecision.RoundCore<Simd128, TFormat>, HalfPrecision.RoundCore<SimdScalar, TFormat>);
        foreach ((string width, Round run) in widths.All)
        {
            run(values, actual);
            for (int i = 0; i < values.Length; i++) Assert.True(actual[i] == expected[i], $"{bits[i]:X8} becomes {actual[i]:X4}, not {expected[i]:X4}, width {width}");
            for (int n = 0; n <= 256; n++)
            {
                using GuardedMemory<float> source = new(n, guardAfter: n % 4 != 0);
                using GuardedMemory<ushort> destination = new(n, guardAfter: n % 4 != 0);
                values.AsSpan(5000, n).CopyTo(source.Span);
                run(source.Span, destination.Span);
                Assert.True(destination.Span.SequenceEqual(expected.AsSpan(5000, n)), $"n = {n}, width {width}");
            }
        }
    }

    private static void AssertBits(float[] expected, float[] actual, Func<int, string> what)
    {
        for (int i = 0; i < expected.Length; i++)
        {
            uint wanted = BitConverter.SingleToUInt32Bits(expected[i]), found = BitConverter.SingleToUInt32Bits(actual[i]);
            if (wanted != found) Assert.Fail($"{what(i)}: {found:X8}, not {wanted:X8}");
        }
    }
}
