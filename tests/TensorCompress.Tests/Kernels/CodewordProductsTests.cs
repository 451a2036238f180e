using TensorCompress.Compression;
using TensorCompress.Compression.Qet.Universal;
using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Kernels;

public sealed class CodewordProductsTests
{
    private static readonly Widths<Product> Products = new(
        CodewordProducts.Multiply<Simd512, Codewords512>, CodewordProducts.Multiply<Simd256, Codewords256>, CodewordProducts.Multiply<Simd128, Codewords128>, CodewordProducts.Multiply<SimdScalar, CodewordsScalar>);

    private static readonly Widths<Decoder> Decoders = new(
        CodewordProducts.Decode<Simd512, Codewords512>, CodewordProducts.Decode<Simd256, Codewords256>, CodewordProducts.Decode<Simd128, Codewords128>, CodewordProducts.Decode<SimdScalar, CodewordsScalar>);

    private delegate void Product(CodewordFormat format, ReadOnlySpan<byte> codes, int rowBytes, ReadOnlySpan<float> x, Span<float> destination);

    private delegate void Decoder(CodewordFormat format, ReadOnlySpan<byte> codes, Span<float> destination);

    public static TheoryData<int> Rates() => [.. Enumerable.Range(0, UniversalRate.All.Count)];

    [Theory]
    [MemberData(nameof(Rates))]
    public void All_lengths_agree_with_the_definition_of_words_and_have_the_bits_of_decoded_rows(int rate)
    {
        CodewordFormat format = UniversalRate.All[rate].Format;
        var source = new FloatSource(7 + rate);
        for (int columns = 1; columns <= 257; columns += columns < 70 ? 1 : 11)
        {
            int rows = 1 + columns % 4, segments = (columns + 7) / 8, rowBytes = BitStream.ByteLength(segments, format.Bits), padded = (columns + 15) / 16 * 16;
            bool guardAfter = columns % 3 != 0;
            int read = (rows - 1) * rowBytes + (padded / 16 - 1) * format.Bits / 4 + CodewordProducts.StepReads;
            Assert.True(read <= rows * rowBytes + CodewordProducts.SlackBytes);
            using GuardedMemory<byte> codes = new(read, guardAfter);
            using GuardedMemory<float> x = new(padded, guardAfter), y = new(rows, guardAfter), decoded = new(columns, guardAfter);
            for (int i = 0; i < codes.Length; i++) codes.Span[i] = (byte)source.Integer(1000);
            source.Array(columns).CopyTo(x.Span);
            float[]? products = null;
            foreach ((string width, Product run) in Products.All)
            {
                run(format, codes.Span, rowBytes, x.Span, y.Span);
                for (int row = 0; row < rows; row++)
                {
                    double[] numbers = Numbers(format, codes.Span[(row * rowBytes)..], columns);
                    Assert.Equal(Sum(numbers, x.Span, false), y.Span[row], 1e-6 * Sum(numbers, x.Span, true));
                }

                if (FloatBits.FusedMultiplyAdd) FloatBits.AssertEqual(products ??= y.Span.ToArray(), y.Span, $"{columns} columns, width {width}");
            }

            using Matrix<float> floats = new(rows, padded), input = new(1, padded), results = new(1, rows);
            x.Span.CopyTo(input.Row(0));
            foreach ((string width, Decoder run) in Decoders.All)
            {
                for (int row = 0; row < rows; row++)
                {
                    run(format, codes.Span[(row * rowBytes)..], decoded.Span);
                    Assert.Equal(Numbers(format, codes.Span[(row * rowBytes)..], columns), decoded.Span.ToArray().Select(number => (double)number)); // exact
                    decoded.Span.CopyTo(floats.Row(row));
                }

                DotProducts.Multiply(floats.View, input.View, results.View);
                if (FloatBits.FusedMultiplyAdd) FloatBits.AssertEqual(results.Row(0), products, $"{columns} columns, width {width}");
            }
        }
    }

    [Fact]
    public void Lengths_are_checked_and_other_words_refused()
    {
        CodewordFormat format = UniversalRate.All[1].Format;
        float[] y = new float[2];
        CodewordProducts.Multiply(format, new byte[4 + CodewordProducts.StepReads], 4, new float[16], y);
        Assert.Throws<ArgumentException>(() => CodewordProducts.Multiply(format, new byte[3 + CodewordProducts.StepReads], 4, new float[16], y));
        Assert.Throws<ArgumentOutOfRangeException>(() => CodewordProducts.Multiply(format, new byte[100], 4, new float[15], y));
        Assert.Throws<ArgumentException>(() => CodewordProducts.Decode(format, new byte[3 + CodewordProducts.StepReads], new float[17]));
        CodewordProducts.Decode(format, new byte[4 + CodewordProducts.StepReads], new float[17]);
        Assert.Throws<NotSupportedException>(() => CodewordProducts.Decode(new CodewordFormat(new Codewords(new byte[64], false), null, 0), new byte[100], new float[8]));
    }

    /// <summary>What a row's words say: signs, orders, index, of one stage or two.</summary>
    private static double[] Numbers(CodewordFormat format, ReadOnlySpan<byte> codes, int columns)
    {
        double[] numbers = new double[columns];
        for (int column = 0; column < columns; column++)
        {
            long bit = column / 8 * (long)format.Bits;
            numbers[column] = Number(format.First, BitStream.Read(codes, bit, format.First.Bits), column % 8);
            if (format.Second is { } second) numbers[column] += (double)format.Ratio * Number(second, BitStream.Read(codes, bit + format.First.Bits, second.Bits), column % 8);
        }

        return numbers;
    }

    private static int Number(Codewords codewords, int word, int k)
    {
        int index = word >> (codewords.IsOrdered ? 12 : 8);
        bool isExchanged = codewords.IsOrdered && (word >> (8 + k / 2) & 1) == 0;
        int magnitude = codewords.Magnitudes[index * 8 + (isExchanged ? k ^ 1 : k)];
        return (word >> k & 1) == 1 ? -magnitude : magnitude;
    }

    private static double Sum(double[] numbers, ReadOnlySpan<float> x, bool magnitudes)
    {
        double sum = 0;
        for (int i = 0; i < numbers.Length; i++) sum += magnitudes ? Math.Abs(numbers[i] * x[i]) : numbers[i] * x[i];
        return sum;
    }
}
