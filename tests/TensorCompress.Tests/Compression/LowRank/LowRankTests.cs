using TensorCompress.Compression;
using TensorCompress.Compression.LowRank;
using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;
using TensorCompress.Threading;

namespace TensorCompress.Tests.Compression.LowRank;

public class LowRankTests
{
    [Fact]
    public void Without_statistics_the_error_is_the_tail_of_the_singular_values()
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(40, 28, 1);
        using SingularValueDecomposition exact = Svd.Full(weights.View);
        foreach (int rank in new[] { 1, 5, 27, 28, 100 })
        {
            using CompressedWeight weight = Compress(weights, new LowRankOptions(rank), null);
            using Matrix<float> dense = weight.ToDense();
            double tail = Math.Sqrt(exact.Values[Math.Min(rank, 28)..].ToArray().Sum(value => value * value) / exact.Values.ToArray().Sum(value => value * value));
            Assert.Equal(tail, MatrixOracle.RelativeError(weights.View, dense.View), 1e-5);
        }
    }

    /// <summary>No other matrix of the rank has a smaller output error: W L has the singular values that say how small it can be.</summary>
    [Fact]
    public void With_statistics_the_output_error_is_the_least_of_the_rank()
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(30, 20, 2), x = RandomMatrices.Gaussian(200, 20, 3);
        for (nint token = 0; token < 200; token++)
        {
            for (int i = 0; i < 20; i++) x[token, i] *= MathF.Pow(1.3f, i - 10);
        }

        using LayerStatistics statistics = LayerStatistics.FromActivations(x.View);
        using Matrix<float> outputs = new(200, 30);
        MatrixProduct.Multiply(x, weights.Transposed, outputs.View);
        using SingularValueDecomposition exact = Svd.Full(outputs.View);
        using CompressedWeight fitted = Compress(weights, new LowRankOptions(6), statistics), plain = Compress(weights, new LowRankOptions(6), null);
        using Matrix<float> dense = fitted.ToDense(), other = plain.ToDense();
        double best = Math.Sqrt(exact.Values[6..].ToArray().Sum(value => value * value) / exact.Values.ToArray().Sum(value => value * value));
        Assert.Equal(best, statistics.OutputError(weights.View, dense.View), 1e-4);
        Assert.True(statistics.OutputError(weights.View, other.View) > 1.2 * best);
    }

    [Fact]
    public void Singular_statistics_work_and_those_of_another_layer_are_refused()
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(10, 16, 4), token = RandomMatrices.Gaussian(1, 16, 5), narrow = RandomMatrices.Gaussian(3, 15, 6);
        using LayerStatistics single = LayerStatistics.FromActivations(token.View), other = LayerStatistics.FromActivations(narrow.View);
        using CompressedWeight weight = Compress(weights, new LowRankOptions(1), single);
        using Matrix<float> dense = weight.ToDense();
        Assert.True(single.OutputError(weights.View, dense.View) < 1e-3); // one input direction: rank one is exact on it
        Assert.Throws<ArgumentException>(() => Compress(weights, new LowRankOptions(1), other));
    }

    [Theory]
    [InlineData(null, 0.5, 16)]
    [InlineData(null, 1.0, 32)]
    [InlineData(7, null, 7)]
    public void Share_gives_the_largest_rank_that_fits(int? rank, double? share, int expected) => Assert.Equal(expected, new LowRankOptions(rank, share).RankFor(64, 64));

    [Fact]
    public void Options_that_make_no_sense_are_refused()
    {
        Assert.Throws<ArgumentException>(() => new LowRankOptions());
        Assert.Throws<ArgumentException>(() => new LowRankOptions(3, 0.5));
        Assert.Throws<ArgumentOutOfRangeException>(() => new LowRankOptions(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => new LowRankOptions(share: 1.5));
        Assert.Throws<ArgumentException>(() => new LowRankOptions(1, type: ElementType.U8));
        Assert.Contains("the least is", Assert.Throws<ArgumentException>(() => new LowRankOptions(share: 0.01).RankFor(64, 64)).Message, StringComparison.Ordinal);
    }

    private static CompressedWeight Compress(Matrix<float> weights, LowRankOptions options, LayerStatistics? statistics) =>
        LowRankMethod.Instance.Compress(weights.View, options, new CompressionContext { Pool = ComputePool.Shared, Statistics = statistics });
}
