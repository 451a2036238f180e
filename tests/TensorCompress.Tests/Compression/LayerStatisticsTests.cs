using TensorCompress.Compression;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Compression;

public class LayerStatisticsTests
{
    [Fact]
    public void Second_moment_is_the_mean_of_outer_products()
    {
        using Matrix<float> x = RandomMatrices.Gaussian(37, 9, 3);
        using LayerStatistics statistics = LayerStatistics.FromActivations(x.View);
        Assert.Equal((9, 37L), (statistics.Dimension, statistics.TokenCount));
        for (int i = 0; i < 9; i++)
        {
            for (int j = 0; j < 9; j++)
            {
                double sum = 0;
                for (nint token = 0; token < 37; token++) sum += (double)x[token, i] * x[token, j];
                Assert.Equal(sum / 37, statistics.SecondMoment.Row(i)[j], 1e-12);
            }
        }
    }

    [Fact]
    public void Output_error_is_the_error_of_the_outputs()
    {
        using Matrix<float> x = RandomMatrices.Gaussian(50, 12, 5), weights = RandomMatrices.Gaussian(7, 12, 6), other = RandomMatrices.Gaussian(7, 12, 7);
        using LayerStatistics statistics = LayerStatistics.FromActivations(x.View);
        double error = 0, norm = 0;
        for (nint token = 0; token < 50; token++)
        {
            for (nint row = 0; row < 7; row++)
            {
                double exact = 0, approximate = 0;
                for (nint i = 0; i < 12; i++)
                {
                    exact += (double)weights[row, i] * x[token, i];
                    approximate += (double)other[row, i] * x[token, i];
                }

                error += (exact - approximate) * (exact - approximate);
                norm += exact * exact;
            }
        }

        Assert.Equal(Math.Sqrt(error / norm), statistics.OutputError(weights.View, other.View), 1e-9);
        Assert.Equal(0, statistics.OutputError(weights.View, weights.View));
    }

    [Fact]
    public void Shrinking_keeps_the_diagonal_and_the_ridge_makes_singular_moments_definite()
    {
        using Matrix<float> one = RandomMatrices.Gaussian(1, 6, 8); // rank one
        using LayerStatistics statistics = LayerStatistics.FromActivations(one.View);
        using Matrix<double> shrunk = statistics.Shrunk(0.25, 0.1);
        double mean = statistics.Diagonal().Average();
        for (int i = 0; i < 6; i++)
        {
            for (int j = 0; j < 6; j++)
            {
                double expected = i == j ? statistics.SecondMoment.Row(i)[i] + 0.1 * mean : 0.75 * statistics.SecondMoment.Row(i)[j];
                Assert.Equal(expected, shrunk[i, j], 1e-12);
            }
        }
    }

    [Fact]
    public void Inputs_that_were_never_active_still_give_a_metric()
    {
        using var nothing = new Matrix<float>(4, 5);
        using LayerStatistics statistics = LayerStatistics.FromActivations(nothing.View);
        using Matrix<double> shrunk = statistics.Shrunk(0, 0.01);
        for (int i = 0; i < 5; i++) Assert.True(shrunk[i, i] > 0);
    }

    [Fact]
    public void What_is_no_second_moment_is_refused()
    {
        Assert.Throws<ArgumentException>(() => new LayerStatistics(new Matrix<double>(2, 3), 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new LayerStatistics(new Matrix<double>(2, 2), 0));
        Assert.Throws<ArgumentException>(() => new LayerStatistics(new Matrix<double>(1, 1, [double.NaN]), 1));
        Assert.Throws<ArgumentException>(() => new LayerStatistics(new Matrix<double>(1, 1, [-1.0]), 1));
        Assert.Contains("symmetric", Assert.Throws<ArgumentException>(() => new LayerStatistics(new Matrix<double>(2, 2, [1, 0.5, 0.4, 1]), 1)).Message, StringComparison.Ordinal);
        Assert.Contains("symmetric", Assert.Throws<ArgumentException>(() => new LayerStatistics(new Matrix<double>(2, 2, [1e6, 1, 1.1, 1]), 1)).Message, StringComparison.Ordinal);
        new LayerStatistics(new Matrix<double>(2, 2, [1, 1e-12, -1e-12, 1]), 1).Dispose(); // rounding
        using var none = new Matrix<float>(0, 5);
        Assert.Throws<ArgumentException>(() => LayerStatistics.FromActivations(none.View));
        using LayerStatistics statistics = new(new Matrix<double>(2, 2), 1);
        using var other = new Matrix<float>(3, 3);
        Assert.Contains("another layer", Assert.Throws<ArgumentException>(() => statistics.ThrowIfUnfit(other.View)).Message, StringComparison.Ordinal);
    }
}
