using System.Security.Cryptography;
using System.Text.Json.Nodes;
using TensorCompress.Compression;
using TensorCompress.Compression.Qet;
using TensorCompress.Compression.Qet.Universal;
using TensorCompress.Compression.Scalar;
using TensorCompress.Layers;
using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;
using TensorCompress.Threading;
using Xunit.Abstractions;

namespace TensorCompress.Tests.Compression.Qet;

public sealed class UniversalTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData(1.625, 0.20)]
    [InlineData(2.125, 0.0950)]
    [InlineData(2.625, 0.0510)]
    [InlineData(3.125, 0.0260)]
    [InlineData(4.125, 0.0098)]
    [InlineData(5.125, 0.0030)]
    public void Errors_of_normal_numbers_are_small_and_not_below_the_bound_of_Shannon(double bits, double most)
    {
        using Matrix<float> values = RandomMatrices.Gaussian(1024, 128, 4);
        using CompressedWeight weight = Compress(values, new QetMethodOptions(bits, QetForm.Universal));
        double error = SquaredError(values, weight);
        output.WriteLine($"{weight.BitsPerWeight:F3} bits: {error:F4}");
        Assert.True(weight.BitsPerWeight <= bits);
        Assert.True(error <= most, $"{error}");
        Assert.True(error > Math.Pow(2, -2 * weight.BitsPerWeight), $"{error}: bits are missing from the account");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Weights_are_as_large_as_the_codec_takes_or_refused(bool isCalibrated)
    {
        using Matrix<float> inputs = RandomMatrices.Gaussian(200, 64, 4, 1e6), values = RandomMatrices.Gaussian(12, 64, 2, 2e29);
        using LayerStatistics? statistics = isCalibrated ? LayerStatistics.FromActivations(inputs.View) : null;
        for (int k = 0; k < 64; k++) values[3, k] = k % 2 == 0 ? QetCodec.LargestMagnitude : -QetCodec.LargestMagnitude; // its scale is the largest that a file may have
        var context = new CompressionContext { Statistics = statistics };
        using CompressedWeight weight = QetMethod.Instance.Compress(values.View, new QetMethodOptions(3, QetForm.Universal), context);
        using MemoryTensors stored = MemoryTensors.Of("layer", weight);
        using CompressedWeight read = weight.Method.Read(new StoredWeight("layer", 12, 64, JsonNode.Parse(weight.Parameters.ToJsonString())!.AsObject(), stored));
        using Matrix<float> dense = read.ToDense();
        double error = 0, norm = 0;
        for (int i = 0; i < 12 * 64; i++) (error, norm) = (error + Math.Pow((double)values[i / 64, i % 64] - dense[i / 64, i % 64], 2), norm + Math.Pow(values[i / 64, i % 64], 2));
        Assert.InRange(error / norm, 0, 0.1);
        foreach (float large in new[] { 1e37f, 3e38f })
        {
            values[5, 6] = large;
            string refusal = Assert.Throws<ArgumentException>(() => QetMethod.Instance.Compress(values.View, new QetMethodOptions(3, QetForm.Universal), context)).Message;
            Assert.Contains("row 5, column 6", refusal, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Codebooks_are_those_of_the_format()
    {
        string format = Architecture.Repository.Read("docs/format.md");
        foreach (string name in new[] { "Signs16", "Signs256", "Signs4096", "OrderedSigns4096" })
        {
            using Stream stream = typeof(UniversalCodebook).Assembly.GetManifestResourceStream($"TensorCompress.Compression.Qet.Universal.{name}.bin")!;
            Assert.Contains($"| `{name}` | `{Convert.ToHexStringLower(SHA256.HashData(stream))}` |", format, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Words_stand_for_what_the_format_says()
    {
        foreach (UniversalCodebook codebook in new[] { UniversalCodebook.Signs16, UniversalCodebook.Signs256, UniversalCodebook.Signs4096, UniversalCodebook.OrderedSigns4096 })
        {
            var random = new SeededRandom(3);
            float[] decoded = new float[8], numbers = new float[8];
            for (int trial = 0; trial < 200; trial++)
            {
                int word = random.NextInt32(1 << codebook.Bits), index = word >> (codebook.IsOrdered ? 12 : 8);
                System.Runtime.Intrinsics.Vector256.CopyTo(codebook.Decode(index << (codebook.IsOrdered ? 12 : 8) | (codebook.IsOrdered ? 0xF00 : 0)), numbers); // no sign, every pair as it lies
                System.Runtime.Intrinsics.Vector256.CopyTo(codebook.Decode(word), decoded);
                for (int k = 0; k < 8; k++)
                {
                    bool isExchanged = codebook.IsOrdered && (word >> (8 + k / 2) & 1) == 0;
                    float magnitude = numbers[isExchanged ? k ^ 1 : k];
                    Assert.True(magnitude >= 0 && magnitude == MathF.Round(magnitude));
                    Assert.Equal((word >> k & 1) == 1 ? -magnitude : magnitude, decoded[k]);
                }

                // Nothing of the codebook is nearer to a vector than what encoding finds.
                float[] x = [.. decoded.Select(number => number / 64 + 0.05f * (float)random.NextGaussian())], found = new float[8];
                System.Runtime.Intrinsics.Vector256.CopyTo(codebook.Decode(codebook.Encode(x)), found);
                Assert.True(Distance(x, found) <= Distance(x, decoded) + 1e-6);
            }
        }

        static double Distance(float[] x, float[] steps) => x.Zip(steps, (value, step) => Math.Pow(value - step / 64.0, 2)).Sum();
    }

    [Theory]
    [InlineData(1, 5)]
    [InlineData(8, 24)]
    [InlineData(256, 512)]
    public void Rotations_keep_lengths_and_are_undone(int width, int columns)
    {
        using Matrix<float> values = RandomMatrices.Gaussian(1, columns, 5);
        double[] row = [.. values.Row(0).ToArray().Select(value => (double)value)], before = [.. row];
        BlockHadamard.Rotate<double>(row, width);
        Assert.Equal(before.Sum(x => x * x), row.Sum(x => x * x), 1e-9);
        for (int i = 0; i < columns && width > 1; i += 7)
        {
            int block = i / width * width; // Sylvester: the sign of entry (i, j) is the parity of the bits that i and j share
            double expected = Enumerable.Range(0, width).Sum(j => before[block + j] * (BlockHadamard.IsNegative(block + j) ? -1 : 1) * (int.PopCount((i - block) & j) % 2 == 0 ? 1 : -1)) / Math.Sqrt(width);
            Assert.Equal(expected, row[i], 1e-9);
        }

        BlockHadamard.Undo<double>(row, width);
        for (int i = 0; i < columns; i++) Assert.Equal(before[i], row[i], 1e-12);
    }

    [Fact]
    public void The_budget_is_used_and_never_exceeded()
    {
        var random = new SeededRandom(11);
        for (int trial = 0; trial < 60; trial++)
        {
            int rows = 8 + random.NextInt32(40), columns = 24 + random.NextInt32(60);
            double bits = 2.7 + 2 * random.NextDouble();
            using Matrix<float> values = RandomMatrices.Gaussian(rows, columns, (ulong)trial);
            for (int column = 0; column < columns; column++) values[0, column] *= 20; // a row that is worth more bits
            using CompressedWeight weight = Compress(values, new QetMethodOptions(bits, QetForm.Universal));
            Assert.True(weight.BitsPerWeight <= bits, $"{rows} x {columns}: {weight.BitsPerWeight} of {bits}");
            Assert.True(weight.BitsPerWeight > bits - 1, $"{rows} x {columns}: {weight.BitsPerWeight} of {bits}");
        }

        using Matrix<float> small = RandomMatrices.Gaussian(8, 64, 2);
        string refusal = Assert.Throws<ArgumentException>(() => Compress(small, new QetMethodOptions(1.2, QetForm.Universal))).Message;
        Assert.Contains("the least is 1.75", refusal, StringComparison.Ordinal);
        using CompressedWeight least = Compress(small, new QetMethodOptions(1.75, QetForm.Universal));
        Assert.Equal(1.75, least.BitsPerWeight);
    }

    [Theory]
    [InlineData(1e-6f)]
    [InlineData(1e6f)]
    public void Scales_beyond_half_precision_are_floats(float factor)
    {
        using Matrix<float> values = RandomMatrices.Gaussian(64, 64, 2), scaled = new(64, 64);
        for (int i = 0; i < 64 * 64; i++) scaled[i / 64, i % 64] = values[i / 64, i % 64] * factor;
        using CompressedWeight weight = Compress(scaled, new QetMethodOptions(3, QetForm.Universal));
        Assert.InRange(SquaredError(scaled, weight), 0.01, 0.06);
    }

    [Theory]
    [InlineData(2, 2.3125)]
    [InlineData(3, 3.3125)]
    public void With_calibration_outputs_are_nearer_than_those_of_scalars_with_as_many_bits(int codeBits, double bits)
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(96, 128, 5), factors = RandomMatrices.Gaussian(900, 24, 6), mixing = RandomMatrices.Gaussian(24, 128, 7), inputs = RandomMatrices.Gaussian(900, 128, 8);
        MatrixProduct.Multiply(factors, mixing, inputs.View, 1, 0.7f);
        using LayerStatistics seen = LayerStatistics.FromActivations(inputs.RowRange(0, 600)), held = LayerStatistics.FromActivations(inputs.RowRange(600, 300));
        double OutputError(MethodOptions options, LayerStatistics? statistics)
        {
            using CompressedWeight weight = options.Method.Compress(weights.View, options, new CompressionContext { Statistics = statistics });
            Assert.True(weight.BitsPerWeight <= bits + 1e-9, $"{weight.BitsPerWeight}");
            using Matrix<float> dense = weight.ToDense();
            return held.OutputError(weights.View, dense.View);
        }

        double fitted = OutputError(new QetMethodOptions(bits), seen), plain = OutputError(new QetMethodOptions(bits, QetForm.Universal), null), scalar = OutputError(new ScalarOptions(codeBits), seen);
        output.WriteLine($"{fitted:F4}, without statistics {plain:F4}, scalars {scalar:F4}");
        Assert.True(fitted < 0.85 * plain, $"{fitted} and {plain}");
        Assert.True(fitted < 0.97 * scalar, $"{fitted} and {scalar}");
    }

    [Theory]
    [InlineData(2.28, 576)]
    [InlineData(3.3, 320)]
    [InlineData(4.6, 576)]
    [InlineData(2.4, 40)]
    [InlineData(2.28, 2600)] // three spans
    public void Products_have_the_bits_of_a_token_alone_and_are_near_those_of_floats(double bits, int columns)
    {
        const int Rows = 93, Tokens = 19;
        var source = new FloatSource(41);
        using Matrix<float> weights = new(Rows, columns, source.Array(Rows * columns)), x = new(Tokens, columns, source.Array(Tokens * columns)), dense = new(Rows, columns);
        for (int row = 0; row < Rows; row++) weights.Row(row)[0] *= row; // rows of several rates
        using CompressedWeight weight = QetMethod.Instance.Compress(weights.View, new QetMethodOptions(bits, QetForm.Universal), new CompressionContext());
        weight.ToDense(dense.View);
        float[]? exact = null;
        foreach (RuntimeOptions options in new[] { RuntimeOptions.Exact, RuntimeOptions.Default })
        {
            using LinearLayer layer = weight.CreateLayer(options);
            float[]? together = null;
            foreach (int threads in new[] { 1, 3 })
            {
                using var pool = new ComputePool(threads);
                using var context = new ComputeContext(pool);
                using Matrix<float> y = new(Tokens, Rows), alone = new(Tokens, Rows);
                layer.Forward(new ActivationBatch(x.View), y.View, context);
                for (int token = 0; token < Tokens; token++) layer.Forward(new ActivationBatch(x.RowRange(token, 1)), alone.RowRange(token, 1), context);
                FloatBits.AssertEqual(together ??= y.RowSpan(0, Tokens).ToArray(), y.RowSpan(0, Tokens), $"{threads} threads");
                FloatBits.AssertEqual(together, alone.RowSpan(0, Tokens), $"{threads} threads, alone");
            }

            exact ??= together;
            double error = together!.Zip(exact!, (a, b) => Math.Pow(a - b, 2)).Sum(), total = exact!.Sum(b => (double)b * b);
            Assert.InRange(Math.Sqrt(error / total), 0, 0.015);
            if (options == RuntimeOptions.Default && bits < 4) Assert.NotEqual(0, error); // rows of two words stay with floats
        }

        using LinearLayer rows = weight.CreateLayer();
        float[] one = new float[columns];
        for (int row = 0; row < Rows; row++)
        {
            rows.DecodeRow(row, one);
            FloatBits.AssertEqual(dense.Row(row), one, $"row {row}"); // in whatever order they lie in memory
        }

        for (int token = 0; token < Tokens; token++)
        {
            double sum = 0, size = 0;
            for (int k = 0; k < columns; k++)
            {
                sum += (double)dense[40, k] * x[token, k];
                size += Math.Abs((double)dense[40, k] * x[token, k]);
            }

            Assert.Equal(sum, exact![token * Rows + 40], 1e-5 * size);
        }
    }

    [Fact]
    public void Bytes_do_not_depend_on_threads()
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(70, 64, 5), inputs = RandomMatrices.Gaussian(200, 64, 6);
        using LayerStatistics statistics = LayerStatistics.FromActivations(inputs.View);
        using var one = new ComputePool(1);
        using var three = new ComputePool(3);
        byte[] Bytes(ComputePool pool)
        {
            using CompressedWeight weight = QetMethod.Instance.Compress(weights.View, new QetMethodOptions(2.7), new CompressionContext { Statistics = statistics, Pool = pool });
            using var stream = new MemoryStream();
            foreach (WeightPart part in weight.Parts) part.Write(stream);
            return stream.ToArray();
        }

        Assert.Equal(Bytes(one), Bytes(three));
    }

    [Theory]
    [InlineData("qet:bits=2.5")]
    [InlineData("qet:bits=2.5:form=universal")]
    [InlineData("qet:bits=3:form=fitted")]
    [InlineData("qet:bits=3:rotation=64")]
    [InlineData("qet:bits=2:subspaces=4:layers=3,0:shares=0.7,0.3:codebook-bits=10:iterations=20")]
    [InlineData("qet:bits=2:subspaces=8:layers=1:shares=1:codebook-bits=6:grid-per-group=true:iterations=5")]
    [InlineData("qet:bits=2:subspaces=8:layers=0,0:shares=0.5,0.5:codebook-bits=6:iterations=5:beam=8:rotate=hadamard")]
    [InlineData("qet:bits=2:subspaces=8:layers=0:shares=1:codebook-bits=6:iterations=5:rotate=learnt")]
    [InlineData("qet:bits=2.5:entropy-coding=true")]
    [InlineData("qet:bits=2:subspaces=8:layers=0:shares=1:codebook-bits=6:iterations=5:rotate=learnt:entropy-coding=true")]
    public void Options_are_read_as_they_are_written(string text) => Assert.Equal(text, CompressionMethods.ParseOptions(text).ToText());

    [Theory]
    [InlineData("qet:bits=0")]
    [InlineData("qet:form=other")]
    [InlineData("qet:rotation=3")]
    [InlineData("qet:form=fitted:rotation=8")]
    [InlineData("qet:layers=3,0")]
    [InlineData("qet:beam=4")]
    [InlineData("qet:entropy-coding=yes")]
    [InlineData("qet:subspaces=4:beam=65")]
    [InlineData("qet:subspaces=4:rotate=other")]
    [InlineData("qet:subspaces=4:form=universal")]
    [InlineData("qet:subspaces=4:layers=1,2,3:shares=0.5,0.5")]
    public void Options_that_do_not_fit_are_refused(string text) => Assert.ThrowsAny<ArgumentException>(() => CompressionMethods.ParseOptions(text));

    private static CompressedWeight Compress(Matrix<float> values, QetMethodOptions options) => options.Method.Compress(values.View, options, new CompressionContext());

    private static double SquaredError(Matrix<float> values, CompressedWeight weight)
    {
        using Matrix<float> dense = weight.ToDense();
        return Math.Pow(MatrixOracle.RelativeError(values.View, dense.View), 2);
    }
}
