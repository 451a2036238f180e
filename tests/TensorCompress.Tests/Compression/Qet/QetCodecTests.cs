using TensorCompress.Compression;
using TensorCompress.Compression.Qet;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;
using TensorCompress.Threading;
using Xunit.Abstractions;

namespace TensorCompress.Tests.Compression.Qet;

public sealed class QetCodecTests(ITestOutputHelper output)
{
    /// <summary>Independent measurements of the published algorithm and, at their best number of groups, of its parts without swaps: normalised squared errors of Gaussian 4096 x 128, which other random starts move by up to three percent.</summary>
    [Theory]
    [InlineData("paper", 4, 2.0, 0.192)]
    [InlineData("paper", 4, 2.5, 0.154)]
    [InlineData("paper", 4, 3.0, 0.134)]
    [InlineData("vanilla", 4, 2.0, 0.242)]
    [InlineData("product", 4, 2.0, 0.677)]
    [InlineData("paper", 4, 4.0, 0.107)]
    [InlineData("vanilla", 4, 2.5, 0.219)]
    [InlineData("vanilla", 4, 3.0, 0.207)]
    [InlineData("vanilla", 4, 4.0, 0.190)]
    [InlineData("product", 4, 2.5, 0.653)]
    [InlineData("product", 4, 3.0, 0.630)]
    [InlineData("product", 4, 4.0, 0.591)]
    [InlineData("rounded product", 32, 2.0, 0.134)]
    [InlineData("rounded product", 32, 2.5, 0.090)]
    [InlineData("rounded product", 64, 3.0, 0.056)]
    [InlineData("rounded product", 64, 4.0, 0.0153)]
    [InlineData("residual product", 32, 3.0, 0.055)]
    public void The_error_is_that_of_the_published_algorithm(string variant, int groups, double bits, double expected)
    {
        using Matrix<float> values = RandomMatrices.Gaussian(4096, 128, 1);
        QetOptions options = variant switch
        {
            "paper" => QetOptions.PaperDefault(groups),
            "vanilla" => QetOptions.Vanilla(groups, 3),
            "rounded product" => new QetOptions(groups, [new QetStageOptions(0, 1)]),
            "residual product" => new QetOptions(groups, [new QetStageOptions(0, 0.7), new QetStageOptions(0, 0.3)]),
            _ => QetOptions.Vanilla(groups, 0),
        };
        QetPlan plan = QetPlan.ForBudget(4096, 128, (long)(4096 * 128 * bits / 8), options);
        using Matrix<float> decoded = Decoded(QetCodec.Compress(values.View, plan));
        double error = 0, norm = 0;
        for (int i = 0; i < 4096; i++)
        {
            for (int k = 0; k < 128; k++) (error, norm) = (error + Math.Pow((double)values[i, k] - decoded[i, k], 2), norm + (double)values[i, k] * values[i, k]);
        }

        output.WriteLine($"{variant}, {groups} groups, {bits}: {error / norm:F4}, expected {expected}, centroids {string.Join(", ", plan.Centroids)}, {plan.BitsPerElement:F3} bits");
        Assert.InRange(error / norm, 0.97 * expected, 1.03 * expected);
        Assert.True(error / norm > Math.Pow(2, -2 * plan.BitsPerElement), "below the bound of Shannon: bits are missing from the account");
    }

    [Fact]
    public void A_centroid_for_every_row_gives_the_rows_back()
    {
        using Matrix<float> values = RandomMatrices.Gaussian(40, 16, 3);
        for (int layers = 0; layers <= 3; layers++)
        {
            QetTensor tensor = QetCodec.Compress(values.View, QetPlan.WithCentroids(40, 16, [40], QetOptions.Vanilla(4, layers)));
            FloatBits.AssertEqual(values.RowSpan(0, 40), Decoded(tensor).RowSpan(0, 40), $"{layers} layers");
        }
    }

    [Fact]
    public void A_decoded_row_is_the_sum_of_its_stages()
    {
        using Matrix<float> values = RandomMatrices.Gaussian(60, 16, 3);
        QetTensor tensor = QetCodec.Compress(values.View, QetPlan.WithCentroids(60, 16, [5, 7], QetOptions.PaperDefault(2)));
        using Matrix<float> decoded = Decoded(tensor);
        float[] scratch = new float[16];
        for (int row = 0; row < 60; row++)
        {
            float[] sum = new float[16];
            for (int stage = 0; stage < 2; stage++)
            {
                QetEncodedStage encoded = tensor.Stages[stage];
                float[] leaf = [.. Enumerable.Range(0, 2).SelectMany(group => Centroid(encoded, group, BitStream.Read(encoded.Codes, (row * 2 + group) * 3, 3), 8))];
                if (stage == 0) ElementSwap.Join(leaf, 3, scratch, encoded.Swaps, row * 24);
                for (int k = 0; k < 16; k++) sum[k] += leaf[k];
            }

            FloatBits.AssertEqual(sum, decoded.Row(row), $"row {row}");
        }
    }

    [Fact]
    public void Any_rows_are_decoded_alone_and_new_ones_encoded()
    {
        using Matrix<float> values = RandomMatrices.Gaussian(100, 24, 6);
        QetTensor tensor = QetCodec.Compress(values.View, QetPlan.WithCentroids(100, 24, [9, 3], QetOptions.PaperDefault(3)));
        using Matrix<float> whole = Decoded(tensor), some = new(7, 24);
        QetCodec.DecompressRows(tensor, 55, some.View);
        FloatBits.AssertEqual(whole.RowSpan(55, 7), some.RowSpan(0, 7), "rows alone");
        QetTensor again = QetCodec.Encode(values.RowRange(55, 7), tensor);
        FloatBits.AssertEqual(some.RowSpan(0, 7), Decoded(again).RowSpan(0, 7), "rows encoded alone");
        Assert.Throws<ArgumentOutOfRangeException>(() => QetCodec.DecompressRows(tensor, 94, some.View));
        Assert.Throws<ArgumentOutOfRangeException>(() => QetCodec.DecompressRows(tensor, -1, some.View));
        Assert.Throws<ArgumentException>(() => QetCodec.Decompress(tensor, some.View));
        Assert.Throws<ArgumentException>(() => QetCodec.DecompressRows(tensor, 0, some.View.ColumnRange(0, 8)));
    }

    [Fact]
    public void Bytes_do_not_depend_on_threads()
    {
        using Matrix<float> values = RandomMatrices.Gaussian(500, 32, 6);
        using var one = new ComputePool(1);
        using var three = new ComputePool(3);
        QetPlan plan = QetPlan.WithCentroids(500, 32, [33, 16], QetOptions.PaperDefault(4));
        QetTensor alone = QetCodec.Compress(values.View, plan, one), together = QetCodec.Compress(values.View, plan, three);
        foreach ((QetEncodedStage first, QetEncodedStage second) in alone.Stages.Zip(together.Stages))
        {
            Assert.Equal(first.Swaps, second.Swaps);
            Assert.Equal(first.Codes, second.Codes);
            Assert.Equal(first.Codebook.Stored, second.Codebook.Stored);
            Assert.Equal(first.Codebook.Scales, second.Codebook.Scales);
        }
    }

    [Fact]
    public void Stored_codebooks_are_what_decodes()
    {
        using Matrix<float> values = RandomMatrices.Gaussian(64, 8, 2);
        QetOptions options = new(2, [new QetStageOptions(0, 1)], codebookBits: 5, gridPerGroup: true);
        QetEncodedStage stage = QetCodec.Compress(values.View, QetPlan.WithCentroids(64, 8, [6], options)).Stages[0];
        QetCodebook codebook = stage.Codebook;
        for (int group = 0; group < 2; group++)
        {
            for (int i = 0; i < 24; i++)
            {
                double level = codebook.Scales[2 * group] + (double)codebook.Scales[2 * group + 1] * BitStream.Read(codebook.Stored, (group * 24 + i) * 5, 5);
                Assert.Equal((float)level, Centroid(stage, group, i / 4, 4)[i % 4]);
            }
        }

        QetTensor floats = QetCodec.Compress(values.View, QetPlan.WithCentroids(64, 8, [6], QetOptions.Vanilla(2, 0)));
        Assert.Equal(Centroid(floats.Stages[0], 1, 2, 4)[3], BitConverter.ToSingle(floats.Stages[0].Codebook.Stored, (24 + 2 * 4 + 3) * 4));
        Assert.Empty(floats.Stages[0].Codebook.Scales);
    }

    [Fact]
    public void A_grid_per_group_keeps_one_far_group_from_spoiling_the_others()
    {
        using Matrix<float> values = RandomMatrices.Gaussian(256, 16, 2);
        for (int i = 0; i < 256; i++) values[i, 0] += i == 7 ? 10_000 : 0;
        double Error(bool gridPerGroup)
        {
            QetOptions options = new(4, [new QetStageOptions(0, 1)], gridPerGroup: gridPerGroup);
            QetTensor tensor = QetCodec.Compress(values.View, QetPlan.WithCentroids(256, 16, [32], options));
            using Matrix<float> decoded = Decoded(tensor);
            return Enumerable.Range(0, 256).Sum(i => Enumerable.Range(4, 12).Sum(k => Math.Pow(values[i, k] - decoded[i, k], 2)));
        }

        Assert.True(Error(true) < 0.25 * Error(false));
    }

    [Fact]
    public void Equal_and_huge_values_are_kept()
    {
        foreach (float value in new[] { 0, -3.5f, 1e30f, float.Epsilon })
        {
            using Matrix<float> values = RandomMatrices.Constant(20, 16, value);
            using Matrix<float> decoded = Decoded(QetCodec.Compress(values.View, QetPlan.WithCentroids(20, 16, [4, 2], QetOptions.PaperDefault(2))));
            FloatBits.AssertEqual(values.RowSpan(0, 20), decoded.RowSpan(0, 20), $"{value}");
        }
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.NegativeInfinity)]
    [InlineData(2e30f)]
    public void Values_that_are_not_usable_are_refused_with_their_place(float value)
    {
        using Matrix<float> values = RandomMatrices.Gaussian(10, 8);
        QetPlan plan = QetPlan.WithCentroids(10, 8, [2], QetOptions.Vanilla(2));
        QetTensor fitted = QetCodec.Compress(values.View, plan);
        values[4, 5] = value;
        Assert.Contains("row 4, column 5", Assert.Throws<ArgumentException>(() => QetCodec.Compress(values.View, plan)).Message, StringComparison.Ordinal);
        Assert.Contains("row 4, column 5", Assert.Throws<ArgumentException>(() => QetCodec.Encode(values.View, fitted)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Plans_for_other_shapes_are_refused()
    {
        using Matrix<float> values = RandomMatrices.Gaussian(10, 8);
        Assert.Throws<ArgumentException>(() => QetCodec.Compress(values.View, QetPlan.WithCentroids(9, 8, [2], QetOptions.Vanilla(2))));
        Assert.Throws<ArgumentException>(() => QetCodec.Compress(values.View, QetPlan.WithCentroids(10, 8, [11], QetOptions.Vanilla(2))));
        QetTensor fitted = QetCodec.Compress(values.View, QetPlan.WithCentroids(10, 8, [2], QetOptions.Vanilla(2)));
        Assert.Throws<ArgumentException>(() => QetCodec.Encode(values.View.ColumnRange(0, 4), fitted));
    }

    [Fact]
    public void Rows_of_a_list_are_decoded_as_among_all()
    {
        using Matrix<float> values = RandomMatrices.Gaussian(100, 24, 6);
        foreach (QetRotation rotation in Enum.GetValues<QetRotation>())
        {
            QetTensor tensor = QetCodec.Compress(values.View, QetPlan.WithCentroids(100, 24, [9, 3], QetOptions.PaperDefault(3) with { Rotation = rotation }));
            using Matrix<float> whole = Decoded(tensor);
            int[] few = [99, 0, 41, 41, 7], many = [.. Enumerable.Range(0, 40).Select(i => i * 61 % 100)];
            foreach (int[] rows in new[] { few, many, [] })
            {
                using var some = new Matrix<float>(Math.Max(1, rows.Length), 24);
                QetCodec.DecompressRows(tensor, rows, some.RowRange(0, rows.Length));
                for (int i = 0; i < rows.Length; i++) FloatBits.AssertEqual(whole.Row(rows[i]), some.Row(i), $"{rotation}, row {rows[i]}");
            }

            using var five = new Matrix<float>(5, 24);
            Assert.Throws<ArgumentOutOfRangeException>(() => QetCodec.DecompressRows(tensor, [0, 1, 2, 3, 100], five.View));
            Assert.Throws<ArgumentOutOfRangeException>(() => QetCodec.DecompressRows(tensor, [0, 1, 2, -1, 3], five.View));
            Assert.Throws<ArgumentException>(() => QetCodec.DecompressRows(tensor, [0, 1], five.View));
            Assert.Throws<ArgumentException>(() => QetCodec.DecompressRows(tensor, [0, 1, 2, 3, 4], five.View.ColumnRange(0, 8)));
        }
    }

    private static float[] Centroid(QetEncodedStage stage, int group, int index, int length)
    {
        float[] centroid = new float[length];
        stage.Codebook.Centroid(group, index, centroid);
        return centroid;
    }

    private static Matrix<float> Decoded(QetTensor tensor)
    {
        var decoded = new Matrix<float>(tensor.Rows, tensor.Columns);
        QetCodec.Decompress(tensor, decoded.View);
        return decoded;
    }
}
