using TensorCompress.Numerics;
using TensorCompress.Tensors;

namespace TensorCompress.Tests.TestKit;

/// <summary>Scaled residuals as LAPACK's own tests take them. What is measured is multiplied by plain loops for small matrices, which the products' own tests allow for large ones.</summary>
internal static class FactorRatios
{
    public const double Epsilon = 1.0 / (1L << 52);

    /// <summary>||Q Q^T - I||, its largest row sum, of a matrix with orthonormal rows.</summary>
    public static double Orthogonality(Matrix<double> rows)
    {
        using var gram = new Matrix<double>(rows.Rows, rows.Rows);
        Product(rows.View, rows.Transposed, gram);
        double largest = 0;
        for (nint i = 0; i < rows.Rows; i++)
        {
            double sum = 0;
            for (nint j = 0; j < rows.Rows; j++) sum += Math.Abs(gram[i, j] - (i == j ? 1 : 0));
            largest = Math.Max(largest, sum);
        }

        return largest;
    }

    /// <summary>||A - L^T diag(s) R|| (Frobenius) in units of the largest s, free of over- and underflow.</summary>
    public static double Residual(Matrix<double> matrix, Matrix<double> left, ReadOnlySpan<double> values, Matrix<double> right)
    {
        double unit = values.Length == 0 || values[0] == 0 ? 1 : Math.Max(Math.Abs(values[0]), Math.Abs(values[^1])), square = 0;
        using var scaled = new Matrix<double>(right.Rows, right.Columns);
        for (int r = 0; r < values.Length; r++)
        {
            for (int j = 0; j < right.Columns; j++) scaled[r, j] = values[r] / unit * right[r, j];
        }

        using var product = new Matrix<double>(matrix.Rows, matrix.Columns);
        Product(left.Transposed, scaled.View, product);
        for (int i = 0; i < matrix.Rows; i++)
        {
            for (int j = 0; j < matrix.Columns; j++)
            {
                double difference = matrix[i, j] / unit - product[i, j];
                square += difference * difference;
            }
        }

        return Math.Sqrt(square);
    }

    private static void Product(MatrixOperand<double> a, MatrixOperand<double> b, Matrix<double> c)
    {
        if (a.Rows * a.Columns * b.Columns > 1 << 16)
        {
            MatrixProduct.Multiply(a, b, c.View);
            return;
        }

        for (nint i = 0; i < a.Rows; i++)
        {
            for (nint j = 0; j < b.Columns; j++)
            {
                for (nint l = 0; l < a.Columns; l++)
                    c[i, j] += (a.IsTransposed ? a.View.Row(l)[(int)i] : a.View.Row(i)[(int)l]) * (b.IsTransposed ? b.View.Row(j)[(int)l] : b.View.Row(l)[(int)j]);
            }
        }
    }
}
