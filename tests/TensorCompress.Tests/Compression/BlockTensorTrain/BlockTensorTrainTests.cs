using TensorCompress.Compression;
using TensorCompress.Compression.BlockTensorTrain;
using TensorCompress.Layers;
using TensorCompress.Numerics;
using TensorCompress.Storage;
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

    /// <summary>A projection: what has the form already stays as it is, whatever its rank and blocks.</summary>
    [Theory]
    [InlineData(12, 12, 1)]
    [InlineData(30, 24, 2)]
    [InlineData(24, 35, 3)]
    [InlineData(7, 16, 1)]
    [InlineData(16, 7, 1)]
    [InlineData(13, 13, 1)]
    public void What_has_the_form_already_comes_back(int rows, int columns, int rank)
    {
        for (ulong seed = 1; seed <= 5; seed++)
        {
            using Matrix<float> weights = Blocks(BlockShape.Balanced(rows, columns), rank, seed);
            using CompressedWeight weight = Compress(weights, new BlockTensorTrainOptions(rank), null);
            using Matrix<float> dense = weight.ToDense();
            Assert.InRange(MatrixOracle.RelativeError(weights.View, dense.View), 0, 1e-5);
        }
    }

    /// <summary>At rank 1 with square blocks this is the Monarch projection: no other Monarch matrix is nearer. Each block of W has one singular vector pair, so what is left is orthogonal to both.</summary>
    [Fact]
    public void What_a_Monarch_projection_leaves_is_orthogonal_to_its_blocks()
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(25, 25, 7);
        using CompressedWeight weight = Compress(weights, new BlockTensorTrainOptions(1), null);
        using Matrix<float> dense = weight.ToDense();
        BlockShape shape = BlockShape.Balanced(25, 25);
        for (int block = 0; block < shape.Rows2 * shape.Columns1; block++)
        {
            (int j2, int i1) = Math.DivRem(block, shape.Columns1);
            for (int j1 = 0; j1 < shape.Rows1; j1++)
            {
                double row = 0, column = 0;
                for (int other = 0; other < 5; other++)
                {
                    row += Entry(weights, j1, other, left: true) * Entry(dense, 0, other, left: false);
                    column += Entry(weights, other, j1, left: true) * Entry(dense, other, 0, left: false);
                }

                Assert.Equal(0, row, 1e-4);
                Assert.Equal(0, column, 1e-4);
            }

            double Entry(Matrix<float> matrix, int j1, int i2, bool left)
            {
                (int row, int column) = (j1 * shape.Rows2 + j2, i1 * shape.Columns2 + i2);
                return left ? (double)matrix[row, column] - dense[row, column] : matrix[row, column];
            }
        }
    }

    [Fact]
    public void No_turn_over_the_blocks_raises_the_output_error()
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(30, 36, 8);
        using LayerStatistics statistics = Correlated(36, 9);
        BlockShape shape = BlockShape.Balanced(30, 36);
        double last = double.PositiveInfinity, first = 0;
        for (int turns = 1; turns <= 6; turns++)
        {
            using var factorizer = new BlockTensorTrainFactorizer(weights.View, shape, statistics, ComputePool.Shared, default);
            using (BlockVectors vectors = factorizer.Fit(BlockRanks.Of(shape, 2), turns))
            using (CompressedWeight weight = BlockTensorTrainWeight.Round(shape, vectors, ElementType.F32, "weights"))
            using (Matrix<float> dense = weight.ToDense())
            {
                double error = statistics.OutputError(weights.View, dense.View);
                Assert.True(error <= last * (1 + 1e-6), $"turn {turns}: {error} after {last}");
                if (turns == 1) first = error;
                last = error;
            }
        }

        Assert.True(last < 0.8 * first, $"{last} after {first}: the turns do nothing");
    }

    /// <summary>A prime number of columns makes one block of columns, so that nothing but the projection in the metric is left, whose error is known.</summary>
    [Fact]
    public void Blocks_as_wide_as_the_matrix_reach_the_least_output_error()
    {
        const int Rows = 30, Columns = 23, Rank = 2;
        using Matrix<float> weights = RandomMatrices.Gaussian(Rows, Columns, 10), x = RandomMatrices.Gaussian(200, Columns, 11);
        for (nint token = 0; token < 200; token++)
        {
            for (int i = 0; i < Columns; i++) x[token, i] *= MathF.Pow(1.2f, i - 10);
        }

        using LayerStatistics statistics = LayerStatistics.FromActivations(x.View);
        BlockShape shape = BlockShape.Balanced(Rows, Columns);
        Assert.Equal(1, shape.Columns1);
        double lost = 0, all = 0;
        for (int j2 = 0; j2 < shape.Rows2; j2++)
        {
            using var outputs = new Matrix<float>(200, shape.Rows1);
            for (int j1 = 0; j1 < shape.Rows1; j1++)
            {
                for (nint token = 0; token < 200; token++)
                {
                    double sum = 0;
                    for (int i = 0; i < Columns; i++) sum += (double)weights[j1 * shape.Rows2 + j2, i] * x[token, i];
                    outputs[token, j1] = (float)sum;
                }
            }

            double[] values = Svd.Values(outputs.View);
            lost += values[Rank..].Sum(value => value * value);
            all += values.Sum(value => value * value);
        }

        using CompressedWeight weight = Compress(weights, new BlockTensorTrainOptions(Rank), statistics);
        using Matrix<float> dense = weight.ToDense();
        Assert.Equal(Math.Sqrt(lost / all), statistics.OutputError(weights.View, dense.View), 1e-4);
    }

    [Fact]
    public void The_full_rank_is_exact_and_a_share_is_kept()
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(30, 24, 2);
        using CompressedWeight full = Compress(weights, new BlockTensorTrainOptions(100), null), half = Compress(weights, new BlockTensorTrainOptions(share: 0.7), null);
        using Matrix<float> dense = full.ToDense();
        Assert.True(MatrixOracle.RelativeError(weights.View, dense.View) < 1e-6);
        Assert.InRange(half.BitsPerWeight, 32 * (0.7 - 0.02), 32 * 0.7);
        Assert.Contains("the least is", Assert.Throws<ArgumentException>(() => Compress(weights, new BlockTensorTrainOptions(share: 0.01), null)).Message, StringComparison.Ordinal);
    }

    /// <summary>Any share from one pair of vectors on is reached and kept to the last pair, ranks included, in every type.</summary>
    [Theory]
    [InlineData(64, 172, 0.125, ElementType.F32)]
    [InlineData(64, 64, 0.03, ElementType.F16)]
    [InlineData(13, 7, 0.5, ElementType.BF16)]
    [InlineData(5, 521, 0.4, ElementType.F32)]
    public void A_share_is_used_up(int rows, int columns, double share, ElementType type)
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(rows, columns, 3);
        BlockShape shape = BlockShape.Balanced(rows, columns);
        using CompressedWeight weight = Compress(weights, new BlockTensorTrainOptions(share: share, type: type), null);
        double bits = share * type.BitWidth() * rows * columns, stored = weight.Parts.Sum(part => part.ByteLength) * 8;
        Assert.InRange(stored, bits - shape.ParametersPerVector * type.BitWidth() - 8 * shape.Blocks, bits);
        using LinearLayer layer = weight.CreateLayer();
        Assert.True(layer.MultiplicationsPerToken <= share * rows * columns);
    }

    /// <summary>No other choice of as many singular vectors leaves less: what is left are the smallest singular values of all blocks.</summary>
    [Theory]
    [InlineData(30, 24, 20)]
    [InlineData(36, 35, 1)]
    [InlineData(13, 16, 9)]
    public void A_share_goes_to_the_largest_singular_values_of_all_blocks(int rows, int columns, int vectors)
    {
        using Matrix<float> weights = RandomMatrices.Make(rows, columns, (row, column) => Math.Sin(row * 7 + column * 3) * (1 + row % 5) * (1 + column / 8));
        BlockShape shape = BlockShape.Balanced(rows, columns);
        var all = new List<double>();
        for (int j2 = 0; j2 < shape.Rows2; j2++)
        {
            for (int i1 = 0; i1 < shape.Columns1; i1++)
            {
                using Matrix<float> block = RandomMatrices.Make(shape.Rows1, shape.Columns2, (j1, i2) => weights[j1 * shape.Rows2 + j2, i1 * shape.Columns2 + i2]);
                all.AddRange(Svd.Values(block.View));
            }
        }

        double share = (vectors * shape.ParametersPerVector + shape.Blocks / 4.0 + 0.01) / (rows * columns);
        using var weight = (BlockTensorTrainWeight)Compress(weights, new BlockTensorTrainOptions(share: share), null);
        Assert.Equal(vectors, weight.Ranks.Sum());
        using Matrix<float> dense = weight.ToDense();
        double lost = all.OrderDescending().Skip(vectors).Sum(value => value * value);
        Assert.Equal(Math.Sqrt(lost / all.Sum(value => value * value)), MatrixOracle.RelativeError(weights.View, dense.View), 1e-5);
    }

    /// <summary>Blocks of rank 0 and whole rows of them give 0, in a product with any number of tokens and in the weight itself.</summary>
    [Fact]
    public void Blocks_without_a_vector_are_0()
    {
        using Matrix<float> weights = RandomMatrices.Make(12, 12, (row, column) => row % 3 == 1 && column < 4 ? row + column * column : 0), x = RandomMatrices.Gaussian(5, 12, 1);
        using var weight = (BlockTensorTrainWeight)Compress(weights, new BlockTensorTrainOptions(share: 0.13), null);
        using LinearLayer layer = weight.CreateLayer();
        Assert.Equal(2, weight.Ranks.Where((_, block) => block / 3 == 1 && block % 3 == 0).Sum());
        Assert.Equal(0, weight.Ranks.Where((rank, block) => block % 3 != 0).Sum());
        using Matrix<float> dense = weight.ToDense();
        Assert.True(MatrixOracle.RelativeError(weights.View, dense.View) < 1e-5);
        using var y = new Matrix<float>(5, 12);
        using var context = new ComputeContext(ComputePool.Shared);
        layer.Forward(new ActivationBatch(x.View), y.View, context);
        Assert.True(MatrixOracle.LargestError(MatrixOracle.Product(dense.View, x.View), y.View) <= 1e-5);
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

    /// <summary>Version 1 had one rank for all blocks; such a weight is stored as it was then.</summary>
    [Fact]
    public void A_weight_of_version_1_is_read()
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(30, 24, 2);
        using CompressedWeight weight = Compress(weights, new BlockTensorTrainOptions(rank: 2), null);
        Assert.Equal([5, 6, 4, 2], weight.Parts.Single(part => part.Name == "left").Shape);
        Assert.Equal([4, 5, 2, 6], weight.Parts.Single(part => part.Name == "right").Shape);
        Assert.Equal("""{"block_rows":6,"block_columns":6,"rank":2,"factors":"F32"}""", weight.Parameters.ToJsonString());
        using MemoryTensors stored = MemoryTensors.Of("layer", weight);
        using CompressedWeight read = CompressionMethods.Read("btt", 1, new StoredWeight("layer", 30, 24, weight.Parameters, stored));
        using Matrix<float> dense = weight.ToDense(), reread = read.ToDense();
        for (int row = 0; row < 30; row++) Assert.True(dense.Row(row).SequenceEqual(reread.Row(row)));
    }

    [Theory]
    [InlineData(200, TensorFormatError.Value)] // more than a block can use
    [InlineData(2, TensorFormatError.Shape)] // not as many as there are vectors
    public void Ranks_that_do_not_fit_are_refused(byte rank, TensorFormatError kind)
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(30, 24, 2);
        using CompressedWeight weight = Compress(weights, new BlockTensorTrainOptions(share: 0.3), null);
        using MemoryTensors stored = MemoryTensors.Of("layer", weight);
        var asRead = new StoredWeight("layer", 30, 24, weight.Parameters, stored);
        byte[] ranks = stored.Bytes["layer.btt.ranks"];
        ranks[3] = ranks[3] == rank ? (byte)(rank + 1) : rank;
        Assert.Equal(kind, Assert.Throws<TensorFormatException>(() => weight.Method.Read(asRead)).Kind);
        Array.Clear(ranks);
        Assert.Equal(TensorFormatError.Value, Assert.Throws<TensorFormatException>(() => weight.Method.Read(asRead)).Kind);
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

    /// <summary>W[(j1 j2), (i1 i2)] = sum over r of L[j2 j1 i1 r] R[i1 j2 r i2] with random factors.</summary>
    private static Matrix<float> Blocks(BlockShape shape, int rank, ulong seed)
    {
        using Matrix<float> left = RandomMatrices.Gaussian(shape.Rows, shape.Columns1 * rank, seed), right = RandomMatrices.Gaussian(shape.Columns1 * shape.Rows2 * rank, shape.Columns2, seed + 50);
        return RandomMatrices.Make(shape.Rows, shape.Columns, (row, column) =>
        {
            (int j1, int j2) = Math.DivRem(row, shape.Rows2);
            (int i1, int i2) = Math.DivRem(column, shape.Columns2);
            return Enumerable.Range(0, rank).Sum(r => (double)left[j2 * shape.Rows1 + j1, i1 * rank + r] * right[(i1 * shape.Rows2 + j2) * rank + r, i2]);
        });
    }

    private static LayerStatistics Correlated(int dimension, ulong seed)
    {
        using Matrix<float> sources = RandomMatrices.Gaussian(300, 5, seed), mixing = RandomMatrices.Gaussian(dimension, 5, seed + 1), x = RandomMatrices.Gaussian(300, dimension, seed + 2);
        MatrixProduct.Multiply(sources, mixing.Transposed, x.View, beta: 0.2f);
        return LayerStatistics.FromActivations(x.View);
    }

    private static CompressedWeight Compress(Matrix<float> weights, BlockTensorTrainOptions options, LayerStatistics? statistics, ComputePool? pool = null) =>
        BlockTensorTrainMethod.Instance.Compress(weights.View, options, new CompressionContext { Pool = pool ?? ComputePool.Shared, Statistics = statistics });
}
