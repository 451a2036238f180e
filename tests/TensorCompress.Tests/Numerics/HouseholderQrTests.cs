using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;
using TensorCompress.Threading;

namespace TensorCompress.Tests.Numerics;

public sealed class HouseholderQrTests
{
    public static TheoryData<string, int, int> Matrices()
    {
        var data = new TheoryData<string, int, int>();
        foreach ((int m, int n) in new[] { (0, 0), (3, 0), (1, 1), (5, 1), (5, 5), (33, 32), (64, 33), (70, 70), (150, 97) })
        {
            foreach (string kind in DifficultMatrices.Kinds) data.Add(kind, m, n);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Matrices))]
    public void Product_is_the_matrix_and_factor_is_orthogonal_at_every_scale(string kind, int rows, int columns)
    {
        foreach (double scale in rows > 100 ? [1] : new[] { 1, 1e30, 1e-30, 1e300, 1e-300 })
        {
            using Matrix<double> source = DifficultMatrices.Make(kind, rows, columns), matrix = RandomMatrices.MakeDouble(rows, columns, (i, j) => scale * source[i, j]);
            AssertValid(matrix);
        }
    }

    [Fact]
    public void Bits_do_not_depend_on_the_number_of_threads()
    {
        using Matrix<double> matrix = RandomMatrices.GaussianDouble(300, 170);
        using ComputePool one = new(1), three = new(3);
        using HouseholderQr expected = HouseholderQr.Factorize(matrix.View, one), actual = HouseholderQr.Factorize(matrix.View, three);
        using Matrix<double> q = expected.ThinQ(), sameQ = actual.ThinQ(), r = expected.R(), sameR = actual.R();
        for (int i = 0; i < 300; i++) Assert.True(q.Row(i).SequenceEqual(sameQ.Row(i)));
        for (int i = 0; i < 170; i++) Assert.True(r.Row(i).SequenceEqual(sameR.Row(i)));
    }

    [Fact]
    public void Wide_matrices_are_refused()
    {
        using var wide = new Matrix<double>(3, 4);
        Assert.Throws<ArgumentException>(() => HouseholderQr.Factorize(wide.View));
    }

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.NegativeInfinity)]
    public void Values_that_are_not_finite_are_refused_with_their_place(double bad)
    {
        using Matrix<double> matrix = RandomMatrices.GaussianDouble(6, 4);
        matrix[4, 1] = bad;
        Assert.Contains("row 4, column 1", Assert.Throws<ArgumentException>(() => HouseholderQr.Factorize(matrix.View)).Message, StringComparison.Ordinal);
    }

    private static void AssertValid(Matrix<double> matrix)
    {
        int rows = (int)matrix.Rows, columns = (int)matrix.Columns;
        using HouseholderQr qr = HouseholderQr.Factorize(matrix.View);
        using Matrix<double> q = qr.ThinQ(), r = qr.R(), transposed = MatrixCopy.Transpose(q.View), complement = qr.ComplementTransposed(rows - columns);
        double limit = 10.0 * rows * FactorRatios.Epsilon, largest = 0;
        Assert.InRange(FactorRatios.Orthogonality(transposed), 0, limit);
        Assert.InRange(FactorRatios.Orthogonality(complement), 0, limit);
        for (int i = 0; i < rows; i++)
        {
            for (int j = 0; j < columns; j++) largest = Math.Max(largest, Math.Abs(matrix[i, j]));
        }

        for (int i = 0; i < rows; i++)
        {
            for (int j = 0; j < columns; j++)
            {
                double product = 0;
                for (int l = 0; l < columns; l++) product += q[i, l] * r[l, j];
                Assert.Equal(matrix[i, j], product, limit * largest * columns);
                if (i < columns && j < i) Assert.Equal(0, r[i, j]);
            }
        }

        for (int i = 0; i < complement.Rows; i++)
        {
            for (int j = 0; j < columns; j++) Assert.Equal(0, DoubleVectors.Dot(complement.Row(i), transposed.Row(j)), limit);
        }
    }
}
