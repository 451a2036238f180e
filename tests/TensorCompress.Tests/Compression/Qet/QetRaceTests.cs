using System.Text.Json.Nodes;
using TensorCompress.Compression;
using TensorCompress.Compression.Qet;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;
using TensorCompress.Threading;

namespace TensorCompress.Tests.Compression.Qet;

/// <summary>Fitted and universal codebooks beside each other, and what lies at the edges of both.</summary>
public sealed class QetRaceTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Clusters_are_given_codebooks_of_their_own_with_statistics_too(bool isCalibrated)
    {
        using Matrix<float> values = RandomMatrices.Gaussian(600, 32, 4, 0.02), centres = RandomMatrices.Gaussian(64, 32, 5), inputs = RandomMatrices.Gaussian(200, 32, 6);
        for (int row = 0; row < 600; row++)
        {
            for (int k = 0; k < 32; k++) values[row, k] += centres[row * 7919 % 64, k];
        }

        using LayerStatistics statistics = LayerStatistics.FromActivations(inputs.View);
        var context = new CompressionContext { Statistics = isCalibrated ? statistics : null };
        using CompressedWeight chosen = QetMethod.Instance.Compress(values.View, new QetMethodOptions(2), context), universal = QetMethod.Instance.Compress(values.View, new QetMethodOptions(2, QetForm.Universal), context);
        using Matrix<float> one = chosen.ToDense(), other = universal.ToDense();
        Assert.True(statistics.OutputError(values.View, one.View) < 0.2 * statistics.OutputError(values.View, other.View));
    }

    [Theory]
    [InlineData(1, 1024, 3)]
    [InlineData(2, 256, 1.8)]
    [InlineData(3, 16, 2.75)]
    public void What_does_not_pay_for_a_centroid_has_universal_codebooks(int rows, int columns, double bits)
    {
        using Matrix<float> values = RandomMatrices.Gaussian(rows, columns, 4);
        using CompressedWeight weight = QetMethod.Instance.Compress(values.View, new QetMethodOptions(bits), new CompressionContext());
        Assert.Equal("universal", weight.Parameters["form"]!.GetValue<string>());
        Assert.InRange(weight.BitsPerWeight, 1, bits);
        string refusal = Assert.Throws<ArgumentException>(() => QetMethod.Instance.Compress(values.View, new QetMethodOptions(0.1), new CompressionContext())).Message;
        double least = double.Parse(refusal.Split("the least is ")[1].Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture);
        Assert.InRange(least, 0.1, bits);
        using CompressedWeight smallest = QetMethod.Instance.Compress(values.View, new QetMethodOptions(least), new CompressionContext());
        Assert.InRange(smallest.BitsPerWeight, 0.1, least);
    }

    [Theory]
    [InlineData(1025, 4)]
    [InlineData(2049, 5.1)]
    public void A_scale_that_grows_beyond_half_precision_is_wide(int columns, double bits)
    {
        using Matrix<float> values = RandomMatrices.Gaussian(8, columns, 4);
        for (int row = 0; row < 8; row++) values[row, 3] = 29_000 * MathF.Sqrt(columns);
        using CompressedWeight weight = QetMethod.Instance.Compress(values.View, new QetMethodOptions(bits, QetForm.Universal), new CompressionContext());
        using MemoryTensors stored = MemoryTensors.Of("layer", weight);
        using CompressedWeight read = weight.Method.Read(new StoredWeight("layer", 8, columns, JsonNode.Parse(weight.Parameters.ToJsonString())!.AsObject(), stored));
        using Matrix<float> dense = read.ToDense();
        Assert.DoesNotContain(dense.RowSpan(0, 8).ToArray(), value => !float.IsFinite(value));
        Assert.True(MatrixOracle.RelativeError(values.View, dense.View) < 1);
    }

    [Fact]
    public void The_largest_magnitudes_are_planned_without_a_rotation()
    {
        using Matrix<float> values = RandomMatrices.Make(64, 32, (i, k) => (i * 7 + k * k) % 5 < 2 ? 1.2e30 : -1.2e30);
        QetTensor tensor = QetCodec.Compress(values.View, 64 * 32 * 3 / 8);
        Assert.Equal(QetRotation.None, tensor.Plan.Options.Rotation);
        using Matrix<float> decoded = new(64, 32);
        QetCodec.Decompress(tensor, decoded.View);
        Assert.True(MatrixOracle.RelativeError(values.View, decoded.View) < 0.1);
        string refusal = Assert.Throws<ArgumentException>(() => QetCodec.Compress(values.View, tensor.Plan.WithOptions(tensor.Plan.Options with { Rotation = QetRotation.Hadamard }))).Message;
        Assert.Contains("Rotated rows", refusal, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1e-300)]
    [InlineData(1e-60)]
    [InlineData(1e60)]
    [InlineData(1e200)]
    public void The_scale_of_a_second_moment_does_not_matter(double scale)
    {
        using Matrix<float> values = RandomMatrices.Gaussian(64, 32, 4);
        QetMethodOptions[] all = [new QetMethodOptions(4, QetOptions.PaperDefault(4)), new QetMethodOptions(4, new QetOptions(8, [new QetStageOptions(0, 1)])), new QetMethodOptions(3, QetForm.Universal)];
        foreach (QetMethodOptions options in all)
        {
            using Matrix<float> plain = Decoded(1, options), scaled = Decoded(scale, options);
            Assert.Equal(MatrixOracle.RelativeError(values.View, plain.View), MatrixOracle.RelativeError(values.View, scaled.View), 1e-2);
        }

        Matrix<float> Decoded(double factor, QetMethodOptions options)
        {
            var moment = new Matrix<double>(32, 32);
            for (int i = 0; i < 32; i++) moment[i, i] = factor * (1 + i);
            using var statistics = new LayerStatistics(moment, 100);
            using CompressedWeight weight = QetMethod.Instance.Compress(values.View, options, new CompressionContext { Statistics = statistics });
            return weight.ToDense();
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void The_importance_of_outputs_counts_behind_swap_layers(int layers)
    {
        using Matrix<float> values = RandomMatrices.Gaussian(300, 32, 4), inputs = RandomMatrices.Gaussian(200, 32, 6);
        using LayerStatistics plain = LayerStatistics.FromActivations(inputs.View), important = plain.WithOutputImportance(Enumerable.Range(0, 300).Select(row => row < 30 ? 100.0 : 1));
        var options = new QetMethodOptions(3, new QetOptions(8, [new QetStageOptions(layers, 1)]));
        double[] errors = [.. new[] { plain, important }.Select(statistics =>
        {
            using CompressedWeight weight = QetMethod.Instance.Compress(values.View, options, new CompressionContext { Statistics = statistics });
            using Matrix<float> dense = weight.ToDense();
            return important.OutputError(values.View, dense.View);
        })];
        Assert.True(errors[1] < 0.9 * errors[0], $"{errors[0]} to {errors[1]}");
    }

    [Fact]
    public void In_a_larger_matrix_no_rival_is_better_either()
    {
        // Columns of a few values beside a block of normal numbers: what a trial of some columns sees is not what the matrix is.
        using Matrix<float> values = RandomMatrices.Gaussian(1024, 256, 4), centres = RandomMatrices.Gaussian(40, 256, 5);
        for (int row = 0; row < 1024; row++)
        {
            for (int k = 0; k < 256; k++) values[row, k] = k / 16 % 16 == 3 ? values[row, k] : 0.05f * values[row, k] + centres[(row * 7919 + k / 32) % 40, k];
        }

        const long Budget = 1024 * 256 / 8;
        double planned = new QetError(values.View, null, ComputePool.Shared).Of(QetCodec.Compress(values.View, Budget));
        foreach (int groups in new[] { 1, 2, 4, 8, 16, 32, 64 })
        {
            foreach (QetStageOptions[] stages in new QetStageOptions[][] { [new(0, 1)], [new(0, 0.5), new(0, 0.5)], [new(0, 0.7), new(0, 0.3)] })
            {
                if (QetPlan.OfOneCentroid(1024, 256, new QetOptions(groups, stages)).Within(Budget, 1024) is not { } plan) continue;
                double rival = new QetError(values.View, null, ComputePool.Shared).Of(QetCodec.Compress(values.View, plan));
                Assert.True(planned <= 1.001 * rival, $"{planned}, {groups} groups {rival}");
            }
        }
    }
}
