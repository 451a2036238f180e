using System.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Numerics.SingularValues;

/// <summary>Decompositions to rounding in double: rotations for short sides up to a limit, eigenvectors of Gram matrices above it, rotations again if these fail.</summary>
internal sealed class ExactSvd<T>(MatrixView<T> matrix, SvdTruncation truncation, ComputePool pool, CancellationToken cancellationToken)
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>Up to this short side rotations are as fast as anything.</summary>
    private const int JacobiLimit = 64;

    private readonly bool _tall = matrix.Rows >= matrix.Columns;
    private readonly int _shortSide = (int)nint.Min(matrix.Rows, matrix.Columns);
    private readonly int _exponent = MatrixScale.Exponent(matrix, nameof(matrix));

    /// <summary>Decomposes the matrix.</summary>
    /// <param name="path">The path to take; null for the one that fits the shape.</param>
    /// <exception cref="ArithmeticException">No iteration converged.</exception>
    public SingularValueDecomposition Decompose(SvdPath? path = null)
    {
        path ??= _shortSide <= JacobiLimit ? SvdPath.Jacobi : SvdPath.Gram;
        if (path == SvdPath.Gram)
        {
            try
            {
                return Decompose(SvdPath.Gram, truncation.Rank ?? _shortSide);
            }
            catch (ArithmeticException)
            {
                cancellationToken.ThrowIfCancellationRequested(); // rotations take long
            }
        }

        return Decompose(SvdPath.Jacobi, _shortSide);
    }

    private SingularValueDecomposition Decompose(SvdPath path, int wanted)
    {
        // W = A^T (tall) or A, its short side as rows.
        using Matrix<double> rows = ScaledRows();
        using var rotation = new Matrix<double>(rows.Rows, rows.Rows);
        double square = MatrixScale.RowSquares(rows.View, pool).Sum();
        double[] values = path == SvdPath.Jacobi
            ? OneSidedJacobi.Orthogonalize(rows, rotation, pool, cancellationToken)
            : GramRotation.Orthogonalize(rows, rotation, Math.Min(wanted, _shortSide), toDouble: typeof(T) == typeof(double), pool, cancellationToken);

        // R W = diag(s) Q with orthonormal rows Q, hence W = R^T diag(s) Q.
        int[] order = [.. Enumerable.Range(0, values.Length).OrderByDescending(i => values[i])]; // a stable sort
        double[] sorted = [.. order.Select(i => values[i])];
        int kept = truncation.Tolerance is { } tolerance ? SpectrumCut.For(sorted, square, tolerance) : Math.Min(truncation.Rank!.Value, sorted.Length);
        order = order[..kept];
        Matrix<double> left = MatrixCopy.SelectRows(_tall ? rows.View : rotation.View, order), right = MatrixCopy.SelectRows(_tall ? rotation.View : rows.View, order);
        VectorSigns.Fix(left, right);
        double[] scaled = [.. sorted[..kept].Select(value => Math.ScaleB(value, _exponent))];
        return new SingularValueDecomposition(left, scaled, right) { Path = path, EstimatedError = kept == _shortSide ? 0 : Error(sorted, kept, square) };
    }

    /// <summary>The relative error of a cut: from the values left out, or, where they were not computed, from what the others leave of the sum of squares.</summary>
    private double Error(double[] sorted, int kept, double square)
    {
        if (square == 0) return 0;
        double left = 0;
        if (sorted.Length == _shortSide) left = sorted.Skip(kept).Sum(value => value * value);
        else left = Math.Max(0, square - sorted.Take(kept).Sum(value => value * value));
        return Math.Sqrt(left / square);
    }

    private Matrix<double> ScaledRows()
    {
        Matrix<double> rows;
        if (_tall)
        {
            using Matrix<T> transposed = MatrixCopy.Transpose(matrix);
            rows = MatrixCopy.Widen(transposed.View);
        }
        else
        {
            rows = MatrixCopy.Widen(matrix);
        }

        MatrixScale.Multiply(rows.View, -_exponent);
        return rows;
    }
}
