using TensorCompress.Compression;
using TensorCompress.Compression.Sum;
using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Compression;

/// <summary>Outputs that do not matter alike.</summary>
public sealed class OutputImportanceTests
{
    private const int Rows = 30, Columns = 24;

    [Theory]
    [InlineData("lowrank:rank=5")]
    [InlineData("btt:rank=2")]
    [InlineData("tucker:rank=6:head-rank=4:head-dimension=4")]
    [InlineData("mpo:chi=4")]
    [InlineData("mpo:share=0.4")]
    [InlineData("mpo:share=0.4:sites=3")]
    [InlineData("mpo:chi=4:fit=kronecker")]
    [InlineData("scalar:bits=2:group=12+lowrank:rank=3")]
    public void Importance_lowers_the_weighted_error(string method)
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(Rows, Columns, 1);
        using LayerStatistics plain = Statistics(2), weighted = plain.WithOutputImportance(Importance());
        using Matrix<float> first = Compressed(weights, method, plain), second = Compressed(weights, method, weighted);
        double before = weighted.OutputError(weights.View, first.View), after = weighted.OutputError(weights.View, second.View);
        Assert.True(after < 0.96 * before, $"{after} is not well below {before}");
        Assert.True(plain.OutputError(weights.View, second.View) > plain.OutputError(weights.View, first.View)); // what the outputs that matter gain, the others pay
    }

    [Fact]
    public void Importance_that_is_everywhere_the_same_changes_nothing()
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(Rows, Columns, 1);
        using LayerStatistics plain = Statistics(2), weighted = plain.WithOutputImportance(Enumerable.Repeat(0.125, Rows));
        foreach (string method in new[] { "lowrank:rank=5", "btt:rank=2", "scalar:bits=2", "mpo:chi=4", "tucker:rank=6:head-rank=4" })
        {
            using Matrix<float> first = Compressed(weights, method, plain), second = Compressed(weights, method, weighted);
            Assert.True(MatrixOracle.RelativeError(first.View, second.View) < 1e-6);
        }
    }

    /// <summary>No matrix of the rank has a smaller weighted error: diag(sqrt d) W X^T has the singular values that say how small it can be.</summary>
    [Fact]
    public void Low_rank_reaches_the_least_weighted_error()
    {
        double[] importance = Importance();
        using Matrix<float> weights = RandomMatrices.Gaussian(Rows, Columns, 3), x = RandomMatrices.Gaussian(200, Columns, 4), outputs = new(200, Rows);
        MatrixProduct.Multiply(x, weights.Transposed, outputs.View);
        for (nint token = 0; token < 200; token++)
        {
            for (int i = 0; i < Rows; i++) outputs[token, i] *= (float)Math.Sqrt(importance[i]);
        }

        double[] values = Svd.Values(outputs.View);
        using LayerStatistics plain = LayerStatistics.FromActivations(x.View), weighted = plain.WithOutputImportance(importance);
        using Matrix<float> dense = Compressed(weights, "lowrank:rank=6", weighted);
        Assert.Equal(Math.Sqrt(values.Skip(6).Sum(value => value * value) / values.Sum(value => value * value)), weighted.OutputError(weights.View, dense.View), 1e-4);
    }

    [Fact]
    public void The_weighted_error_is_that_of_weighted_outputs()
    {
        double[] importance = Importance();
        using Matrix<float> weights = RandomMatrices.Gaussian(Rows, Columns, 5), other = RandomMatrices.Gaussian(Rows, Columns, 6), x = RandomMatrices.Gaussian(40, Columns, 7);
        using LayerStatistics plain = LayerStatistics.FromActivations(x.View), weighted = plain.WithOutputImportance(importance);
        double[,] exact = MatrixOracle.Product(weights.View, x.View), approximate = MatrixOracle.Product(other.View, x.View);
        double error = 0, norm = 0;
        for (int token = 0; token < 40; token++)
        {
            for (int i = 0; i < Rows; i++)
            {
                error += importance[i] * Math.Pow(exact[token, i] - approximate[token, i], 2);
                norm += importance[i] * Math.Pow(exact[token, i], 2);
            }
        }

        Assert.Equal(Math.Sqrt(error / norm), weighted.OutputError(weights.View, other.View), 1e-9);
    }

    [Fact]
    public void Outputs_of_no_importance_still_get_finite_weights()
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(Rows, Columns, 1);
        using LayerStatistics plain = Statistics(2), weighted = plain.WithOutputImportance(Enumerable.Range(0, Rows).Select(i => i == 3 ? 1.0 : 0));
        foreach (string method in new[] { "lowrank:rank=1", "btt:rank=1", "mpo:chi=2", "tucker:rank=1:head-rank=3" })
        {
            using Matrix<float> dense = Compressed(weights, method, weighted);
            for (int row = 0; row < Rows; row++) Assert.All(dense.Row(row).ToArray(), value => Assert.True(float.IsFinite(value) && Math.Abs(value) < 100));
        }

        using Matrix<float> one = Compressed(weights, "lowrank:rank=1", weighted);
        Assert.True(weighted.OutputError(weights.View, one.View) < 1e-2); // one output: rank one is exact on it
    }

    [Fact]
    public void Importance_that_makes_no_sense_or_is_of_another_layer_is_refused()
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(Rows, Columns, 1);
        using LayerStatistics plain = Statistics(2), other = plain.WithOutputImportance([1, 2, 3]);
        Assert.Throws<ArgumentException>(() => plain.WithOutputImportance([1, -1]));
        Assert.Throws<ArgumentException>(() => plain.WithOutputImportance([1, double.NaN]));
        Assert.Throws<ArgumentException>(() => plain.WithOutputImportance([0, 0]));
        Assert.Throws<ArgumentException>(() => plain.WithOutputImportance([]));
        Assert.Contains("another layer", Assert.Throws<ArgumentException>(() => Compressed(weights, "lowrank:rank=1", other)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_borrowed_second_moment_outlives_the_borrower()
    {
        using LayerStatistics plain = Statistics(2);
        double before = plain.Diagonal()[0];
        plain.WithOutputImportance(Importance()).Dispose();
        Assert.Equal(before, plain.Diagonal()[0]);
    }

    private static Matrix<float> Compressed(Matrix<float> weights, string method, LayerStatistics statistics)
    {
        MethodOptions[] terms = [.. method.Split('+').Select(CompressionMethods.ParseOptions)];
        MethodOptions options = terms.Length == 1 ? terms[0] : new SumOptions(terms);
        using CompressedWeight weight = options.Method.Compress(weights.View, options, new CompressionContext { Statistics = statistics });
        return weight.ToDense();
    }

    private static double[] Importance() => [.. Enumerable.Range(0, Rows).Select(i => i % 5 == 0 ? 20.0 : 0.1 + i % 3)];

    private static LayerStatistics Statistics(ulong seed)
    {
        using Matrix<float> sources = RandomMatrices.Gaussian(300, 8, seed), mixing = RandomMatrices.Gaussian(Columns, 8, seed + 1), x = RandomMatrices.Gaussian(300, Columns, seed + 2);
        MatrixProduct.Multiply(sources, mixing.Transposed, x.View, beta: 0.5f);
        return LayerStatistics.FromActivations(x.View);
    }
}
