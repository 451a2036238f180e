using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;
using TensorCompress.Threading;

namespace TensorCompress.Tests.Numerics;

public sealed class SvdTests
{
    /// <summary>LAPACK passes its own routines below 30; this is the stricter bound of ours.</summary>
    private const double RatioLimit = 10;

    public static TheoryData<string, int, int> Matrices()
    {
        var data = new TheoryData<string, int, int>();
        foreach ((int m, int n) in new[] { (1, 1), (1, 2), (2, 1), (2, 2), (3, 2), (2, 3), (5, 5), (1, 40), (40, 1), (10, 50), (50, 10), (33, 65), (65, 33), (100, 100), (130, 70) })
        {
            foreach (string kind in DifficultMatrices.Kinds)
                data.Add(kind, m, n);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Matrices))]
    public void Lapack_ratios_are_small_at_every_scale(string kind, int rows, int columns)
    {
        foreach (double scale in new[] { 1, 1e30, 1e-30, 1e150, 1e-150, 1e300, 1e-300 })
        {
            using Matrix<double> matrix = DifficultMatrices.Make(kind, rows, columns);
            for (nint i = 0; i < rows; i++)
            {
                for (nint j = 0; j < columns; j++) matrix[i, j] *= scale;
            }

            using SingularValueDecomposition svd = Svd.Full(matrix.View);
            AssertValid(matrix, svd);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(1e150)]
    [InlineData(1e-300)]
    public void Gram_levels_are_as_accurate_as_rotations(double scale)
    {
        foreach (string kind in DifficultMatrices.Kinds)
        {
            foreach ((int m, int n) in new[] { (70, 70), (150, 90), (90, 150), (200, 200) })
            {
                using Matrix<double> matrix = DifficultMatrices.Make(kind, m, n);
                MatrixScale.Multiply(matrix.View, Math.ILogB(scale));
                using SingularValueDecomposition svd = Svd.Full(matrix.View);
                Assert.Equal(SvdPath.Gram, svd.Path);
                AssertValid(matrix, svd);
            }
        }
    }

    [Theory]
    [InlineData(1e30f)]
    [InlineData(1e-30f)]
    [InlineData(1e38f)]
    [InlineData(1f)]
    public void Floats_of_any_scale_are_decomposed(float scale)
    {
        using Matrix<float> matrix = RandomMatrices.Make(30, 20, (i, j) => Math.Sin(i * 20 + j) * scale);
        using SingularValueDecomposition svd = Svd.Full(matrix.View);
        using Matrix<double> wide = RandomMatrices.MakeDouble(30, 20, (i, j) => matrix[i, j]);
        AssertValid(wide, svd);
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(0, 5)]
    [InlineData(5, 0)]
    public void Empty_matrices_have_no_triplets(int rows, int columns)
    {
        using var matrix = new Matrix<double>(rows, columns);
        using SingularValueDecomposition svd = Svd.Full(matrix.View);
        Assert.Equal(0, svd.Rank);
        Assert.Equal((nint)rows, svd.LeftTransposed.Columns);
        Assert.Equal((nint)columns, svd.RightTransposed.Columns);
    }

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    [InlineData(double.NegativeInfinity)]
    public void Values_that_are_not_finite_are_refused_with_count_and_place(double bad)
    {
        using Matrix<double> matrix = RandomMatrices.GaussianDouble(6, 4);
        matrix[4, 1] = bad;
        matrix[5, 0] = bad;
        var fault = Assert.Throws<ArgumentException>(() => Svd.Full(matrix.View));
        Assert.Contains("2 elements", fault.Message, StringComparison.Ordinal);
        Assert.Contains("row 4, column 1", fault.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => Svd.Truncated(matrix.View, 2));
    }

    [Theory]
    [InlineData(40, 25)]
    [InlineData(25, 40)]
    [InlineData(90, 90)]
    public void Singular_values_are_those_of_another_library(int rows, int columns)
    {
        using Matrix<double> matrix = RandomMatrices.GaussianDouble(rows, columns, 3);
        using SingularValueDecomposition svd = Svd.Full(matrix.View);
        double[] expected = [.. MathNet.Numerics.LinearAlgebra.Matrix<double>.Build.Dense(rows, columns, (i, j) => matrix[i, j]).Svd(false).S];
        for (int i = 0; i < expected.Length; i++) Assert.Equal(expected[i], svd.Values[i], expected[0] * 1e-13);
    }

    [Fact]
    public void Small_singular_values_of_a_graded_matrix_keep_their_digits()
    {
        // Column scaling of a well-conditioned matrix: one-sided Jacobi finds every value to high relative accuracy.
        using Matrix<double> matrix = RandomMatrices.MakeDouble(3, 3, (i, j) => i == j ? Math.Pow(10, -60 * j) : 0);
        using SingularValueDecomposition svd = Svd.Full(matrix.View);
        for (int i = 0; i < 3; i++) Assert.Equal(1, svd.Values[i] / Math.Pow(10, -60 * i), 1e-14);
    }

    [Fact]
    public void Truncation_is_the_best_approximation_of_its_rank()
    {
        using Matrix<double> matrix = RandomMatrices.GaussianDouble(40, 30);
        using SingularValueDecomposition full = Svd.Full(matrix.View), few = Svd.Truncated(matrix.View, 7);
        Assert.Equal(7, few.Rank);
        double tail = Math.Sqrt(full.Values[7..].ToArray().Sum(value => value * value));
        Assert.Equal(tail, Residual(matrix, few) * few.Values[0], tail * 1e-12);
        Assert.Equal(tail / Math.Sqrt(full.Values.ToArray().Sum(value => value * value)), few.EstimatedError, 1e-12);
        using SingularValueDecomposition more = Svd.Truncated(matrix.View, 1000);
        Assert.Equal(30, more.Rank);
        Assert.Throws<ArgumentOutOfRangeException>(() => Svd.Truncated(matrix.View, -1));
    }

    [Theory]
    [InlineData(150, 90)]
    [InlineData(64, 300)]
    public void Bits_do_not_depend_on_the_number_of_threads(int rows, int columns)
    {
        using Matrix<double> matrix = RandomMatrices.GaussianDouble(rows, columns);
        using var one = new ComputePool(1);
        using SingularValueDecomposition expected = Svd.Full(matrix.View, one);
        foreach (int threads in new[] { 2, 3, 8 })
        {
            using var pool = new ComputePool(threads);
            using SingularValueDecomposition svd = Svd.Full(matrix.View, pool);
            Assert.True(expected.Values.SequenceEqual(svd.Values));
            for (int i = 0; i < svd.Rank; i++)
            {
                Assert.True(expected.LeftTransposed.Row(i).SequenceEqual(svd.LeftTransposed.Row(i)));
                Assert.True(expected.RightTransposed.Row(i).SequenceEqual(svd.RightTransposed.Row(i)));
            }
        }
    }

    [Fact]
    public void Cancellation_is_obeyed()
    {
        using Matrix<double> matrix = RandomMatrices.GaussianDouble(200, 200);
        Assert.Throws<OperationCanceledException>(() => Svd.Full(matrix.View, cancellationToken: new CancellationToken(true)));
    }

    [Fact]
    public void Random_matrices_have_small_ratios()
    {
        var random = new SeededRandom(11);
        for (int run = 0; run < 300; run++)
        {
            int rows = 1 + random.NextInt32(24), columns = 1 + random.NextInt32(24);
            double spread = 40 * random.NextDouble();
            using Matrix<double> matrix = RandomMatrices.MakeDouble(rows, columns, (_, _) => random.NextGaussian() * Math.Exp(spread * (random.NextDouble() - 0.5)) * random.NextInt32(2));
            using SingularValueDecomposition svd = Svd.Full(matrix.View);
            AssertValid(matrix, svd);
        }
    }

    private static void AssertValid(Matrix<double> matrix, SingularValueDecomposition svd)
    {
        int m = (int)matrix.Rows, n = (int)matrix.Columns, k = Math.Min(m, n);
        Assert.Equal(k, svd.Rank);
        Assert.Equal(0, svd.EstimatedError);
        AssertOrdered(svd);
        Assert.InRange(FactorRatios.Orthogonality(svd.LeftTransposed) / (m * FactorRatios.Epsilon), 0, RatioLimit);
        Assert.InRange(FactorRatios.Orthogonality(svd.RightTransposed) / (n * FactorRatios.Epsilon), 0, RatioLimit);
        Assert.InRange(Residual(matrix, svd) / (Math.Max(m, n) * FactorRatios.Epsilon), 0, RatioLimit);
    }

    private static void AssertOrdered(SingularValueDecomposition svd)
    {
        for (int i = 0; i < svd.Rank; i++)
        {
            Assert.True(svd.Values[i] >= 0 && double.IsFinite(svd.Values[i]));
            if (i > 0) Assert.True(svd.Values[i] <= svd.Values[i - 1]);
            ReadOnlySpan<double> left = svd.LeftTransposed.Row(i);
            Assert.True(left[DoubleVectors.IndexOfLargest(left)] > 0);
        }
    }

    /// <summary>||A - U diag(s) V^T|| / s_1.</summary>
    private static double Residual(Matrix<double> matrix, SingularValueDecomposition svd) =>
        FactorRatios.Residual(matrix, svd.LeftTransposed, svd.Values, svd.RightTransposed);
}
