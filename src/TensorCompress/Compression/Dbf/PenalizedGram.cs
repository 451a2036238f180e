using System.Numerics.Tensors;
using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Dbf;

/// <summary>
/// Solves <c>(G + r I) V S + diag(p) V P = C</c> for V [k, q], one Cholesky factor for all its right-hand sides. Without a metric S and P are the identity. With one, V stands in the eigenbasis of the
/// metric and S = diag(w): column j is <c>(G + s) v = c / w + (s - r) (z - u)</c> with the shift s = r + p / w. Columns whose shifts are, for the mean p, within a factor of two of each other share one of them, and with it
/// a factor; for these columns that is another penalty, which changes the way to a solution and not the solution. (With a factor of three the errors after 50 rounds were 1 to 7 % higher.)
/// </summary>
internal sealed class PenalizedGram : IDisposable
{
    private const double SharedShifts = 2;

    /// <summary>By how much a ridge grows where it is too small for single precision.</summary>
    private const double RidgeStep = 4;

    private readonly List<(int Start, int End, double Share, Matrix<float> Lower)> _factors = [];
    private readonly float[] _penalties;
    private readonly ComputePool _pool;

    /// <summary>Factorises.</summary>
    /// <param name="gram">G, [k, k].</param>
    /// <param name="ridge">r, above 0; more is added where it is too small for single precision.</param>
    /// <param name="penalties">p, for each channel.</param>
    /// <param name="metric">The metric of the unknowns' columns; null for none.</param>
    /// <param name="pool">Threads.</param>
    public PenalizedGram(Matrix<float> gram, double ridge, float[] penalties, DbfMetric? metric, ComputePool pool)
    {
        (_penalties, _pool) = (penalties, pool);
        if (metric is null)
        {
            _factors.Add((0, int.MaxValue, 1, Factorize(gram, ridge, 1)));
            return;
        }

        try
        {
            FactorizeGroups(gram, ridge, metric);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Columns that share a factor, and with it the shift r + Share p; without a metric all of them.</summary>
    public IReadOnlyList<(int Start, int End, double Share, Matrix<float> Lower)> Groups => _factors;

    /// <summary>Overwrites C by V, without a metric.</summary>
    public void Solve(MatrixView<float> unknowns) => Solve(_factors[0].Lower, unknowns);

    /// <summary>Solves in the eigenbasis of the metric.</summary>
    /// <param name="whitenedCross">C diag(w)^-1/2 ..., [k, q]: the cross product with the whitened target.</param>
    /// <param name="rotatedPull">(Z - U) Q, [k, q]; overwritten by V Q.</param>
    /// <param name="metric">The metric.</param>
    public void Solve(MatrixView<float> whitenedCross, MatrixView<float> rotatedPull, DbfMetric metric)
    {
        float[] pulls = new float[metric.Roots.Length], inverses = new float[metric.Roots.Length];
        foreach ((int start, int end, double share, _) in _factors)
        {
            for (int j = start; j < end; j++) (pulls[j], inverses[j]) = ((float)share, 1 / metric.Roots[j]);
        }

        _pool.For(rotatedPull.Rows, 16, (start, end) =>
        {
            for (nint i = start; i < end; i++)
            {
                Span<float> row = rotatedPull.Row(i);
                TensorPrimitives.Multiply(row, _penalties[i], row);
                TensorPrimitives.Multiply<float>(row, pulls, row);
                TensorPrimitives.FusedMultiplyAdd<float>(whitenedCross.Row(i), inverses, row, row);
            }
        });
        foreach ((int start, int end, _, Matrix<float> lower) in _factors) Solve(lower, rotatedPull.ColumnRange(start, end - start));
    }

    public void Dispose()
    {
        foreach ((_, _, _, Matrix<float> lower) in _factors) lower.Dispose();
    }

    private void Solve(Matrix<float> lower, MatrixView<float> unknowns)
    {
        TriangularSolve.Left(lower, Triangle.Lower, unknowns, _pool);
        TriangularSolve.Left(lower.Transposed, Triangle.Upper, unknowns, _pool);
    }

    private void FactorizeGroups(Matrix<float> gram, double ridge, DbfMetric metric)
    {
        double[] values = metric.Values;
        double mean = 0;
        foreach (float penalty in _penalties) mean += (double)penalty / _penalties.Length;
        for (int start = 0; start < values.Length;)
        {
            double least = ridge + mean / values[start], most = least;
            int end = start;
            while (end < values.Length && ridge + mean / values[end] <= SharedShifts * least) most = ridge + mean / values[end++];
            double share = mean == 0 ? 0 : (Math.Sqrt(least * most) - ridge) / mean;
            _factors.Add((start, end, share, Factorize(gram, ridge, share)));
            start = end;
        }
    }

    private Matrix<float> Factorize(Matrix<float> gram, double ridge, double share)
    {
        var lower = new Matrix<float>(gram.Rows, gram.Columns);
        double mean = 0;
        for (int i = 0; i < gram.Rows; i++) mean += (double)gram[i, i] / gram.Rows;
        try
        {
            // With more channels than a side of the matrix has elements the Gram matrix is singular, and what rounding to single precision takes off may be more than the ridge.
            for (; ; ridge *= RidgeStep)
            {
                gram.View.CopyTo(lower.View);
                for (int i = 0; i < lower.Rows; i++) lower[i, i] = (float)(lower[i, i] + ridge + share * _penalties[i]);
                int failedRow = CholeskyBlocks.Factorize(lower, _pool);
                if (failedRow < 0) return lower;
                if (!(ridge > 0 && ridge < mean)) throw new ArithmeticException($"The {gram.Rows} x {gram.Rows} Gram matrix is not positive definite even with a ridge of {ridge} (mean diagonal {mean}), as row {failedRow} shows.");
            }
        }
        catch
        {
            lower.Dispose();
            throw;
        }
    }
}
