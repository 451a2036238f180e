using FsCheck;
using FsCheck.Fluent;
using TensorCompress.Compression;
using TensorCompress.Compression.Scalar;
using TensorCompress.Layers;
using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;
using TensorCompress.Threading;

namespace TensorCompress.Tests.Compression.Scalar;

public sealed class ScalarQuantizerTests
{
    /// <summary>Bits, group, symmetric, type of scales.</summary>
    public static TheoryData<int, int, bool, ElementType> Settings()
    {
        var data = new TheoryData<int, int, bool, ElementType>();
        for (int bits = 2; bits <= 8; bits++)
        {
            foreach (int group in new[] { 1, 5, 16, 32, 64, 1000 })
            {
                foreach (bool symmetric in new[] { false, true })
                {
                    data.Add(bits, group, symmetric, ElementType.F16);
                    data.Add(bits, group, symmetric, ElementType.F32);
                }
            }
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Settings))]
    public void Decoded_weights_are_at_most_half_a_step_away(int bits, int group, bool symmetric, ElementType scales)
    {
        var options = new ScalarOptions(bits, group, symmetric, scales);
        foreach (int columns in new[] { 1, 7, 64, 65, 131 })
        {
            using Matrix<float> weights = RandomMatrices.Gaussian(9, columns, (ulong)columns);
            using QuantizedRows rows = ScalarQuantizer.Quantize(weights.View, options, ComputePool.Shared);
            var decoded = new float[columns];
            for (int row = 0; row < 9; row++)
            {
                rows.DecodeRow(row, decoded);
                for (int i = 0; i < columns; i++)
                {
                    // The group's own step, from the formula; the rounded scale may cut off a little of the range's end: 2^-11 of it for F16, 2^-16 for F32.
                    int start = i / group * group, end = Math.Min(start + group, columns);
                    ReadOnlySpan<float> members = weights.Row(row)[start..end];
                    double low = 0, high = 0;
                    foreach (float member in members)
                    {
                        low = Math.Min(low, member);
                        high = Math.Max(high, member);
                    }

                    double step = symmetric ? Math.Max(high, -low) / ((1 << (bits - 1)) - 1) : (high - low) / ((1 << bits) - 1);
                    double slack = (scales == ElementType.F16 ? Math.Pow(2, -11) : Math.Pow(2, -16)) * (1 << bits);
                    double coarse = scales == ElementType.F16 ? Math.Pow(2, -24) * (1 << bits) : 0; // F16 scales below 2^-14 have fewer bits
                    Assert.InRange(Math.Abs(decoded[i] - weights[row, i]), 0, step * (0.5 + slack) + coarse);
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Settings))]
    public void Quantising_what_was_decoded_gives_the_same_codes(int bits, int group, bool symmetric, ElementType scales)
    {
        var options = new ScalarOptions(bits, group, symmetric, scales);
        for (ulong seed = 1; seed <= 20; seed++)
        {
            using Matrix<float> weights = RandomMatrices.Gaussian(40, 77, seed, 0.05);
            using QuantizedRows first = ScalarQuantizer.Quantize(weights.View, options, ComputePool.Shared);
            using Matrix<float> decoded = Decode(first);
            using QuantizedRows second = ScalarQuantizer.Quantize(decoded.View, options, ComputePool.Shared);
            AssertSame(first.Codes, second.Codes);
            AssertSame(first.Scales, second.Scales);
            if (!symmetric) AssertSame(first.Zeros!, second.Zeros!);
        }
    }

    [Theory]
    [MemberData(nameof(Settings))]
    public void A_power_of_two_changes_the_scales_only(int bits, int group, bool symmetric, ElementType scales)
    {
        var options = new ScalarOptions(bits, group, symmetric, scales);
        using Matrix<float> gaussian = RandomMatrices.Gaussian(8, 50), weights = RandomMatrices.Make(8, 50, (i, j) => gaussian[i, j] + 16.0 * Math.Sign(gaussian[i, j])), scaled = RandomMatrices.Make(8, 50, (i, j) => weights[i, j] * 8);
        using QuantizedRows plain = ScalarQuantizer.Quantize(weights.View, options, ComputePool.Shared), large = ScalarQuantizer.Quantize(scaled.View, options, ComputePool.Shared);
        AssertSame(plain.Codes, large.Codes);
        for (int row = 0; row < 8; row++)
        {
            for (int g = 0; g < QuantizedRows.GroupCount(50, plain.Options.Group); g++)
            {
                Assert.Equal(8 * plain.Scale(row, g), large.Scale(row, g));
                Assert.Equal(plain.Zero(row, g), large.Zero(row, g));
            }
        }
    }

    [Fact]
    public void Permuted_rows_give_permuted_codes()
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(11, 70), permuted = RandomMatrices.Make(11, 70, (i, j) => weights[i * 3 % 11, j]);
        using QuantizedRows plain = ScalarQuantizer.Quantize(weights.View, new ScalarOptions(3), ComputePool.Shared), moved = ScalarQuantizer.Quantize(permuted.View, new ScalarOptions(3), ComputePool.Shared);
        for (int row = 0; row < 11; row++) Assert.True(moved.Codes.Row(row).SequenceEqual(plain.Codes.Row(row * 3 % 11)));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void More_bits_or_smaller_groups_do_not_make_the_error_larger(bool symmetric)
    {
        for (ulong seed = 0; seed < 200; seed++)
        {
            using Matrix<float> weights = RandomMatrices.Gaussian(16, 128, seed);
            double[] byBits = [.. Enumerable.Range(2, 7).Select(bits => Error(weights, new ScalarOptions(bits, 64, symmetric)))];
            Assert.All(byBits.Zip(byBits.Skip(1)), pair => Assert.True(pair.Second <= pair.First * 1.01));
            double[] byGroup = [.. new[] { 128, 64, 32, 16 }.Select(group => Error(weights, new ScalarOptions(4, group, symmetric)))];
            Assert.All(byGroup.Zip(byGroup.Skip(1)), pair => Assert.True(pair.Second <= pair.First * 1.01));
        }
    }

    [Theory]
    [MemberData(nameof(Settings))]
    public void Zero_constant_two_valued_and_tiny_groups_are_safe(int bits, int group, bool symmetric, ElementType scales)
    {
        var options = new ScalarOptions(bits, group, symmetric, scales);
        using Matrix<float> weights = RandomMatrices.Make(7, 40, (i, j) => i switch
        {
            0 => 0,
            1 => 0.37,
            2 => -2.5,
            3 => j % 2 == 0 ? -1 : 1,
            4 => 1e-45 * (j % 3),
            5 => 6e-8 * (j % 2 == 0 ? 1 : -1),
            _ => j == 20 ? 1000 : 1e-3,
        });
        using QuantizedRows rows = ScalarQuantizer.Quantize(weights.View, options, ComputePool.Shared);
        using Matrix<float> decoded = Decode(rows);
        int levels = symmetric ? (1 << (bits - 1)) - 1 : (1 << bits) - 1;
        for (int row = 0; row < 7; row++)
        {
            for (int i = 0; i < 40; i++)
            {
                double low = Math.Min(0, weights.Row(row).ToArray().Min()), high = Math.Max(0, weights.Row(row).ToArray().Max());
                double range = symmetric ? Math.Max(high, -low) : high - low, step = row == 0 ? 0 : Math.Max(range / levels, 6e-8);
                Assert.True(Math.Abs(decoded[row, i] - weights[row, i]) <= step * 1.01, $"row {row}, column {i}: {weights[row, i]} became {decoded[row, i]}");
            }
        }
    }

    [Fact]
    public void An_outlier_beyond_F16_scales_asks_for_F32()
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(4, 64, 1, 1e-3);
        weights[2, 9] = 1e30f;
        var fault = Assert.Throws<ArgumentException>(() => ScalarQuantizer.Quantize(weights.View, new ScalarOptions(), ComputePool.Shared));
        Assert.Contains("--scales f32", fault.Message, StringComparison.Ordinal);
        using QuantizedRows rows = ScalarQuantizer.Quantize(weights.View, new ScalarOptions(scales: ElementType.F32), ComputePool.Shared);
        var decoded = new float[64];
        rows.DecodeRow(2, decoded);
        Assert.All(decoded, value => Assert.True(float.IsFinite(value)));
        Assert.Equal(1e30, decoded[9], 1e26);
    }

    [Theory]
    [InlineData(1, 64)]
    [InlineData(9, 64)]
    [InlineData(4, 0)]
    [InlineData(4, -1)]
    public void Options_out_of_range_are_refused(int bits, int group) => Assert.Throws<ArgumentOutOfRangeException>(() => new ScalarOptions(bits, group));

    [Fact]
    public void Option_values_are_read_and_refused_by_name()
    {
        static MethodOptions Parse(params (string Name, string Value)[] values) => ScalarMethod.Instance.ParseOptions(values.ToDictionary(v => v.Name, v => v.Value));
        Assert.Equal(new ScalarOptions(4, 64, false, ElementType.F16), Parse());
        Assert.Equal(new ScalarOptions(3, 32, true, ElementType.F32), Parse(("bits", "3"), ("group", "32"), ("symmetric", ""), ("scales", "f32")));
        Assert.Throws<ArgumentException>(() => Parse(("bits", "many")));
        Assert.Throws<ArgumentOutOfRangeException>(() => Parse(("bits", "1")));
        Assert.Throws<ArgumentException>(() => Parse(("symmetric", "perhaps")));
        Assert.Throws<ArgumentException>(() => Parse(("scales", "bf16")));
        Assert.Throws<ArgumentException>(() => new ScalarOptions(scales: ElementType.BF16));
    }

    [Fact]
    public void Stored_bits_are_code_bits_plus_scale_and_zero()
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(16, 256);
        using CompressedWeight weight = ScalarMethod.Instance.Compress(weights.View, new ScalarOptions(4, 64), new CompressionContext());
        Assert.Equal(4 + (16 + 4) / 64.0, weight.BitsPerWeight);
    }

    [Fact]
    public void One_flipped_code_bit_changes_the_product()
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(8, 64);
        using CompressedWeight weight = ScalarMethod.Instance.Compress(weights.View, new ScalarOptions(), new CompressionContext());
        using MemoryTensors stored = MemoryTensors.Of("layer", weight);
        stored.Bytes["layer.scalar.codes"][70] ^= 0x10;
        using CompressedWeight damaged = ScalarMethod.Instance.Read(new StoredWeight("layer", 8, 64, weight.Parameters, stored));
        using Matrix<float> a = weight.ToDense(), b = damaged.ToDense();
        Assert.True(MatrixOracle.RelativeError(a.View, b.View) > 1e-3);
    }

    [Fact]
    public void Packed_codes_come_back_for_every_width_and_length()
    {
        Prop.ForAll(
            ArbMap.Default.ArbFor<ulong>(),
            Gen.Choose(2, 8).ToArbitrary(),
            Gen.Choose(0, 100).ToArbitrary(),
            (seed, bits, count) =>
            {
                var random = new SeededRandom(seed);
                int[] codes = [.. Enumerable.Range(0, count).Select(_ => random.NextInt32(1 << bits))];
                var row = new byte[BitStream.ByteLength(count, bits)];
                for (int i = 0; i < count; i++) BitStream.Write(row, (long)i * bits, codes[i]);
                // The definition: code i takes the bits i b to i b + b - 1, least significant first.
                bool asDefined = Enumerable.Range(0, count * bits).All(bit => (row[bit / 8] >> (bit % 8) & 1) == (codes[bit / bits] >> (bit % bits) & 1));
                return asDefined && Enumerable.Range(0, count).All(i => BitStream.Read(row, (long)i * bits, bits) == codes[i]);
            }).Check(Config.QuickThrowOnFailure.WithMaxTest(300).WithReplay(2026, 11));
    }

    [Fact]
    public void Layers_from_spans_use_the_options()
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(4, 32);
        float[] values = [.. Enumerable.Range(0, 4).SelectMany(row => weights.Row(row).ToArray())];
        using LinearLayer coarse = ScalarLayer.FromDense(values, 4, 32, bits: 2), fine = ScalarLayer.FromDense(values, 4, 32, new ScalarOptions(8, 16));
        var row = new float[32];
        fine.DecodeRow(1, row);
        Assert.Equal(values[33], row[1], 0.02);
        Assert.True(coarse.ResidentBytes < fine.ResidentBytes);
        Assert.Throws<ArgumentException>(() => ScalarLayer.FromDense([1, float.NaN], 1, 2, bits: 4));
    }

    private static double Error(Matrix<float> weights, ScalarOptions options)
    {
        using QuantizedRows rows = ScalarQuantizer.Quantize(weights.View, options, ComputePool.Shared);
        using Matrix<float> decoded = Decode(rows);
        return MatrixOracle.RelativeError(weights.View, decoded.View);
    }

    private static Matrix<float> Decode(QuantizedRows rows)
    {
        var decoded = new Matrix<float>(rows.Rows, rows.Columns);
        for (int row = 0; row < rows.Rows; row++) rows.DecodeRow(row, decoded.Row(row));
        return decoded;
    }

    private static void AssertSame(Matrix<byte> expected, Matrix<byte> actual)
    {
        for (nint row = 0; row < expected.Rows; row++) Assert.True(expected.Row(row).SequenceEqual(actual.Row(row)), $"row {row}");
    }
}
