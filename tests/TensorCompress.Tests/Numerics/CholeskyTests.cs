using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;
using TensorCompress.Threading;

namespace TensorCompress.Tests.Numerics;

public sealed class CholeskyTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(63)]
    [InlineData(64)]
    [InlineData(65)]
    [InlineData(200)]
    public void Product_is_the_matrix_and_solutions_solve(int size)
    {
        using Matrix<double> matrix = Gram(size, size + 10);
        using Cholesky factor = Cholesky.Factorize(matrix.View, ridge: 0.5);
        Assert.Equal(0.5, factor.Ridge);
        using Matrix<double> rightSides = RandomMatrices.GaussianDouble(size, 7), solution = RandomMatrices.GaussianDouble(size, 7);
        factor.Solve(solution.View);
        double limit = 10 * (size + 1) * FactorRatios.Epsilon;
        for (int i = 0; i < size; i++)
        {
            for (int j = 0; j < size; j++)
            {
                double expected = matrix[i, j] + (i == j ? 0.5 : 0);
                Assert.Equal(expected, Enumerable.Range(0, size).Sum(l => factor.Lower[i, l] * factor.Lower[j, l]), limit * matrix[i, i]);
                if (j > i) Assert.Equal(0, factor.Lower[i, j]);
            }

            for (int j = 0; j < 7; j++)
            {
                double product = Enumerable.Range(0, size).Sum(l => (matrix[i, l] + (i == l ? 0.5 : 0)) * solution[l, j]);
                Assert.Equal(rightSides[i, j], product, 1e-10);
            }
        }
    }

    [Theory]
    [InlineData(1e60)]
    [InlineData(1e-60)]
    [InlineData(1e290)]
    [InlineData(1e-290)]
    public void Scale_does_not_matter(double scale)
    {
        using Matrix<double> matrix = Gram(70, 90), scaled = RandomMatrices.MakeDouble(70, 70, (i, j) => scale * matrix[i, j]), solution = RandomMatrices.GaussianDouble(70, 2), expected = RandomMatrices.GaussianDouble(70, 2);
        using Cholesky factor = Cholesky.Factorize(scaled.View), unit = Cholesky.Factorize(matrix.View);
        factor.Solve(solution.View);
        unit.Solve(expected.View);
        for (int i = 0; i < 70; i++)
        {
            Assert.Equal(1, factor.Lower[i, i] / Math.Sqrt(scale) / unit.Lower[i, i], 1e-11);
            for (int j = 0; j < 2; j++) Assert.Equal(expected[i, j], solution[i, j] * scale, 1e-10);
        }
    }

    [Fact]
    public void Bits_do_not_depend_on_the_number_of_threads()
    {
        using Matrix<double> matrix = Gram(300, 320), expected = RandomMatrices.GaussianDouble(300, 40), actual = RandomMatrices.GaussianDouble(300, 40);
        using ComputePool one = new(1), three = new(3);
        using Cholesky first = Cholesky.Factorize(matrix.View, pool: one), second = Cholesky.Factorize(matrix.View, pool: three);
        first.Solve(expected.View);
        second.Solve(actual.View);
        for (int i = 0; i < 300; i++)
        {
            Assert.True(first.Lower.Row(i).SequenceEqual(second.Lower.Row(i)));
            Assert.True(expected.Row(i).SequenceEqual(actual.Row(i)));
        }
    }

    [Fact]
    public void Halves_of_a_solve_are_a_solve()
    {
        using Matrix<double> matrix = Gram(100, 120), whole = RandomMatrices.GaussianDouble(100, 3), halves = RandomMatrices.GaussianDouble(100, 3);
        using Cholesky factor = Cholesky.Factorize(matrix.View);
        factor.Solve(whole.View);
        factor.SolveLower(halves.View);
        factor.SolveLowerTransposed(halves.View);
        for (int i = 0; i < 100; i++) Assert.True(whole.Row(i).SequenceEqual(halves.Row(i)));
    }

    [Fact]
    public void Only_the_lower_triangle_is_read()
    {
        using Matrix<double> matrix = Gram(90, 100), lower = Gram(90, 100);
        for (int i = 0; i < 90; i++)
        {
            for (int j = i + 1; j < 90; j++) lower[i, j] = 1e9;
        }

        using Cholesky expected = Cholesky.Factorize(matrix.View), actual = Cholesky.Factorize(lower.View);
        for (int i = 0; i < 90; i++) Assert.True(expected.Lower.Row(i).SequenceEqual(actual.Lower.Row(i)));
    }

    [Theory]
    [InlineData(1)] // one sample: rank 1
    [InlineData(40)]
    public void Ridge_rises_until_a_singular_matrix_can_be_factorised(int rank)
    {
        using Matrix<double> matrix = Gram(100, rank);
        using Cholesky factor = Cholesky.FactorizeWithRidge(matrix.View);
        double mean = Enumerable.Range(0, 100).Average(i => matrix[i, i]);
        Assert.InRange(factor.RidgeSteps, 1, 3);
        Assert.Equal(1e-10 * Math.Pow(10, factor.RidgeSteps - 1) * mean, factor.Ridge, 1e-12 * mean);
        Assert.All(Enumerable.Range(0, 100), i => Assert.True(factor.Lower[i, i] > 0));
    }

    [Fact]
    public void A_ridge_is_not_added_where_none_is_needed()
    {
        using Matrix<double> matrix = Gram(50, 200);
        using Cholesky factor = Cholesky.FactorizeWithRidge(matrix.View);
        Assert.Equal((0, 0.0), (factor.RidgeSteps, factor.Ridge));
    }

    [Fact]
    public void Small_negative_eigenvalues_are_lifted_and_large_ones_refused()
    {
        using Matrix<double> matrix = Gram(80, 100);
        double mean = Enumerable.Range(0, 80).Average(i => matrix[i, i]);
        matrix[40, 40] -= matrix[40, 40] + 1e-6 * mean;
        Assert.Contains("row ", Assert.Throws<ArithmeticException>(() => Cholesky.Factorize(matrix.View)).Message, StringComparison.Ordinal);
        for (int j = 0; j < 80; j++) matrix[40, j] = matrix[j, 40] = j == 40 ? -1e-6 * mean : 0;
        using Cholesky factor = Cholesky.FactorizeWithRidge(matrix.View);
        Assert.Equal(6, factor.RidgeSteps); // 1e-5 of the mean is the first that is more than 1e-6
        matrix[40, 40] = -mean;
        Assert.Contains("ridge", Assert.Throws<ArithmeticException>(() => Cholesky.FactorizeWithRidge(matrix.View)).Message, StringComparison.Ordinal);
        using var zero = new Matrix<double>(3, 3);
        Assert.Throws<ArithmeticException>(() => Cholesky.FactorizeWithRidge(zero.View));
    }

    [Fact]
    public void Bad_input_is_refused()
    {
        using var wide = new Matrix<double>(2, 3);
        Assert.Throws<ArgumentException>(() => Cholesky.Factorize(wide.View));
        using Matrix<double> matrix = Gram(4, 9), rightSides = new(5, 1);
        using Cholesky factor = Cholesky.Factorize(matrix.View);
        Assert.Throws<ArgumentException>(() => factor.Solve(rightSides.View));
        matrix[2, 1] = double.PositiveInfinity;
        Assert.Contains("row 2, column 1", Assert.Throws<ArgumentException>(() => Cholesky.FactorizeWithRidge(matrix.View)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => Cholesky.FactorizeWithRidge(matrix.View.RowRange(0, 1).ColumnRange(0, 1), maximumSteps: 11));
    }

    /// <summary>X X^T of a Gaussian X [size, samples].</summary>
    private static Matrix<double> Gram(int size, int samples)
    {
        using Matrix<double> x = RandomMatrices.GaussianDouble(size, samples, 9);
        return RandomMatrices.MakeDouble(size, size, (i, j) => DoubleVectors.Dot(x.Row(i), x.Row(j)));
    }
}
