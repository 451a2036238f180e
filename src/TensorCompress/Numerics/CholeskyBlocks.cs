using System.Numerics;
using System.Runtime.InteropServices;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Numerics;

/// <summary>The blocked Cholesky factorisation, for float and double. The same bits at any number of threads and any vector width; sums inside a block are in double.</summary>
internal static class CholeskyBlocks
{
    private const int BlockRows = 64;

    /// <summary>Rows of a stripe of the trailing update; what a stripe computes above the diagonal is not needed.</summary>
    private const int StripeRows = 256;

    /// <summary>Overwrites a matrix, whose lower triangle is read, by its factor L; what is above the diagonal is cleared.</summary>
    /// <returns>The row that shows that the matrix is not positive definite, or -1.</returns>
    public static int Factorize<T>(Matrix<T> matrix, ComputePool pool)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        for (int i = 0; i < matrix.Rows; i++) matrix.Row(i)[(i + 1)..].Clear();
        for (nint start = 0; start < matrix.Rows; start += BlockRows)
        {
            nint count = nint.Min(BlockRows, matrix.Rows - start);
            int failedRow = FactorizeBlock(matrix, (int)start, (int)count);
            if (failedRow >= 0) return failedRow;
            UpdateBelow(matrix, start, count, pool);
        }

        return -1;
    }

    /// <summary>L of a diagonal block.</summary>
    /// <returns>The row whose pivot is not positive, or -1.</returns>
    private static int FactorizeBlock<T>(Matrix<T> lower, int start, int count)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        for (int i = start; i < start + count; i++)
        {
            Span<T> row = lower.Row(i)[start..];
            for (int j = 0; j < i - start; j++)
            {
                double rest = double.CreateTruncating(row[j]) - Dot<T>(row[..j], lower.Row(start + j).Slice(start, j));
                row[j] = T.CreateTruncating(rest / double.CreateTruncating(lower[start + j, start + j]));
            }

            double pivot = double.CreateTruncating(row[i - start]) - Dot<T>(row[..(i - start)], row[..(i - start)]);
            if (!(pivot > 0)) return i;
            row[i - start] = T.CreateTruncating(Math.Sqrt(pivot));
        }

        return -1;
    }

    /// <summary>Rows below a diagonal block: their part of L, and its product taken off what is right of it.</summary>
    private static void UpdateBelow<T>(Matrix<T> lower, nint start, nint count, ComputePool pool)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        nint end = start + count, below = lower.Rows - end;
        if (below == 0) return;
        MatrixView<T> panel = lower.RowRange(end, below).ColumnRange(start, count);
        MatrixView<T> block = lower.RowRange(start, count).ColumnRange(start, count);
        if (typeof(T) == typeof(float)) MultiplyByInverse((MatrixView<float>)(object)block, (MatrixView<float>)(object)panel, pool);
        else TriangularSolve.Solve(block.Transposed, Triangle.Upper, panel, isRight: true, pool);
        for (nint row = 0; row < below; row += StripeRows)
        {
            nint rows = nint.Min(StripeRows, below - row);
            TypedProduct.Multiply(
                panel.RowRange(row, rows), panel.RowRange(0, row + rows).Transposed, lower.RowRange(end + row, rows).ColumnRange(end, row + rows), alpha: -1, beta: 1, pool);
            for (nint i = end + row; i < end + row + rows; i++) lower.Row(i)[(int)(i + 1)..(int)(end + row + rows)].Clear();
        }
    }

    /// <summary>P = P L^-T by a product with the inverse, which in double is as good as a solve in float and four times as fast.</summary>
    private static void MultiplyByInverse(MatrixView<float> lower, MatrixView<float> panel, ComputePool pool)
    {
        int count = (int)lower.Rows;
        using Matrix<double> inverse = new(count, count);
        using Matrix<float> rounded = new(count, count), copy = new(panel.Rows, panel.Columns);
        for (int i = 0; i < count; i++)
        {
            Span<double> row = inverse.Row(i);
            row[i] = 1;
            for (int j = 0; j < i; j++) DoubleVectors.AddScaled(-(double)lower.Row(i)[j], inverse.Row(j)[..(j + 1)], row[..(j + 1)]);
            DoubleVectors.Scale(1 / (double)lower.Row(i)[i], row[..(i + 1)]);
        }

        MatrixCopy.CopyRounded(inverse.View, rounded.View);
        panel.CopyTo(copy.View);
        MatrixProduct.Multiply(copy, rounded.Transposed, panel, pool: pool);
    }

    private static double Dot<T>(ReadOnlySpan<T> x, ReadOnlySpan<T> y)
        where T : unmanaged => typeof(T) == typeof(float)
        ? DoubleVectors.Dot(MemoryMarshal.Cast<T, float>(x), MemoryMarshal.Cast<T, float>(y))
        : DoubleVectors.Dot(MemoryMarshal.Cast<T, double>(x), MemoryMarshal.Cast<T, double>(y));
}
