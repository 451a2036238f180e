using System.Numerics;
using System.Numerics.Tensors;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Numerics;

/// <summary>The magnitude of matrices: what keeps factorisations clear of overflow and underflow, and the check that all elements are numbers.</summary>
internal static class MatrixScale
{
    private const int RowsPerChunk = 16;

    /// <summary>The binary exponent of the largest magnitude; 0 for a matrix of zeros, and for one without elements.</summary>
    /// <exception cref="ArgumentException">An element is NaN or infinite; the message gives count and first place.</exception>
    public static int Exponent<T>(MatrixView<T> matrix, string name)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        double largest = 0;
        if (matrix.Columns == 0) return 0;
        for (nint i = 0; i < matrix.Rows; i++)
        {
            double magnitude = double.CreateTruncating(T.Abs(TensorPrimitives.MaxMagnitude<T>(matrix.Row(i))));
            if (!double.IsFinite(magnitude)) ThrowNotFinite(matrix, name);
            largest = Math.Max(largest, magnitude);
        }

        return largest == 0 ? 0 : Math.ILogB(largest);
    }

    /// <summary>The sum of squares of every row, in double.</summary>
    public static double[] RowSquares<T>(MatrixView<T> matrix, ComputePool pool)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        double[] squares = new double[matrix.Rows];
        pool.For(matrix.Rows, RowsPerChunk, (start, end) =>
        {
            for (nint i = start; i < end; i++)
            {
                if (typeof(T) == typeof(float)) squares[i] = DoubleVectors.SquaredNorm(((MatrixView<float>)(object)matrix).Row(i));
                else squares[i] = DoubleVectors.Dot(((MatrixView<double>)(object)matrix).Row(i), ((MatrixView<double>)(object)matrix).Row(i));
            }
        });
        return squares;
    }

    /// <summary>Matrices whose largest magnitude has an exponent of at most this (and at least its negative) have finite sums, and squares of sums within double.</summary>
    public static int SafeExponent<T>() => typeof(T) == typeof(float) ? 60 : 300;

    /// <summary>A copy multiplied by a power of two.</summary>
    public static Matrix<T> ScaledCopy<T>(MatrixView<T> matrix, int exponent)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var copy = new Matrix<T>(matrix.Rows, matrix.Columns);
        matrix.CopyTo(copy.View);
        Multiply(copy.View, exponent);
        return copy;
    }

    /// <summary>Multiplies by a power of two, exact but for underflow.</summary>
    public static void Multiply<T>(MatrixView<T> matrix, int exponent)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        if (exponent == 0) return;
        // In two steps: one factor of 2^2000 would overflow.
        int half = exponent / 2;
        T first = T.ScaleB(T.One, half), second = T.ScaleB(T.One, exponent - half);
        for (nint i = 0; i < matrix.Rows; i++)
        {
            TensorPrimitives.Multiply<T>(matrix.Row(i), first, matrix.Row(i));
            TensorPrimitives.Multiply<T>(matrix.Row(i), second, matrix.Row(i));
        }
    }

    /// <summary>Multiplies by the power of four that brings the mean of the diagonal near 1: what is found with a metric does not depend on its scale, and its entries, inverses and roots (whose bits stay) are within single precision then.</summary>
    public static void DiagonalNearOne(MatrixView<double> metric)
    {
        double mean = 0;
        for (nint i = 0; i < metric.Rows; i++) mean += metric.Row(i)[(int)i] / metric.Rows; // a sum may be infinite
        if (mean > 0) Multiply(metric, -(Math.ILogB(mean) & ~1));
    }

    private static void ThrowNotFinite<T>(MatrixView<T> matrix, string name)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        long count = 0;
        (nint Row, int Column) first = default;
        for (nint i = 0; i < matrix.Rows; i++)
        {
            ReadOnlySpan<T> row = matrix.Row(i);
            for (int j = 0; j < row.Length; j++)
            {
                if (T.IsFinite(row[j])) continue;
                if (count++ == 0) first = (i, j);
            }
        }

        throw new ArgumentException($"{count} elements of the matrix are NaN or infinite, the first at row {first.Row}, column {first.Column}.", name);
    }
}
