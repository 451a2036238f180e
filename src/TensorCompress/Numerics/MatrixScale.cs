using System.Numerics.Tensors;
using TensorCompress.Tensors;

namespace TensorCompress.Numerics;

/// <summary>The magnitude of matrices: what keeps factorisations clear of overflow and underflow, and the check that all elements are numbers.</summary>
internal static class MatrixScale
{
    /// <summary>The binary exponent of the largest magnitude; 0 for a matrix of zeros, and for one without elements.</summary>
    /// <exception cref="ArgumentException">An element is NaN or infinite; the message gives count and first place.</exception>
    public static int Exponent<T>(MatrixView<T> matrix, string name)
        where T : unmanaged
    {
        double largest = 0;
        if (matrix.Columns == 0) return 0;
        for (nint i = 0; i < matrix.Rows; i++)
        {
            double magnitude = typeof(T) == typeof(float)
                ? TensorPrimitives.MaxMagnitude<float>(((MatrixView<float>)(object)matrix).Row(i))
                : TensorPrimitives.MaxMagnitude<double>(((MatrixView<double>)(object)matrix).Row(i));
            magnitude = Math.Abs(magnitude);
            if (!double.IsFinite(magnitude)) ThrowNotFinite(matrix, name);
            largest = Math.Max(largest, magnitude);
        }

        return largest == 0 ? 0 : Math.ILogB(largest);
    }

    /// <summary>Multiplies by a power of two, exact but for underflow.</summary>
    public static void Multiply(MatrixView<double> matrix, int exponent)
    {
        if (exponent == 0) return;
        // In two steps: one factor of 2^2000 would overflow.
        int half = exponent / 2;
        double first = Math.ScaleB(1, half), second = Math.ScaleB(1, exponent - half);
        for (nint i = 0; i < matrix.Rows; i++)
        {
            TensorPrimitives.Multiply<double>(matrix.Row(i), first, matrix.Row(i));
            TensorPrimitives.Multiply<double>(matrix.Row(i), second, matrix.Row(i));
        }
    }

    private static void ThrowNotFinite<T>(MatrixView<T> matrix, string name)
        where T : unmanaged
    {
        long count = 0;
        (nint Row, int Column) first = default;
        using var row = new Matrix<double>(1, matrix.Columns);
        for (nint i = 0; i < matrix.Rows; i++)
        {
            MatrixCopy.CopyWidened(matrix.RowRange(i, 1), row.View);
            for (int j = 0; j < matrix.Columns; j++)
            {
                if (double.IsFinite(row[0, j])) continue;
                if (count++ == 0) first = (i, j);
            }
        }

        throw new ArgumentException($"{count} elements of the matrix are NaN or infinite, the first at row {first.Row}, column {first.Column}.", name);
    }
}
