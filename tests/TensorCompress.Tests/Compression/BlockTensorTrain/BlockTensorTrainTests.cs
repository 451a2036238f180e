using TensorCompress.Compression;
using TensorCompress.Compression.BlockTensorTrain;
using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;
using TensorCompress.Threading;

namespace TensorCompress.Tests.Compression.BlockTensorTrain;

public class BlockTensorTrainTests
{
    [Theory]
    [InlineData(1, 1, 1, 1)]
    [InlineData(7, 12, 7, 4)]
    [InlineData(576, 1536, 24, 48)]
    [InlineData(4096, 4096, 64, 64)]
    public void Blocks_are_nearly_square_roots(int rows, int columns, int blockRows, int blockColumns)
    {
        BlockShape shape = BlockShape.Balanced(rows, columns);
        Assert.Equal((blockRows, blockColumns), (shape.Rows1, shape.Columns2));
        Assert.Equal((rows, columns), (shape.Rows, shape.Columns));
    }

    [Fact]
    public void Without_statistics_the_error_is_what_the_blocks_must_lose()
    {
        const int Rows = 30, Columns = 24, Rank = 2;
        using Matrix<float> weights = RandomMatrices.Gaussian(Rows, Columns, 1);
        BlockShape shape = BlockShape.Balanced(Rows, Columns);
        double lost = 0, all = 0;
        for (int j2 = 0; j2 < shape.Rows2; j2++)
        {
            for (int i1 = 0; i1 < shape.Columns1; i1++)
            {
                using var block = new Matrix<float>(shape.Rows1, shape.Columns2);
                for (int j1 = 0; j1 < shape.Rows1; j1++)
                {
                    for (int i2 = 0; i2 < shape.Columns2; i2++) block[j1, i2] = weights[j1 * shape.Rows2 + j2, i1 * shape.Columns2 + i2];
                }

                using SingularValueDecomposition exact = Svd.Full(block.View);
                lost += exact.Values[Rank..].ToArray().Sum(value => value * value);
                all += exact.Values.ToArray().Sum(value => value * value);
            }
        }

        using CompressedWeight weight = Compress(weights, new BlockTensorTrainOptions(Rank), null);
        using Matrix<float> dense = weight.ToDense();
        Assert.Equal(Math.Sqrt(lost / all), MatrixOracle.RelativeError(weights.View, dense.View), 1e-5);
    }

    [Fact]
    public void The_full_rank_is_exact_and_a_share_is_kept()
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(30, 24, 2);
        using CompressedWeight full = Compress(weights, new BlockTensorTrainOptions(100), null), half = Compress(weights, new BlockTensorTrainOptions(share: 0.7), null);
        using Matrix<float> dense = full.ToDense();
        Assert.True(MatrixOracle.RelativeError(weights.View, dense.View) < 1e-6);
        Assert.InRange(half.BitsPerWeight, 32 * 0.35, 32 * 0.7);
        Assert.Contains("the least is", Assert.Throws<ArgumentException>(() => Compress(weights, new BlockTensorTrainOptions(share: 0.01), null)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Statistics_lower_the_output_error_at_any_thread_count()
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(32, 36, 3), sources = RandomMatrices.Gaussian(300, 5, 4), mixing = RandomMatrices.Gaussian(36, 5, 5), x = RandomMatrices.Gaussian(300, 36, 6);
        MatrixProduct.Multiply(sources, mixing.Transposed, x.View, beta: 0.2f);
        using LayerStatistics statistics = LayerStatistics.FromActivations(x.View);
        using var one = new ComputePool(1);
        using CompressedWeight plain = Compress(weights, new BlockTensorTrainOptions(2), null), fitted = Compress(weights, new BlockTensorTrainOptions(2), statistics), again = Compress(weights, new BlockTensorTrainOptions(2), statistics, one);
        using Matrix<float> first = plain.ToDense(), second = fitted.ToDense(), third = again.ToDense();
        double before = statistics.OutputError(weights.View, first.View), after = statistics.OutputError(weights.View, second.View);
        Assert.True(after < 0.6 * before, $"{after} is not well below {before}");
        for (int row = 0; row < 32; row++) Assert.True(second.Row(row).SequenceEqual(third.Row(row)));
        using LayerStatistics other = LayerStatistics.FromActivations(sources.View);
        Assert.Throws<ArgumentException>(() => Compress(weights, new BlockTensorTrainOptions(2), other));
    }

    [Fact]
    public void Options_that_make_no_sense_are_refused()
    {
        Assert.Throws<ArgumentException>(() => new BlockTensorTrainOptions());
        Assert.Throws<ArgumentException>(() => new BlockTensorTrainOptions(3, 0.5));
        Assert.Throws<ArgumentOutOfRangeException>(() => new BlockTensorTrainOptions(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => new BlockTensorTrainOptions(share: 0));
        Assert.Throws<ArgumentException>(() => new BlockTensorTrainOptions(1, type: ElementType.U8));
    }

    private static CompressedWeight Compress(Matrix<float> weights, BlockTensorTrainOptions options, LayerStatistics? statistics, ComputePool? pool = null) =>
        BlockTensorTrainMethod.Instance.Compress(weights.View, options, new CompressionContext { Pool = pool ?? ComputePool.Shared, Statistics = statistics });
}
