using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;
using TensorCompress.Threading;

namespace TensorCompress.Tests.Numerics;

public sealed class CholeskyQrTests
{
    [Theory]
    [InlineData("gaussian", true)]
    [InlineData("identity", true)]
    [InlineData("orthogonal", true)]
    [InlineData("low rank", false)]
    [InlineData("zero", false)]
    [InlineData("equal rows", false)]
    [InlineData("hilbert", false)]
    public void Rows_become_orthonormal_and_keep_their_span(string kind, bool byCholesky)
    {
        using Matrix<double> matrix = DifficultMatrices.Make(kind, 40, 90), rows = DifficultMatrices.Make(kind, 40, 90);
        Assert.Equal(byCholesky, CholeskyQr.Orthonormalize(rows.View, 2, ComputePool.Shared));
        Assert.InRange(FactorRatios.Orthogonality(rows), 0, 1e-13);
        AssertSpans(matrix, rows, 1e-12);

        using Matrix<float> single = RandomMatrices.Make(40, 90, (i, j) => matrix[i, j]), singleRows = RandomMatrices.Make(40, 90, (i, j) => matrix[i, j]);
        Assert.Equal(byCholesky, CholeskyQr.Orthonormalize(singleRows.View, 2, ComputePool.Shared));
        using Matrix<double> wide = MatrixCopy.Widen(single.View), wideRows = MatrixCopy.Widen(singleRows.View);
        Assert.InRange(FactorRatios.Orthogonality(wideRows), 0, 1e-5);
        AssertSpans(wide, wideRows, 1e-5);
    }

    [Fact]
    public void Norms_of_rows_do_not_matter()
    {
        using Matrix<double> rows = RandomMatrices.GaussianDouble(20, 50);
        for (int i = 0; i < 20; i++) DoubleVectors.Scale(Math.Pow(10, 2 * i - 20), rows.Row(i));
        Assert.True(CholeskyQr.Orthonormalize(rows.View, 2, ComputePool.Shared));
        Assert.InRange(FactorRatios.Orthogonality(rows), 0, 1e-13);
    }

    [Theory]
    [InlineData(1e30f)]
    [InlineData(1e-30f)]
    public void Floats_of_any_scale_become_orthonormal(float scale)
    {
        using Matrix<float> rows = RandomMatrices.Gaussian(20, 50, scale: scale);
        Assert.True(CholeskyQr.Orthonormalize(rows.View, 2, ComputePool.Shared));
        using Matrix<double> wide = MatrixCopy.Widen(rows.View);
        Assert.InRange(FactorRatios.Orthogonality(wide), 0, 1e-5);
    }

    [Fact]
    public void Bits_do_not_depend_on_the_number_of_threads()
    {
        using Matrix<float> expected = RandomMatrices.Gaussian(90, 2000), actual = RandomMatrices.Gaussian(90, 2000);
        using ComputePool one = new(1), three = new(3);
        CholeskyQr.Orthonormalize(expected.View, 2, one);
        CholeskyQr.Orthonormalize(actual.View, 2, three);
        for (int i = 0; i < 90; i++) Assert.True(expected.Row(i).SequenceEqual(actual.Row(i)));
    }

    /// <summary>Every row of the matrix is what its parts along the basis add up to.</summary>
    private static void AssertSpans(Matrix<double> matrix, Matrix<double> basis, double limit)
    {
        for (int i = 0; i < matrix.Rows; i++)
        {
            double[] rest = matrix.Row(i).ToArray();
            double norm = Math.Sqrt(DoubleVectors.Dot(rest, rest));
            for (int j = 0; j < basis.Rows; j++) DoubleVectors.AddScaled(-DoubleVectors.Dot(basis.Row(j), matrix.Row(i)), basis.Row(j), rest);
            Assert.InRange(Math.Sqrt(DoubleVectors.Dot(rest, rest)), 0, limit * (norm + 1e-300));
        }
    }
}
