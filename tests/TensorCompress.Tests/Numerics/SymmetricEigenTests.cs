using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;
using TensorCompress.Threading;

namespace TensorCompress.Tests.Numerics;

public sealed class SymmetricEigenTests
{
    private const double RatioLimit = 10;

    public static TheoryData<string, int> Matrices()
    {
        var data = new TheoryData<string, int>();
        foreach (int size in new[] { 1, 2, 3, 5, 31, 32, 33, 64, 65, 100, 131, 200 })
        {
            foreach (string kind in DifficultMatrices.Kinds.Append("wilkinson").Append("laplace")) data.Add(kind, size);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Matrices))]
    public void Lapack_ratios_are_small_at_every_scale(string kind, int size)
    {
        foreach (double scale in size > 100 ? [1] : new[] { 1, 1e150, 1e-150, 1e300, 1e-300 })
        {
            using Matrix<double> matrix = Symmetric(kind, size, scale);
            using SymmetricEigendecomposition eigen = SymmetricEigen.Decompose(matrix.View);
            AssertValid(matrix, eigen);
            double[] values = SymmetricEigen.Values(matrix.View);
            double norm = Math.Max(Math.Abs(values[0]), Math.Abs(values[^1]));
            for (int i = 0; i < size; i++) Assert.InRange(Math.Abs(values[i] - eigen.Values[i]), 0, RatioLimit * size * FactorRatios.Epsilon * norm);
        }
    }

    [Theory]
    [InlineData(50)]
    [InlineData(150)]
    public void Values_are_those_of_another_library(int size)
    {
        using Matrix<double> matrix = Symmetric("gaussian", size, 1);
        using SymmetricEigendecomposition eigen = SymmetricEigen.Decompose(matrix.View);
        double[] expected = [.. MathNet.Numerics.LinearAlgebra.Matrix<double>.Build.Dense(size, size, (i, j) => matrix[i, j]).Evd().EigenValues.Select(value => value.Real).OrderDescending()];
        for (int i = 0; i < size; i++) Assert.Equal(expected[i], eigen.Values[i], 1e-12 * expected[0]);
    }

    [Fact]
    public void Values_of_the_second_difference_are_known()
    {
        const int Size = 120;
        using Matrix<double> matrix = Symmetric("laplace", Size, 1);
        using SymmetricEigendecomposition eigen = SymmetricEigen.Decompose(matrix.View);
        for (int i = 0; i < Size; i++) Assert.Equal(2 + 2 * Math.Cos((i + 1) * Math.PI / (Size + 1)), eigen.Values[i], 1e-14);
    }

    [Fact]
    public void Only_the_upper_triangle_is_read()
    {
        using Matrix<double> matrix = Symmetric("gaussian", 40, 1), upper = Symmetric("gaussian", 40, 1);
        for (int i = 0; i < 40; i++)
        {
            for (int j = 0; j < i; j++) upper[i, j] = 77;
        }

        using SymmetricEigendecomposition expected = SymmetricEigen.Decompose(matrix.View), actual = SymmetricEigen.Decompose(upper.View);
        Assert.True(expected.Values.SequenceEqual(actual.Values));
    }

    [Fact]
    public void Bits_do_not_depend_on_the_number_of_threads()
    {
        using Matrix<double> matrix = Symmetric("gaussian", 300, 1);
        using var one = new ComputePool(1);
        using SymmetricEigendecomposition expected = SymmetricEigen.Decompose(matrix.View, one);
        foreach (int threads in new[] { 2, 3, 8 })
        {
            using var pool = new ComputePool(threads);
            using SymmetricEigendecomposition eigen = SymmetricEigen.Decompose(matrix.View, pool);
            Assert.True(expected.Values.SequenceEqual(eigen.Values));
            for (int i = 0; i < 300; i++) Assert.True(expected.VectorsTransposed.Row(i).SequenceEqual(eigen.VectorsTransposed.Row(i)));
        }
    }

    [Fact]
    public void Random_matrices_have_small_ratios()
    {
        var random = new SeededRandom(12);
        for (int run = 0; run < 200; run++)
        {
            int size = 1 + random.NextInt32(70);
            double spread = 40 * random.NextDouble();
            using Matrix<double> half = RandomMatrices.MakeDouble(size, size, (_, _) => random.NextGaussian() * Math.Exp(spread * (random.NextDouble() - 0.5)) * random.NextInt32(2));
            using Matrix<double> matrix = RandomMatrices.MakeDouble(size, size, (i, j) => half[Math.Min(i, j), Math.Max(i, j)]);
            using SymmetricEigendecomposition eigen = SymmetricEigen.Decompose(matrix.View);
            AssertValid(matrix, eigen);
        }
    }

    [Fact]
    public void Bad_matrices_are_refused()
    {
        using var wide = new Matrix<double>(3, 4);
        Assert.Throws<ArgumentException>(() => SymmetricEigen.Decompose(wide.View));
        using var square = new Matrix<double>(3, 3);
        square[1, 2] = double.NaN;
        Assert.Contains("row 1, column 2", Assert.Throws<ArgumentException>(() => SymmetricEigen.Values(square.View)).Message, StringComparison.Ordinal);
        using var empty = new Matrix<double>(0, 0);
        using SymmetricEigendecomposition eigen = SymmetricEigen.Decompose(empty.View);
        Assert.Equal(0, eigen.Values.Length);
    }

    private static Matrix<double> Symmetric(string kind, int size, double scale)
    {
        using Matrix<double> source = kind is "wilkinson" or "laplace" ? new Matrix<double>(size, size) : DifficultMatrices.Make(kind, size, size);
        return RandomMatrices.MakeDouble(size, size, (i, j) => scale * kind switch
        {
            // Its largest eigenvalues agree in pairs to rounding.
            "wilkinson" => i == j ? Math.Abs(i - size / 2) : Math.Abs(i - j) == 1 ? 1 : 0,
            "laplace" => i == j ? 2 : Math.Abs(i - j) == 1 ? -1 : 0,
            _ => source[Math.Min(i, j), Math.Max(i, j)],
        });
    }

    private static void AssertValid(Matrix<double> matrix, SymmetricEigendecomposition eigen)
    {
        int size = (int)matrix.Rows;
        for (int i = 1; i < size; i++) Assert.True(eigen.Values[i] <= eigen.Values[i - 1]);
        Assert.InRange(FactorRatios.Orthogonality(eigen.VectorsTransposed) / (size * FactorRatios.Epsilon), 0, RatioLimit);
        Assert.InRange(FactorRatios.Residual(matrix, eigen.VectorsTransposed, eigen.Values, eigen.VectorsTransposed) / (size * FactorRatios.Epsilon), 0, RatioLimit);
    }
}
