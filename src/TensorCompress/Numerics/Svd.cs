using System.Numerics;
using TensorCompress.Numerics.SingularValues;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Numerics;

/// <summary>
/// Singular value decompositions, by the algorithm that fits shape and rank; <see cref="SingularValueDecomposition.Path"/> says which. Right on every finite matrix, at
/// every scale, and the same bits at any number of threads.
/// </summary>
/// <remarks>
/// Short side at most 64: one-sided Jacobi rotations (Drmac and Veselic, SIAM J. Matrix Anal. Appl. 29, 2008), which find small values to high relative accuracy.
/// Larger: eigenvectors of Gram matrices in double, level by level, with errors of a few units of rounding of the largest value (of floats: vectors orthogonal to 1e-9).
/// At most a quarter of the triplets of a large matrix: randomised block Krylov, in the precision of the matrix.
/// </remarks>
public static class Svd
{
    /// <summary>Up to this short side the exact way is fast enough for any rank.</summary>
    private const int GramLimit = 512;

    /// <summary>All min(m, n) singular triplets.</summary>
    /// <param name="matrix">A, [m, n]; either may be 0; only read.</param>
    /// <param name="pool">Threads; null for the shared pool.</param>
    /// <param name="cancellationToken">Looked at often.</param>
    /// <exception cref="ArgumentException">An element is NaN or infinite; the message gives count and first place.</exception>
    /// <exception cref="ArithmeticException">No iteration converged (never seen).</exception>
    public static SingularValueDecomposition Full(MatrixView<double> matrix, ComputePool? pool = null, CancellationToken cancellationToken = default) =>
        Exact(matrix, SvdTruncation.ToRank(int.MaxValue), pool, cancellationToken);

    /// <inheritdoc cref="Full(MatrixView{double}, ComputePool?, CancellationToken)"/>
    public static SingularValueDecomposition Full(MatrixView<float> matrix, ComputePool? pool = null, CancellationToken cancellationToken = default) =>
        Exact(matrix, SvdTruncation.ToRank(int.MaxValue), pool, cancellationToken);

    /// <summary>The largest singular triplets.</summary>
    /// <param name="matrix">A, [m, n]; only read.</param>
    /// <param name="rank">How many; no more than min(m, n) are returned.</param>
    /// <param name="pool">Threads; null for the shared pool.</param>
    /// <param name="cancellationToken">Looked at often.</param>
    /// <exception cref="ArgumentException">The rank is negative, or an element is NaN or infinite; the message gives count and first place.</exception>
    public static SingularValueDecomposition Truncated(MatrixView<double> matrix, int rank, ComputePool? pool = null, CancellationToken cancellationToken = default) =>
        Truncated(matrix, SvdTruncation.ToRank(rank), pool, cancellationToken);

    /// <inheritdoc cref="Truncated(MatrixView{double}, int, ComputePool?, CancellationToken)"/>
    public static SingularValueDecomposition Truncated(MatrixView<float> matrix, int rank, ComputePool? pool = null, CancellationToken cancellationToken = default) =>
        Truncated(matrix, SvdTruncation.ToRank(rank), pool, cancellationToken);

    /// <summary>The largest singular triplets, so many or to a relative error.</summary>
    /// <param name="matrix">A, [m, n]; only read.</param>
    /// <param name="truncation">Rank or tolerance, and how a randomised search runs.</param>
    /// <param name="pool">Threads; null for the shared pool.</param>
    /// <param name="cancellationToken">Looked at often.</param>
    /// <exception cref="ArgumentException">An element is NaN or infinite; the message gives count and first place.</exception>
    public static SingularValueDecomposition Truncated(MatrixView<double> matrix, SvdTruncation truncation, ComputePool? pool = null, CancellationToken cancellationToken = default) =>
        Choose(matrix, truncation, pool, cancellationToken);

    /// <inheritdoc cref="Truncated(MatrixView{double}, SvdTruncation, ComputePool?, CancellationToken)"/>
    public static SingularValueDecomposition Truncated(MatrixView<float> matrix, SvdTruncation truncation, ComputePool? pool = null, CancellationToken cancellationToken = default) =>
        Choose(matrix, truncation, pool, cancellationToken);

    /// <summary>All singular values, descending, without vectors: from the Gram matrix in double, to about 1e-8 of the largest.</summary>
    /// <inheritdoc cref="Full(MatrixView{double}, ComputePool?, CancellationToken)"/>
    public static double[] Values(MatrixView<double> matrix, ComputePool? pool = null, CancellationToken cancellationToken = default) => Spectrum(matrix, pool, cancellationToken);

    /// <inheritdoc cref="Values(MatrixView{double}, ComputePool?, CancellationToken)"/>
    public static double[] Values(MatrixView<float> matrix, ComputePool? pool = null, CancellationToken cancellationToken = default) => Spectrum(matrix, pool, cancellationToken);

    private static double[] Spectrum<T>(MatrixView<T> matrix, ComputePool? pool, CancellationToken cancellationToken)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        pool ??= ComputePool.Shared;
        int exponent = MatrixScale.Exponent(matrix, nameof(matrix));
        // Squares of floats are within double; those of doubles may not be.
        bool scales = typeof(T) == typeof(double) && Math.Abs(exponent) > MatrixScale.SafeExponent<double>();
        using Matrix<T>? scaled = scales ? MatrixScale.ScaledCopy(matrix, -exponent) : null;
        MatrixOperand<T> operand = scaled?.View ?? matrix;
        using Matrix<double> gram = TypedProduct.Gram(matrix.Rows > matrix.Columns ? operand.Transposed : operand, pool);
        return [.. SymmetricEigen.Values(gram.View, pool, cancellationToken).Select(square => Math.ScaleB(Math.Sqrt(Math.Max(0, square)), scales ? exponent : 0))];
    }

    private static SingularValueDecomposition Choose<T>(MatrixView<T> matrix, SvdTruncation truncation, ComputePool? pool, CancellationToken cancellationToken)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        ArgumentNullException.ThrowIfNull(truncation);
        int shortSide = (int)nint.Min(matrix.Rows, matrix.Columns);
        if (shortSide > GramLimit && !(truncation.Rank is 0 || truncation.Rank > shortSide / 4 || truncation.Tolerance < SpectrumCut.SketchFloor<T>()))
        {
            using var sketch = new SketchedSvd<T>(matrix, MatrixScale.Exponent(matrix, nameof(matrix)), truncation, pool ?? ComputePool.Shared);
            for (int rank = truncation.Rank ?? shortSide / 32; rank <= shortSide / 4; rank *= 2)
            {
                if (sketch.Find(rank, cancellationToken) is { } found) return found;
            }
        }

        return Exact(matrix, truncation, pool, cancellationToken);
    }

    private static SingularValueDecomposition Exact<T>(MatrixView<T> matrix, SvdTruncation truncation, ComputePool? pool, CancellationToken cancellationToken)
        where T : unmanaged, IBinaryFloatingPointIeee754<T> => new ExactSvd<T>(matrix, truncation, pool ?? ComputePool.Shared, cancellationToken).Decompose();
}
