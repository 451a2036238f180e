using TensorCompress.Numerics;
using TensorCompress.Tensors;

namespace TensorCompress.Compression.Mpo;

/// <summary>A core [left, output, input, right] lies in memory as one block: its unfoldings are views of other shapes.</summary>
internal static class CoreViews
{
    /// <summary>The same elements in the same order as a matrix of another shape.</summary>
    public static MatrixView<double> As(this Matrix<double> matrix, nint rows, nint columns)
    {
        if (rows * columns != matrix.Rows * matrix.Columns) throw new ArgumentException($"{matrix.Rows} x {matrix.Columns} elements are not {rows} x {columns}.", nameof(rows));
        return new MatrixView<double>(matrix, 0, rows, columns, columns);
    }

    /// <summary>A copy.</summary>
    public static Matrix<double> Copy(this Matrix<double> matrix)
    {
        var copy = new Matrix<double>(matrix.Rows, matrix.Columns);
        matrix.View.CopyTo(copy.View);
        return copy;
    }

    /// <summary>A copy of the elements in the same order, of another shape.</summary>
    public static Matrix<double> Copy(this Matrix<double> matrix, nint rows, nint columns)
    {
        var copy = new Matrix<double>(rows, columns);
        matrix.As(rows, columns).CopyTo(copy.View);
        return copy;
    }

    /// <summary>The same elements in the same order with another number of rows; takes the matrix over.</summary>
    public static Matrix<double> Reshape(this Matrix<double> matrix, nint rows)
    {
        if (matrix.Rows == rows) return matrix;
        using (matrix) return matrix.Copy(rows, matrix.Rows * matrix.Columns / rows);
    }

    /// <summary>The sum of the squares of all elements.</summary>
    public static double SquaredNorm(this Matrix<double> matrix)
    {
        double square = 0;
        for (nint row = 0; row < matrix.Rows; row++) square += DoubleVectors.Dot(matrix.Row(row), matrix.Row(row));
        return square;
    }

    /// <summary>Multiplies by the power of two that brings the largest magnitude into [1, 2).</summary>
    /// <returns>The exponent that undoes it; 0 for a zero matrix.</returns>
    public static int Normalize(this Matrix<double> matrix)
    {
        double largest = 0;
        for (nint row = 0; row < matrix.Rows; row++)
        {
            ReadOnlySpan<double> values = matrix.Row(row);
            if (values.Length > 0) largest = Math.Max(largest, Math.Abs(values[DoubleVectors.IndexOfLargest(values)]));
        }

        if (largest == 0) return 0;
        int exponent = Math.ILogB(largest);
        matrix.ScaleByPowerOfTwo(-exponent);
        return exponent;
    }

    /// <summary>Multiplies by 2^exponent.</summary>
    public static void ScaleByPowerOfTwo(this Matrix<double> matrix, int exponent)
    {
        if (exponent == 0) return;
        for (nint row = 0; row < matrix.Rows; row++)
        {
            foreach (ref double value in matrix.Row(row)) value = Math.ScaleB(value, exponent);
        }
    }
}
