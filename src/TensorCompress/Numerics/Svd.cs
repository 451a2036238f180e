using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Numerics;

/// <summary>
/// Singular value decomposition in double precision by one-sided Jacobi rotations: right on every finite matrix, small values to high relative accuracy, and the same
/// bits at any number of threads.
/// </summary>
/// <remarks>
/// The matrix is scaled by a power of two first, so neither 1e-300 nor 1e300 under- or overflows on the way. Cost: about 8 sweeps of 4 min(m, n)^2 (m + n) operations.
/// Algorithm: Drmac and Veselic, "New fast and accurate Jacobi SVD algorithm", SIAM J. Matrix Anal. Appl. 29 (2008), without their preconditioning.
/// </remarks>
public static class Svd
{
    /// <summary>All min(m, n) singular triplets.</summary>
    /// <param name="matrix">A, [m, n]; either may be 0; only read.</param>
    /// <param name="pool">Threads; null for the shared pool.</param>
    /// <param name="cancellationToken">Looked at between rounds of rotations.</param>
    /// <exception cref="ArgumentException">An element is NaN or infinite; the message gives count and first place.</exception>
    /// <exception cref="ArithmeticException">The rotations did not converge (never seen).</exception>
    public static SingularValueDecomposition Full(MatrixView<double> matrix, ComputePool? pool = null, CancellationToken cancellationToken = default)
    {
        ThrowIfNotFinite(matrix);
        bool tall = matrix.Rows >= matrix.Columns;
        var rows = new Matrix<double>(nint.Min(matrix.Rows, matrix.Columns), nint.Max(matrix.Rows, matrix.Columns));
        for (nint i = 0; i < matrix.Rows; i++)
        {
            if (tall) ScatterColumn(matrix.Row(i), rows, i);
            else matrix.Row(i).CopyTo(rows.Row(i));
        }

        return Decompose(rows, tall, pool ?? ComputePool.Shared, cancellationToken);
    }

    /// <inheritdoc cref="Full(MatrixView{double}, ComputePool?, CancellationToken)"/>
    public static SingularValueDecomposition Full(MatrixView<float> matrix, ComputePool? pool = null, CancellationToken cancellationToken = default)
    {
        using var wide = new Matrix<double>(matrix.Rows, matrix.Columns);
        for (nint i = 0; i < matrix.Rows; i++)
        {
            ReadOnlySpan<float> source = matrix.Row(i);
            Span<double> destination = wide.Row(i);
            for (int j = 0; j < source.Length; j++) destination[j] = source[j];
        }

        return Full(wide.View, pool, cancellationToken);
    }

    /// <summary>The largest singular triplets.</summary>
    /// <param name="matrix">A, [m, n]; only read.</param>
    /// <param name="rank">How many; no more than min(m, n) are returned.</param>
    /// <param name="pool">Threads; null for the shared pool.</param>
    /// <param name="cancellationToken">Looked at between rounds of rotations.</param>
    /// <exception cref="ArgumentException">The rank is negative, or an element is NaN or infinite; the message gives count and first place.</exception>
    public static SingularValueDecomposition Truncated(MatrixView<double> matrix, int rank, ComputePool? pool = null, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(rank);
        return Truncate(Full(matrix, pool, cancellationToken), rank);
    }

    /// <inheritdoc cref="Truncated(MatrixView{double}, int, ComputePool?, CancellationToken)"/>
    public static SingularValueDecomposition Truncated(MatrixView<float> matrix, int rank, ComputePool? pool = null, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(rank);
        return Truncate(Full(matrix, pool, cancellationToken), rank);
    }

    /// <summary>Decomposes the rows' matrix W = A^T (tall) or A; takes the rows over.</summary>
    private static SingularValueDecomposition Decompose(Matrix<double> rows, bool tall, ComputePool pool, CancellationToken cancellationToken)
    {
        int exponent = ScaleToUnit(rows);
        var rotation = new Matrix<double>(rows.Rows, rows.Rows);
        double[] values = OneSidedJacobi.Orthogonalize(rows, rotation, pool, cancellationToken);

        // R W = diag(s) Q with orthonormal rows Q, hence W = R^T diag(s) Q.
        int[] order = [.. Enumerable.Range(0, values.Length).OrderByDescending(i => values[i])]; // a stable sort
        using (rows)
        using (rotation)
        {
            Matrix<double> left = PermuteRows(tall ? rows : rotation, order), right = PermuteRows(tall ? rotation : rows, order);
            values = [.. order.Select(i => Math.ScaleB(values[i], exponent))];
            FixSigns(left, right);
            return new SingularValueDecomposition(left, values, right);
        }
    }

    private static SingularValueDecomposition Truncate(SingularValueDecomposition full, int rank)
    {
        if (rank >= full.Rank) return full;
        int[] kept = [.. Enumerable.Range(0, rank)];
        using (full) return new SingularValueDecomposition(PermuteRows(full.LeftTransposed, kept), full.Values[..rank].ToArray(), PermuteRows(full.RightTransposed, kept));
    }

    private static void ScatterColumn(ReadOnlySpan<double> source, Matrix<double> rows, nint column)
    {
        for (int j = 0; j < source.Length; j++) rows[j, column] = source[j];
    }

    /// <summary>Multiplies by the power of two that brings the largest magnitude into [1, 2).</summary>
    /// <returns>The exponent that undoes it.</returns>
    private static int ScaleToUnit(Matrix<double> rows)
    {
        double largest = 0;
        for (nint i = 0; i < rows.Rows; i++)
        {
            ReadOnlySpan<double> row = rows.Row(i);
            if (row.Length > 0) largest = Math.Max(largest, Math.Abs(row[DoubleVectors.IndexOfLargest(row)]));
        }

        if (largest == 0) return 0;
        int exponent = Math.ILogB(largest);
        for (nint i = 0; i < rows.Rows; i++)
        {
            foreach (ref double value in rows.Row(i)) value = Math.ScaleB(value, -exponent);
        }

        return exponent;
    }

    private static Matrix<double> PermuteRows(Matrix<double> source, int[] order)
    {
        var result = new Matrix<double>(order.Length, source.Columns);
        for (int i = 0; i < order.Length; i++) source.Row(order[i]).CopyTo(result.Row(i));
        return result;
    }

    private static void FixSigns(Matrix<double> left, Matrix<double> right)
    {
        for (nint i = 0; i < left.Rows; i++)
        {
            Span<double> row = left.Row(i);
            if (row[DoubleVectors.IndexOfLargest(row)] >= 0) continue;
            DoubleVectors.Scale(-1, row);
            DoubleVectors.Scale(-1, right.Row(i));
        }
    }

    private static void ThrowIfNotFinite(MatrixView<double> matrix)
    {
        long count = 0;
        (nint Row, int Column) first = default;
        for (nint i = 0; i < matrix.Rows; i++)
        {
            ReadOnlySpan<double> row = matrix.Row(i);
            for (int j = 0; j < row.Length; j++)
            {
                if (double.IsFinite(row[j])) continue;
                if (count++ == 0) first = (i, j);
            }
        }

        if (count > 0)
            throw new ArgumentException($"{count} elements of the matrix are NaN or infinite, the first at row {first.Row}, column {first.Column}.", nameof(matrix));
    }
}
