using TensorCompress.Numerics;
using TensorCompress.Numerics.SingularValues;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;
using TensorCompress.Threading;

namespace TensorCompress.Tests.Numerics;

/// <summary>Truncated decompositions of matrices large enough for the randomised path, beside full ones.</summary>
public sealed class SvdTruncatedTests
{
    [Theory]
    [InlineData("flat", 600, 640, 0.005)]
    [InlineData("flat", 900, 560, 0.005)]
    [InlineData("decaying", 600, 640, 0.001)]
    [InlineData("steep", 600, 640, 0.001)]
    public void Error_is_nearly_the_least_and_is_told(string spectrum, int rows, int columns, double excess)
    {
        using Matrix<float> matrix = Make(spectrum, rows, columns);
        using Matrix<double> wide = MatrixCopy.Widen(matrix.View);
        double[] values = Svd.Values(matrix.View);
        double norm = Math.Sqrt(values.Sum(value => value * value));
        foreach (int rank in new[] { 1, 40, 140 })
        {
            using SingularValueDecomposition svd = Svd.Truncated(matrix.View, rank);
            Assert.Equal(SvdPath.BlockKrylov, svd.Path);
            Assert.Equal(rank, svd.Rank);
            double least = Math.Sqrt(values.Skip(rank).Sum(value => value * value)), error = FactorRatios.Residual(wide, svd.LeftTransposed, svd.Values, svd.RightTransposed) * svd.Values[0];
            Assert.InRange(error, 0, least * (1 + excess) + 1e-6 * norm);
            Assert.InRange(svd.EstimatedError, 0.8 * error / norm - 1e-6, 1.25 * error / norm + 1e-6);
            AssertSingle(svd);
        }
    }

    [Fact]
    public void Doubles_keep_their_precision()
    {
        using Matrix<double> left = RandomMatrices.GaussianDouble(560, 30), right = RandomMatrices.GaussianDouble(30, 600, 2), matrix = new(560, 600);
        MatrixProduct.Multiply(left, right, matrix.View);
        using SingularValueDecomposition svd = Svd.Truncated(matrix.View, 30);
        Assert.Equal(SvdPath.BlockKrylov, svd.Path);
        Assert.InRange(FactorRatios.Residual(matrix, svd.LeftTransposed, svd.Values, svd.RightTransposed), 0, 1e-12);
        Assert.InRange(FactorRatios.Orthogonality(svd.LeftTransposed), 0, 1e-12);
        Assert.InRange(FactorRatios.Orthogonality(svd.RightTransposed), 0, 1e-12);
        Assert.InRange(svd.EstimatedError, 0, 1e-12);
    }

    [Theory]
    [InlineData(1e30f)]
    [InlineData(1e-30f)]
    [InlineData(1e36f)]
    [InlineData(1e-37f)]
    public void Scale_does_not_matter(float scale)
    {
        using Matrix<float> matrix = RandomMatrices.Make(520, 530, (i, j) => Math.Sin(i * 0.01 * j + i) * scale);
        using SingularValueDecomposition svd = Svd.Truncated(matrix.View, 20);
        using Matrix<float> unit = RandomMatrices.Make(520, 530, (i, j) => matrix[i, j] / scale);
        using SingularValueDecomposition expected = Svd.Truncated(unit.View, 20);
        AssertSingle(svd);
        for (int i = 0; i < 20; i++) Assert.Equal(expected.Values[i], svd.Values[i] / scale, 1e-4 * expected.Values[0]);
    }

    [Theory]
    [InlineData(1e300)]
    [InlineData(1e-300)]
    public void Scale_of_doubles_does_not_matter(double scale)
    {
        using Matrix<double> matrix = RandomMatrices.MakeDouble(520, 530, (i, j) => Math.Sin(i * 0.01 * j + i) * scale), unit = RandomMatrices.MakeDouble(520, 530, (i, j) => matrix[i, j] / scale);
        using SingularValueDecomposition svd = Svd.Truncated(matrix.View, 20), expected = Svd.Truncated(unit.View, 20);
        double[] values = Svd.Values(matrix.View);
        for (int i = 0; i < 20; i++)
        {
            Assert.Equal(expected.Values[i], svd.Values[i] / scale, 1e-8 * expected.Values[0]);
            Assert.Equal(expected.Values[i], values[i] / scale, 1e-2 * expected.Values[0]);
        }
    }

    [Theory]
    [InlineData("zero", 0)]
    [InlineData("one entry", 1e-5)]
    [InlineData("constant", 1e-5)]
    [InlineData("identity", 1e-5)]
    [InlineData("equal rows", 0.02)]
    public void Degenerate_matrices_have_orthonormal_vectors(string kind, double tolerance)
    {
        using Matrix<double> wide = DifficultMatrices.Make(kind, 530, 520);
        using Matrix<float> matrix = RandomMatrices.Make(530, 520, (i, j) => wide[i, j]);
        using SingularValueDecomposition svd = Svd.Truncated(matrix.View, 12);
        Assert.Equal(SvdPath.BlockKrylov, svd.Path);
        AssertSingle(svd);
        double[] values = Svd.Values(matrix.View);
        for (int i = 0; i < 12; i++) Assert.Equal(values[i], svd.Values[i], tolerance * values[0]);
    }

    [Theory]
    [InlineData("decaying", 600, 0.7, SvdPath.BlockKrylov)]
    [InlineData("steep", 600, 0.01, SvdPath.BlockKrylov)]
    [InlineData("steep", 600, 1e-5, SvdPath.Gram)]
    [InlineData("flat", 600, 0.5, SvdPath.Gram)]
    [InlineData("decaying", 200, 0.3, SvdPath.Gram)]
    [InlineData("decaying", 50, 0.3, SvdPath.Jacobi)]
    public void Tolerance_is_met_with_few_triplets(string spectrum, int size, double tolerance, SvdPath path)
    {
        using Matrix<float> matrix = Make(spectrum, size, size);
        using Matrix<double> wide = MatrixCopy.Widen(matrix.View);
        using SingularValueDecomposition svd = Svd.Truncated(matrix.View, SvdTruncation.ToError(tolerance));
        using SingularValueDecomposition full = Svd.Full(matrix.View);
        Assert.Equal(path, svd.Path);
        double square = full.Values.ToArray().Sum(value => value * value), norm = Math.Sqrt(square);
        int least = Enumerable.Range(0, size).First(rank => full.Values[rank..].ToArray().Sum(value => value * value) <= tolerance * tolerance * square);
        Assert.InRange(svd.Rank, least, Math.Ceiling(least * 1.03) + 1);
        Assert.InRange(FactorRatios.Residual(wide, svd.LeftTransposed, svd.Values, svd.RightTransposed) * svd.Values[0], 0, tolerance * norm * 1.001);
        Assert.InRange(svd.EstimatedError, 0, tolerance * 1.001);
    }

    [Theory]
    [InlineData(40)]
    [InlineData(600)]
    public void Tolerance_does_not_cut_a_cluster(int size)
    {
        // Ten values of 3, the rest 0.01: any error below the whole keeps all ten or none.
        using Matrix<double> rows = RandomMatrices.GaussianDouble(10, size);
        Assert.True(CholeskyQr.Orthonormalize(rows.View, 2, ComputePool.Shared));
        using Matrix<float> matrix = RandomMatrices.Make(size, size, (i, j) => (i == j ? 0.01 : 0) + 2.99 * Enumerable.Range(0, 10).Sum(r => rows[r, i] * rows[r, j]));
        using SingularValueDecomposition svd = Svd.Truncated(matrix.View, SvdTruncation.ToError(0.8));
        Assert.Equal(10, svd.Rank);
        using SingularValueDecomposition forced = Svd.Truncated(matrix.View, 4);
        Assert.Equal(4, forced.Rank);
    }

    [Fact]
    public void Edges_of_tolerance_and_rank()
    {
        using Matrix<float> matrix = Make("decaying", 70, 80);
        using SingularValueDecomposition nothing = Svd.Truncated(matrix.View, SvdTruncation.ToError(1)), everything = Svd.Truncated(matrix.View, SvdTruncation.ToError(0)), none = Svd.Truncated(matrix.View, 0);
        Assert.Equal((0, 70, 0), (nothing.Rank, everything.Rank, none.Rank));
        Assert.Equal(1, nothing.EstimatedError, 1e-12);
        Assert.Equal(1, none.EstimatedError, 1e-12);
        Assert.Throws<ArgumentOutOfRangeException>(() => SvdTruncation.ToError(1.5));
        Assert.Throws<ArgumentOutOfRangeException>(() => SvdTruncation.ToError(double.NaN));
        Assert.Throws<ArgumentOutOfRangeException>(() => SvdTruncation.ToRank(-1));
        Assert.Throws<ArgumentOutOfRangeException>(() => SvdTruncation.ToRank(1) with { PowerSteps = 11 });
    }

    [Fact]
    public void Values_that_are_not_finite_are_refused_with_count_and_place()
    {
        using Matrix<float> matrix = Make("flat", 520, 520);
        matrix[400, 3] = float.NaN;
        matrix[401, 2] = float.NegativeInfinity;
        foreach (Action act in new Action[] { () => Svd.Truncated(matrix.View, 5), () => Svd.Values(matrix.View), () => Svd.Full(matrix.View) })
        {
            var fault = Assert.Throws<ArgumentException>(act);
            Assert.Contains("2 elements", fault.Message, StringComparison.Ordinal);
            Assert.Contains("row 400, column 3", fault.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Bits_depend_on_the_seed_and_not_on_threads()
    {
        using Matrix<float> matrix = Make("decaying", 530, 600);
        using var one = new ComputePool(1);
        using SingularValueDecomposition expected = Svd.Truncated(matrix.View, 30, one);
        foreach (int threads in new[] { 2, 3, 8 })
        {
            using var pool = new ComputePool(threads);
            using SingularValueDecomposition svd = Svd.Truncated(matrix.View, 30, pool);
            Assert.True(expected.Values.SequenceEqual(svd.Values));
            Assert.Equal(expected.EstimatedError, svd.EstimatedError);
            for (int i = 0; i < 30; i++)
            {
                Assert.True(expected.LeftTransposed.Row(i).SequenceEqual(svd.LeftTransposed.Row(i)));
                Assert.True(expected.RightTransposed.Row(i).SequenceEqual(svd.RightTransposed.Row(i)));
            }
        }

        using SingularValueDecomposition other = Svd.Truncated(matrix.View, SvdTruncation.ToRank(30) with { Seed = 2 });
        Assert.False(expected.Values.SequenceEqual(other.Values));
        for (int i = 0; i < 30; i++) Assert.Equal(expected.Values[i], other.Values[i], 1e-3 * expected.Values[0]);
    }

    [Fact]
    public void Every_exact_path_gives_the_same_triplets()
    {
        using Matrix<double> matrix = RandomMatrices.GaussianDouble(90, 70);
        var exact = new ExactSvd<double>(matrix.View, SvdTruncation.ToRank(70), ComputePool.Shared, default);
        using SingularValueDecomposition rotations = exact.Decompose(SvdPath.Jacobi), levels = exact.Decompose(SvdPath.Gram);
        Assert.Equal((SvdPath.Jacobi, SvdPath.Gram), (rotations.Path, levels.Path));
        for (int i = 0; i < 70; i++)
        {
            Assert.Equal(rotations.Values[i], levels.Values[i], 1e-13 * rotations.Values[0]);
            for (int j = 0; j < 90; j++) Assert.Equal(rotations.LeftTransposed[i, j], levels.LeftTransposed[i, j], 1e-10);
        }
    }

    [Fact]
    public void Cancellation_is_obeyed()
    {
        using Matrix<float> matrix = Make("flat", 520, 520);
        Assert.Throws<OperationCanceledException>(() => Svd.Truncated(matrix.View, 20, cancellationToken: new CancellationToken(true)));
        Assert.Throws<OperationCanceledException>(() => Svd.Full(matrix.View, cancellationToken: new CancellationToken(true)));
    }

    private static void AssertSingle(SingularValueDecomposition svd)
    {
        Assert.InRange(LargestProduct(svd.LeftTransposed), 0, 1e-5);
        Assert.InRange(LargestProduct(svd.RightTransposed), 0, 1e-5);
        for (int i = 0; i < svd.Rank; i++)
        {
            Assert.True(svd.Values[i] >= 0 && (i == 0 || svd.Values[i] <= svd.Values[i - 1]));
            ReadOnlySpan<double> left = svd.LeftTransposed.Row(i);
            Assert.True(left[DoubleVectors.IndexOfLargest(left)] > 0);
        }
    }

    /// <summary>The largest magnitude in Q Q^T - I.</summary>
    private static double LargestProduct(Matrix<double> rows)
    {
        double largest = 0;
        for (int i = 0; i < rows.Rows; i++)
        {
            for (int j = 0; j <= i; j++) largest = Math.Max(largest, Math.Abs(DoubleVectors.Dot(rows.Row(i), rows.Row(j)) - (i == j ? 1 : 0)));
        }

        return largest;
    }

    /// <summary>Flat: Gaussian. Decaying and steep: s_j like j^-0.5 and 0.9^j, in bases that are nearly random.</summary>
    private static Matrix<float> Make(string spectrum, int rows, int columns)
    {
        Matrix<float> gaussian = RandomMatrices.Gaussian(rows, columns, 5);
        if (spectrum == "flat") return gaussian;
        using Matrix<float> left = gaussian, right = RandomMatrices.Gaussian(columns, columns, 6);
        for (int i = 0; i < rows; i++)
        {
            for (int j = 0; j < columns; j++) left[i, j] *= (float)(spectrum == "steep" ? Math.Pow(0.9, j) : 1 / Math.Sqrt(j + 1));
        }

        var result = new Matrix<float>(rows, columns);
        MatrixProduct.Multiply(left, right, result.View);
        return result;
    }
}
