using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;

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
    public void Product_is_the_matrix_and_factor_is_orthogonal(string kind, int rows, int columns)
    {
        using Matrix<double> matrix = DifficultMatrices.Make(kind, rows, columns);
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

    [Fact]
    public void Wide_matrices_are_refused()
    {
        using var wide = new Matrix<double>(3, 4);
        Assert.Throws<ArgumentException>(() => HouseholderQr.Factorize(wide.View));
    }
}
