using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.LowRank;

/// <summary>
/// The best W' = U V of a rank: in the Frobenius norm by the singular vectors of W (Eckart and Young), with statistics in the metric of the inputs, <c>tr((W - W') H (W - W')^T)</c>.
/// With H = L L^T and P the first left singular vectors of W L that is W' = P P^T W, which needs no inverse of L, so H may be singular. SVD-LLM (Wang et al., arXiv 2403.07378) gets
/// the same matrix by way of the inverse. Where outputs do not matter alike, W stands for <c>diag(sqrt d) W</c> throughout, and the rows of U are divided at the end.
/// </summary>
internal static class LowRankFactorizer
{
    /// <summary>Ridge of the metric, relative to its mean diagonal: only for inputs that were never active.</summary>
    private const double Ridge = 1e-6;

    /// <summary>Factorises a matrix.</summary>
    /// <param name="weights">W, [m, n], finite.</param>
    /// <param name="rank">1 to min(m, n).</param>
    /// <param name="statistics">Second moment of the inputs; null for the Frobenius norm.</param>
    /// <param name="pool">Threads; the result does not depend on their number.</param>
    /// <param name="cancellationToken">Looked at often.</param>
    /// <returns>U, [m, rank], and V, [rank, n]; column i of U is as long as row i of V.</returns>
    /// <exception cref="ArgumentException">The statistics are of another number of inputs.</exception>
    public static (Matrix<float> Outer, Matrix<float> Inner) Factorize(MatrixView<float> weights, int rank, LayerStatistics? statistics, ComputePool pool, CancellationToken cancellationToken)
    {
        double[]? scales = statistics?.OutputScales();
        using Matrix<double> wide = Widen(weights, scales);
        using Matrix<double> weighted = statistics is null ? Widen(weights, scales) : Weight(wide, statistics, pool);
        using SingularValueDecomposition vectors = Svd.Truncated(weighted.View, rank, pool, cancellationToken);
        using var projected = new Matrix<double>(rank, weights.Columns);
        MatrixProduct.Multiply(vectors.LeftTransposed, wide, projected.View, pool: pool);
        return Balance(vectors.LeftTransposed, projected, scales);
    }

    private static Matrix<double> Widen(MatrixView<float> weights, double[]? scales)
    {
        var wide = new Matrix<double>(weights.Rows, weights.Columns);
        for (nint i = 0; i < weights.Rows; i++)
        {
            ReadOnlySpan<float> source = weights.Row(i);
            Span<double> row = wide.Row(i);
            double scale = scales?[i] ?? 1;
            for (int j = 0; j < row.Length; j++) row[j] = scale * source[j];
        }

        return wide;
    }

    private static Matrix<double> Weight(Matrix<double> weights, LayerStatistics statistics, ComputePool pool)
    {
        using Matrix<double> metric = statistics.Shrunk(0, Ridge);
        using Cholesky root = Cholesky.FactorizeWithRidge(metric.View, pool: pool);
        var weighted = new Matrix<double>(weights.Rows, weights.Columns);
        MatrixProduct.Multiply(weights, root.Lower, weighted.View, pool: pool);
        return weighted;
    }

    /// <summary>Spreads the norms: sixteen-bit factors should not overflow in one and vanish in the other.</summary>
    private static (Matrix<float> Outer, Matrix<float> Inner) Balance(Matrix<double> leftTransposed, Matrix<double> projected, double[]? scales)
    {
        var outer = new Matrix<float>(leftTransposed.Columns, leftTransposed.Rows);
        var inner = new Matrix<float>(projected.Rows, projected.Columns);
        for (nint i = 0; i < projected.Rows; i++)
        {
            Span<double> left = leftTransposed.Row(i), right = projected.Row(i);
            double root = Math.Sqrt(Math.Sqrt(DoubleVectors.Dot(right, right))); // the left vector has length 1
            for (int j = 0; j < left.Length; j++) outer[j, i] = (float)(left[j] * root / (scales?[j] ?? 1));
            for (int j = 0; j < right.Length; j++) inner[i, j] = root == 0 ? 0 : (float)(right[j] / root);
        }

        return (outer, inner);
    }
}
