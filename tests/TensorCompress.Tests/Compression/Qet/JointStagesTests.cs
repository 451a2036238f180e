using TensorCompress.Compression;
using TensorCompress.Compression.Qet;
using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;
using TensorCompress.Threading;
using Xunit.Abstractions;

namespace TensorCompress.Tests.Compression.Qet;

public sealed class JointStagesTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData(64, false)]
    [InlineData(64, true)]
    [InlineData(4, true)]
    public void A_wide_beam_finds_the_nearest_of_all_sums_and_a_narrow_one_none_that_is_nearer(int beam, bool isScaled)
    {
        const int Dimension = 3, First = 21, Second = 13;
        var random = new SeededRandom(3);
        float[] Numbers(int count) => [.. Enumerable.Range(0, count).Select(_ => (float)random.NextGaussian())];
        float[] one = Numbers(2 * First * Dimension), two = Numbers(2 * Second * Dimension);
        float[]? scales = isScaled ? [0.5f, 2, 1] : null;
        var search = new GroupSearch([one, two], [First, Second], 1, Dimension, scales, beam);
        int[] codes = new int[2];
        for (int trial = 0; trial < 40; trial++)
        {
            float[] x = Numbers(Dimension);
            double Error(int a, int b) => Enumerable.Range(0, Dimension).Sum(k => Math.Pow(((double)x[k] - one[(First + a) * Dimension + k] - two[(Second + b) * Dimension + k]) * (scales?[k] ?? 1), 2));
            double least = Enumerable.Range(0, First * Second).Min(pair => Error(pair / Second, pair % Second)), found = search.Find(x, codes);
            Assert.Equal(Error(codes[0], codes[1]), found, 1e-9);
            if (beam >= First) Assert.Equal(least, found, 1e-9);
            else Assert.True(found >= least - 1e-9);
        }
    }

    [Fact]
    public void Stages_together_never_err_more_than_one_after_the_other_and_less_on_normal_numbers()
    {
        using Matrix<float> values = RandomMatrices.Gaussian(1200, 24, 5);
        foreach (QetStageOptions[] stages in new QetStageOptions[][] { [new(0, 0.5), new(0, 0.5)], [new(0, 0.4), new(0, 0.3), new(0, 0.3)], [new(1, 0.4), new(0, 0.3), new(0, 0.3)] })
        {
            var options = new QetOptions(6, stages);
            QetPlan plan = QetPlan.WithCentroids(1200, 24, [.. stages.Select(_ => 16)], options), together = plan.WithOptions(options with { BeamWidth = 8 });
            QetTensor tensor = QetCodec.Compress(values.View, together);
            double one = QetError.Squared(values.View, QetCodec.Compress(values.View, plan), ComputePool.Shared), joint = QetError.Squared(values.View, tensor, ComputePool.Shared);
            output.WriteLine($"{stages.Length} stages: {one:F1}, together {joint:F1}");
            Assert.True(joint < 0.95 * one, $"{joint} and {one}");
            Assert.Equal(plan.StoredBytes, tensor.StoredBytes);
            using Matrix<float> whole = new(1200, 24), some = new(5, 24);
            QetCodec.Decompress(tensor, whole.View);
            QetCodec.Decompress(QetCodec.Encode(values.RowRange(9, 5), tensor), some.View);
            FloatBits.AssertEqual(whole.RowSpan(9, 5), some.RowSpan(0, 5), "rows encoded alone");
        }
    }

    [Theory]
    [InlineData(QetRotation.None, 1)]
    [InlineData(QetRotation.None, 2)]
    [InlineData(QetRotation.Hadamard, 2)]
    [InlineData(QetRotation.Learnt, 2)]
    public void With_calibration_outputs_that_were_not_seen_are_nearer(QetRotation rotation, int stages)
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(400, 64, 5), inputs = Inputs(900, 64);
        using LayerStatistics seen = LayerStatistics.FromActivations(inputs.RowRange(0, 600)), held = LayerStatistics.FromActivations(inputs.RowRange(600, 300));
        var options = new QetOptions(16, [.. Enumerable.Range(0, stages).Select(_ => new QetStageOptions(0, 1.0 / stages))]) { BeamWidth = 8, Rotation = rotation };
        double Error(LayerStatistics? statistics)
        {
            using CompressedWeight weight = QetMethod.Instance.Compress(weights.View, new QetMethodOptions(rotation == QetRotation.Learnt ? 6 : 3, options), new CompressionContext { Statistics = statistics });
            using Matrix<float> dense = weight.ToDense();
            return held.OutputError(weights.View, dense.View);
        }

        double with = Error(seen), without = Error(null);
        output.WriteLine($"{rotation}, {stages} stages: {with:F4}, without statistics {without:F4}");
        Assert.True(with < 0.85 * without, $"{with} and {without}");
    }

    [Fact]
    public void The_planner_uses_calibration()
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(200, 32, 5), inputs = Inputs(900, 32);
        using LayerStatistics seen = LayerStatistics.FromActivations(inputs.RowRange(0, 600)), held = LayerStatistics.FromActivations(inputs.RowRange(600, 300));
        double Error(LayerStatistics? statistics)
        {
            using CompressedWeight weight = QetMethod.Instance.Compress(weights.View, new QetMethodOptions(3, QetForm.Fitted), new CompressionContext { Statistics = statistics });
            Assert.True(weight.BitsPerWeight <= 3);
            using Matrix<float> dense = weight.ToDense();
            return held.OutputError(weights.View, dense.View);
        }

        double with = Error(seen), without = Error(null);
        output.WriteLine($"{with:F4}, without statistics {without:F4}");
        Assert.True(with < 0.85 * without, $"{with} and {without}");
    }

    [Fact]
    public void Rows_that_matter_more_are_nearer()
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(300, 32, 5), inputs = Inputs(300, 32);
        using LayerStatistics plain = LayerStatistics.FromActivations(inputs.View), weighted = plain.WithOutputImportance(Enumerable.Range(0, 300).Select(row => row < 30 ? 100.0 : 1));
        double Error(LayerStatistics statistics)
        {
            var options = new QetOptions(8, [new QetStageOptions(0, 0.5), new QetStageOptions(0, 0.5)]) { BeamWidth = 4 };
            using CompressedWeight weight = QetMethod.Instance.Compress(weights.View, new QetMethodOptions(3, options), new CompressionContext { Statistics = statistics });
            using Matrix<float> dense = weight.ToDense();
            return weighted.OutputError(weights.View, dense.View);
        }

        Assert.True(Error(weighted) < 0.8 * Error(plain));
    }

    [Fact]
    public void Bytes_do_not_depend_on_threads()
    {
        using Matrix<float> values = RandomMatrices.Gaussian(300, 32, 6), inputs = Inputs(200, 32);
        using LayerStatistics statistics = LayerStatistics.FromActivations(inputs.View);
        using var one = new ComputePool(1);
        using var three = new ComputePool(3);
        byte[] Bytes(ComputePool pool)
        {
            using CompressedWeight weight = QetMethod.Instance.Compress(values.View, new QetMethodOptions(3, QetForm.Fitted), new CompressionContext { Statistics = statistics, Pool = pool });
            using var stream = new MemoryStream();
            foreach (WeightPart part in weight.Parts) part.Write(stream);
            return stream.ToArray();
        }

        Assert.Equal(Bytes(one), Bytes(three));
    }

    // A few directions are large.
    private static Matrix<float> Inputs(int tokens, int dimension)
    {
        using Matrix<float> factors = RandomMatrices.Gaussian(tokens, dimension / 5, 6), mixing = RandomMatrices.Gaussian(dimension / 5, dimension, 7);
        Matrix<float> inputs = RandomMatrices.Gaussian(tokens, dimension, 8);
        MatrixProduct.Multiply(factors, mixing, inputs.View, 1, 0.7f);
        return inputs;
    }
}
