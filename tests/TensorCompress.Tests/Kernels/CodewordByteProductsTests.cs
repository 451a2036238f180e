using TensorCompress.Compression;
using TensorCompress.Compression.Qet.Universal;
using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Kernels;

public sealed class CodewordByteProductsTests
{
    private static readonly (string Name, Product Run)[] Products =
        [("scalar", CodewordByteProducts.Scalar), ("128", CodewordByteProducts.Multiply<Words128>), ("256", CodewordByteProducts.Multiply<Words256>), ("chosen", CodewordByteProducts.Multiply)];

    private static readonly (string Name, Decoder Run)[] Decoders =
        [("scalar", CodewordByteProducts.ScalarDecode), ("128", CodewordByteProducts.Decode<Words128>), ("256", CodewordByteProducts.Decode<Words256>), ("chosen", CodewordByteProducts.Decode)];

    private delegate void Decoder(CodewordFormat format, ReadOnlySpan<byte> codes, Span<short> destination);

    private delegate void Product(CodewordFormat format, ReadOnlySpan<byte> codes, int rowBytes, ReadOnlySpan<sbyte> x, ReadOnlySpan<float> scales, Span<float> destination);

    public static TheoryData<int> Rates() => [.. Enumerable.Range(0, UniversalRate.All.Count).Where(rate => CodewordByteProducts.Takes(UniversalRate.All[rate].Format))];

    [Theory]
    [MemberData(nameof(Rates))]
    public void All_lengths_agree_with_the_definition_of_words_and_have_the_same_bits_at_every_width(int rate)
    {
        CodewordFormat format = UniversalRate.All[rate].Format;
        var source = new FloatSource(17 + rate);
        foreach (int columns in Enumerable.Range(1, 70).Concat([127, 128, 129, 255, 256, 257, 300, 1023, 1024, 1025, 2100]))
        {
            int rows = 1 + columns % 6, segments = (columns + 7) / 8, rowBytes = BitStream.ByteLength(segments, format.Bits), padded = (columns + 31) / 32 * 32, spans = CodewordByteProducts.Spans(padded);
            int read = (rows - 1) * rowBytes + (padded / 32 - 1) * format.Bits / 2 + CodewordByteProducts.StepReads(format);
            Assert.True(read <= rows * rowBytes + CodewordProducts.SlackBytes);
            bool guardAfter = columns % 3 != 0;
            using GuardedMemory<byte> codes = new(read, guardAfter);
            using GuardedMemory<sbyte> x = new(padded, guardAfter);
            using GuardedMemory<float> scales = new(spans, guardAfter), y = new(rows, guardAfter);
            using GuardedMemory<short> decoded = new(padded, guardAfter);
            for (int i = 0; i < codes.Length; i++) codes.Span[i] = (byte)source.Integer(1000);
            for (int i = 0; i < columns; i++) x.Span[i] = (sbyte)source.Integer(92);
            source.Array(spans).CopyTo(scales.Span);
            float[]? products = null;
            foreach ((string name, Product run) in Products)
            {
                y.Span.Fill(float.NaN);
                run(format, codes.Span, rowBytes, x.Span, scales.Span, y.Span);
                for (int row = 0; row < rows; row++)
                {
                    (double sum, double size) = Sum(format, codes.Span[(row * rowBytes)..], x.Span[..columns], scales.Span);
                    Assert.Equal(sum, y.Span[row], 1e-6 * size);
                }

                FloatBits.AssertEqual(products ??= y.Span.ToArray(), y.Span, $"{columns} columns, {name}");
            }

            foreach ((string name, Decoder run) in Decoders)
            {
                decoded.Span.Fill(-1000);
                run(format, codes.Span, decoded.Span);
                for (int column = 0; column < columns; column++) Assert.True(Number(format.First, codes.Span, column) == decoded.Span[column], $"column {column} of {columns}, {name}");
            }
        }
    }

    [Theory]
    [InlineData(92)]
    [InlineData(-92)]
    public void Sums_are_exact_at_the_extremes(int activation)
    {
        byte[] magnitudes = [.. Enumerable.Range(0, 16 * 8).Select(i => (byte)(i % 2 == 0 ? 101 : 255))]; // 356 x 92 = 32752, beside 32767
        const int Columns = 2080;
        var format = new CodewordFormat(new Codewords(magnitudes, false), null, 0);
        Assert.True(356 * 92 * (CodewordByteProducts.SpanColumns / 2) < 1 << 24);
        foreach (byte signs in new byte[] { 0, 255 })
        {
            byte[] codes = new byte[Columns / 8 * 3 / 2 + CodewordProducts.SlackBytes];
            for (int segment = 0; segment < Columns / 8; segment++) BitStream.Write(codes, segment * 12L, signs);
            sbyte[] x = [.. Enumerable.Repeat((sbyte)activation, Columns)];
            float[] ones = [1, 1, 1], y = new float[1];
            foreach ((string name, Product run) in Products)
            {
                run(format, codes, codes.Length, x, ones, y);
                Assert.True(y[0] == (signs == 0 ? 1 : -1) * activation * 356f * (Columns / 2), name);
            }
        }
    }

    [Fact]
    public void Products_with_the_codebooks_of_the_library_fit() =>
        Assert.All(UniversalRate.All, rate => Assert.All(rate.First.Codewords.Magnitudes.Chunk(2), pair => Assert.InRange(pair[0] + pair[1], 0, short.MaxValue / 92)));

    [Fact]
    public void Activations_are_rounded_to_the_nearest_code_and_what_is_not_finite_spoils_its_span()
    {
        float[] values = new FloatSource(5).Array(2304);
        values.AsSpan(1024, 1024).Clear();
        sbyte[] codes = new sbyte[2304];
        float[] scales = new float[3];
        CodewordByteProducts.Quantize(values, codes, scales);
        Assert.Equal(0, scales[1]);
        for (int i = 0; i < values.Length; i++) Assert.Equal(values[i], codes[i] * scales[i / 1024], scales[i / 1024] * 0.5001f);
        Assert.Equal(92, codes.Max(code => Math.Abs((int)code)));
        values.AsSpan().Fill(float.MaxValue);
        CodewordByteProducts.Quantize(values, codes, scales);
        Assert.All(codes, code => Assert.Equal(92, code));
        Assert.All(scales, scale => Assert.True(float.IsFinite(scale)));
        foreach (float broken in new[] { float.NaN, float.PositiveInfinity, float.NegativeInfinity })
        {
            values[2300] = broken;
            CodewordByteProducts.Quantize(values, codes, scales);
            Assert.True(float.IsFinite(scales[0]) && float.IsNaN(scales[2]));
        }
    }

    [Fact]
    public void Lengths_are_checked_and_other_words_refused()
    {
        CodewordFormat format = UniversalRate.All[1].Format;
        int reads = CodewordByteProducts.StepReads(format);
        float[] y = new float[2], scale = new float[1];
        CodewordByteProducts.Multiply(format, new byte[8 + reads], 8, new sbyte[32], scale, y);
        Assert.Throws<ArgumentException>(() => CodewordByteProducts.Multiply(format, new byte[7 + reads], 8, new sbyte[32], scale, y));
        Assert.Throws<ArgumentOutOfRangeException>(() => CodewordByteProducts.Multiply(format, new byte[100], 8, new sbyte[16], scale, y));
        Assert.Throws<ArgumentOutOfRangeException>(() => CodewordByteProducts.Quantize(new float[31], new sbyte[31], scale));
        Assert.Throws<ArgumentOutOfRangeException>(() => CodewordByteProducts.Quantize(new float[32], new sbyte[32], new float[2]));
        Assert.Throws<ArgumentException>(() => CodewordByteProducts.Decode(format, new byte[reads - 1], new short[32]));
        Assert.False(CodewordByteProducts.Takes(UniversalRate.All[4].Format));
        var unknown = new CodewordFormat(new Codewords(new byte[64], false), null, 0);
        if (SimdLevel.Active != SimdWidth.Scalar) Assert.Throws<NotSupportedException>(() => CodewordByteProducts.Decode(unknown, new byte[100], new short[32]));
    }

    [Theory]
    [MemberData(nameof(Rates))]
    public void Decoded_integers_have_the_products_of_words(int rate)
    {
        CodewordFormat format = UniversalRate.All[rate].Format;
        var source = new FloatSource(29 + rate);
        const int Columns = CodewordByteProducts.SpanColumns;
        byte[] codes = new byte[BitStream.ByteLength(Columns / 8, format.Bits) + CodewordProducts.SlackBytes];
        for (int i = 0; i < codes.Length; i++) codes[i] = (byte)source.Integer(1000);
        using Matrix<float> row = new(1, Columns / 2), input = new(1, Columns / 4), scale = new(1, 1, [0.37f]), sum = new(1, 1);
        IntegerRows<short> weights = new(row.View);
        IntegerRows<sbyte> x = new(input.View);
        foreach (ref sbyte code in x.Row(0)) code = (sbyte)(source.Integer(2) == 0 ? 92 : -92);
        CodewordByteProducts.Decode(format, codes, weights.Row(0));
        IntegerDots.Add(weights, x, scale.View, sum.View);
        float[] y = new float[1];
        CodewordByteProducts.Multiply(format, codes, 0, x.Row(0), [0.37f], y);
        Assert.Equal(sum[0, 0], y[0]);
    }

    private static (double Sum, double Size) Sum(CodewordFormat format, ReadOnlySpan<byte> codes, ReadOnlySpan<sbyte> x, ReadOnlySpan<float> scales)
    {
        double sum = 0, size = 0;
        for (int column = 0; column < x.Length; column++)
        {
            double term = Number(format.First, codes, column) * x[column] * (double)scales[column / CodewordByteProducts.SpanColumns];
            sum += term;
            size += Math.Abs(term);
        }

        return (sum, size);
    }

    private static int Number(Codewords codewords, ReadOnlySpan<byte> codes, int column)
    {
        long bit = column / 8 * (long)codewords.Bits;
        int word = BitStream.Read(codes, bit, codewords.Bits), k = column % 8;
        bool isExchanged = codewords.IsOrdered && (word >> (8 + k / 2) & 1) == 0;
        int magnitude = codewords.Magnitudes[(word >> (codewords.IsOrdered ? 12 : 8)) * 8 + (isExchanged ? k ^ 1 : k)];
        return (word >> k & 1) == 1 ? -magnitude : magnitude;
    }
}
