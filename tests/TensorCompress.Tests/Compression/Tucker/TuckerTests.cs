using TensorCompress.Compression;
using TensorCompress.Compression.LowRank;
using TensorCompress.Compression.Tucker;
using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;
using TensorCompress.Threading;

namespace TensorCompress.Tests.Compression.Tucker;

public sealed class TuckerTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void What_has_the_form_already_comes_back(int seed)
    {
        using Matrix<float> weights = Planted(20, heads: 6, channels: 5, headRank: 3, rank: 7, (ulong)seed);
        using LayerStatistics statistics = Correlated(30, 9);
        foreach (LayerStatistics? known in new[] { null, statistics })
        {
            using CompressedWeight weight = Compress(weights, new TuckerOptions(7, 3, headDimension: 5), known);
            using Matrix<float> dense = weight.ToDense();
            Assert.InRange(MatrixOracle.RelativeError(weights.View, dense.View), 0, 1e-4);
        }
    }

    [Fact]
    public void All_heads_are_a_low_rank()
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(20, 24, 4);
        using LayerStatistics statistics = Correlated(24, 5);
        using CompressedWeight tucker = Compress(weights, new TuckerOptions(6, 4, headDimension: 6), statistics), lowRank = Compress(weights, new LowRankOptions(6), statistics);
        using Matrix<float> first = tucker.ToDense(), second = lowRank.ToDense();
        Assert.InRange(MatrixOracle.RelativeError(second.View, first.View), 0, 1e-4);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void No_turn_raises_the_error(bool isCalibrated)
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(24, 48, 6);
        using LayerStatistics statistics = Correlated(48, 7);
        using var factorizer = new TuckerFactorizer(weights.View, 6, isCalibrated ? statistics : null, ComputePool.Shared);
        using TuckerFactors factors = factorizer.Run([new TuckerShape(24, 8, 6, 4, 10)], 6, null, CancellationToken.None);
        Assert.Equal(7, factorizer.Explained.Count);
        for (int turn = 1; turn < 7; turn++) Assert.True(factorizer.Explained[turn] >= factorizer.Explained[turn - 1] * (1 - 1e-9), $"turn {turn}");
        Assert.True(factorizer.Explained[^1] > factorizer.Explained[0], "the turns do nothing");

        using TuckerWeight weight = TuckerWeight.Round(factors, ElementType.F32);
        using Matrix<float> dense = weight.ToDense();
        double error = isCalibrated ? statistics.OutputError(weights.View, dense.View) : MatrixOracle.RelativeError(weights.View, dense.View);
        Assert.Equal(Math.Sqrt(1 - factorizer.Explained[^1] / factorizer.SquaredNorm), error, 1e-4);
    }

    [Fact]
    public void Heads_that_are_alike_make_it_better_than_a_low_rank_of_as_many_parameters()
    {
        using Matrix<float> weights = Planted(40, heads: 8, channels: 8, headRank: 3, rank: 24, 8), noise = RandomMatrices.Gaussian(40, 64, 9, 0.3);
        for (nint row = 0; row < 40; row++)
        {
            for (nint j = 0; j < 64; j++) weights[row, j] += noise[row, j];
        }

        using LayerStatistics statistics = Correlated(64, 10);
        using CompressedWeight tucker = Compress(weights, new TuckerOptions(share: 0.5, headDimension: 8), statistics), lowRank = Compress(weights, new LowRankOptions(share: 0.5), statistics);
        using Matrix<float> first = tucker.ToDense(), second = lowRank.ToDense();
        Assert.InRange(((TuckerWeight)tucker).HeadRank, 3, 6);
        Assert.True(statistics.OutputError(weights.View, first.View) < 0.9 * statistics.OutputError(weights.View, second.View));
    }

    [Fact]
    public void A_share_is_kept()
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(40, 48, 11);
        foreach (double share in new[] { 0.1, 0.3, 0.8 })
        {
            using CompressedWeight weight = Compress(weights, new TuckerOptions(share: share, headDimension: 8), null);
            Assert.InRange(weight.BitsPerWeight, 32 * share * 0.6, 32 * share);
        }
    }

    [Fact]
    public void Singular_statistics_work_at_any_thread_count()
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(10, 16, 12), token = RandomMatrices.Gaussian(1, 16, 13);
        using LayerStatistics single = LayerStatistics.FromActivations(token.View);
        using var one = new ComputePool(1);
        using CompressedWeight first = Compress(weights, new TuckerOptions(2, 3), single), second = Compress(weights, new TuckerOptions(2, 3), single, one);
        using Matrix<float> dense = first.ToDense(), again = second.ToDense();
        Assert.True(single.OutputError(weights.View, dense.View) < 1e-2);
        for (int row = 0; row < 10; row++) Assert.True(dense.Row(row).SequenceEqual(again.Row(row)));
    }

    [Fact]
    public void Options_that_make_no_sense_are_refused()
    {
        Assert.Throws<ArgumentException>(() => new TuckerOptions());
        Assert.Throws<ArgumentException>(() => new TuckerOptions(rank: 3));
        Assert.Throws<ArgumentException>(() => new TuckerOptions(3, 2, 0.5));
        Assert.Throws<ArgumentOutOfRangeException>(() => new TuckerOptions(0, 2));
        Assert.Throws<ArgumentOutOfRangeException>(() => new TuckerOptions(2, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => new TuckerOptions(share: 1.5));
        Assert.Throws<ArgumentOutOfRangeException>(() => new TuckerOptions(share: 0.5, headDimension: 0));
        Assert.Throws<ArgumentException>(() => new TuckerOptions(share: 0.5, type: ElementType.U8));
        using Matrix<float> weights = RandomMatrices.Gaussian(16, 24, 1);
        Assert.Contains("do not divide", Assert.Throws<ArgumentException>(() => Compress(weights, new TuckerOptions(share: 0.5, headDimension: 7), null)).Message, StringComparison.Ordinal);
        Assert.Contains("the least is", Assert.Throws<ArgumentException>(() => Compress(weights, new TuckerOptions(share: 0.01), null)).Message, StringComparison.Ordinal);
    }

    private static CompressedWeight Compress(Matrix<float> weights, MethodOptions options, LayerStatistics? statistics, ComputePool? pool = null) =>
        options.Method.Compress(weights.View, options, new CompressionContext { Pool = pool ?? ComputePool.Shared, Statistics = statistics });

    /// <summary>W[o, (h, c)] = sum over k, a of P[o, k] C[k, (a, c)] U[a, h] with random factors.</summary>
    private static Matrix<float> Planted(int rows, int heads, int channels, int headRank, int rank, ulong seed)
    {
        using Matrix<float> outer = RandomMatrices.Gaussian(rows, rank, seed), inner = RandomMatrices.Gaussian(rank, headRank * channels, seed + 1), mixer = RandomMatrices.Gaussian(headRank, heads, seed + 2);
        return RandomMatrices.Make(rows, heads * channels, (row, column) =>
        {
            (int head, int channel) = Math.DivRem(column, channels);
            double sum = 0;
            for (int a = 0; a < headRank; a++)
            {
                for (int k = 0; k < rank; k++) sum += (double)outer[row, k] * inner[k, a * channels + channel] * mixer[a, head];
            }

            return sum / Math.Sqrt(rank * headRank);
        });
    }

    private static LayerStatistics Correlated(int dimension, ulong seed)
    {
        using Matrix<float> sources = RandomMatrices.Gaussian(300, 6, seed), mixing = RandomMatrices.Gaussian(dimension, 6, seed + 1), x = RandomMatrices.Gaussian(300, dimension, seed + 2);
        MatrixProduct.Multiply(sources, mixing.Transposed, x.View, beta: 0.5f);
        return LayerStatistics.FromActivations(x.View);
    }
}
