using TensorCompress.Numerics.Eigen;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Numerics;

/// <summary>
/// Eigenvalues and eigenvectors of symmetric matrices in double precision: blocked tridiagonalisation, then divide and conquer, or the QL iteration where only values
/// are wanted. Errors are a few units of rounding of the largest eigenvalue. The same bits at any number of threads.
/// </summary>
public static class SymmetricEigen
{
    /// <summary>All eigenvalues and eigenvectors.</summary>
    /// <param name="matrix">A, [n, n], n may be 0; only the upper triangle is read.</param>
    /// <param name="pool">Threads; null for the shared pool.</param>
    /// <param name="cancellationToken">Looked at often.</param>
    /// <exception cref="ArgumentException">The matrix is not square, or an element is NaN or infinite; the message gives count and first place.</exception>
    /// <exception cref="ArithmeticException">The iteration did not converge (never seen).</exception>
    public static SymmetricEigendecomposition Decompose(MatrixView<double> matrix, ComputePool? pool = null, CancellationToken cancellationToken = default)
    {
        pool ??= ComputePool.Shared;
        Matrix<double> scaled = ScaledCopy(matrix, out int exponent);
        using Tridiagonalization reduced = Tridiagonalization.Reduce(scaled, pool, cancellationToken);
        double[] values = reduced.Diagonal;
        using Matrix<double> vectors = DivideAndConquer.Solve(values, reduced.OffDiagonal, pool, cancellationToken);
        int[] order = [.. Enumerable.Range(0, values.Length).OrderByDescending(i => values[i])]; // a stable sort
        Matrix<double> sorted = MatrixCopy.SelectRows(vectors.View, order);
        reduced.ApplyTo(sorted.View);
        return new SymmetricEigendecomposition([.. order.Select(i => Math.ScaleB(values[i], exponent))], sorted);
    }

    /// <summary>All eigenvalues, descending, without vectors: several times cheaper.</summary>
    /// <inheritdoc cref="Decompose(MatrixView{double}, ComputePool?, CancellationToken)"/>
    public static double[] Values(MatrixView<double> matrix, ComputePool? pool = null, CancellationToken cancellationToken = default)
    {
        Matrix<double> scaled = ScaledCopy(matrix, out int exponent);
        using Tridiagonalization reduced = Tridiagonalization.Reduce(scaled, pool ?? ComputePool.Shared, cancellationToken);
        double[] values = reduced.Diagonal, offDiagonal = [.. reduced.OffDiagonal, 0];
        if (!TridiagonalQl.Diagonalize(values, offDiagonal, TridiagonalQl.Norm(values, offDiagonal), vectors: null))
            throw new ArithmeticException($"The QL iteration of a symmetric {matrix.Rows} x {matrix.Rows} matrix did not converge in {TridiagonalQl.MaxSweeps} sweeps.");
        return [.. values.OrderByDescending(value => value).Select(value => Math.ScaleB(value, exponent))];
    }

    private static Matrix<double> ScaledCopy(MatrixView<double> matrix, out int exponent)
    {
        if (matrix.Rows != matrix.Columns) throw new ArgumentException($"A symmetric matrix is square, not {matrix.Rows} x {matrix.Columns}.", nameof(matrix));
        exponent = MatrixScale.Exponent(matrix, nameof(matrix));
        return MatrixScale.ScaledCopy(matrix, -exponent);
    }
}
