using System.Numerics.Tensors;
using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Dbf;

/// <summary>
/// Solves <c>(G + r I) V S + p V P = C</c> for V [k, q], one Cholesky factor for all its right-hand sides. Without a metric S and P are the identity. With one, V stands in the eigenbasis of the
/// metric and S = diag(w): column j is <c>(G + s) v = c / w + (s - r) (z - u)</c> with the shift s = r + p / w. Columns whose shifts are within a factor of two of each other share one of them, and with it a factor; for
/// these columns that is another penalty, which changes the way to a solution and not the solution. (With a factor of three the errors after 50 rounds were 1 to 7 % higher.)
/// </summary>
internal sealed class PenalizedGram : IDisposable
{
    private const double SharedShifts = 2;

    private readonly List<(int Start, int End, double Pull, Matrix<float> Lower)> _factors = [];
    private readonly ComputePool _pool;

    /// <summary>Factorises.</summary>
    /// <param name="gram">G, [k, k].</param>
    /// <param name="ridge">r.</param>
    /// <param name="penalty">p.</param>
    /// <param name="metric">The metric of the unknowns' columns; null for none.</param>
    /// <param name="pool">Threads.</param>
    public PenalizedGram(Matrix<double> gram, double ridge, double penalty, DbfMetric? metric, ComputePool pool)
    {
        _pool = pool;
        if (metric is null)
        {
            _factors.Add((0, int.MaxValue, penalty, Factorize(gram, ridge + penalty)));
            return;
        }

        double[] values = metric.Values;
        for (int start = 0; start < values.Length;)
        {
            double least = ridge + penalty / values[start], most = least;
            int end = start;
            while (end < values.Length && ridge + penalty / values[end] <= SharedShifts * least) most = ridge + penalty / values[end++];
            double shift = Math.Sqrt(least * most);
            _factors.Add((start, end, shift - ridge, Factorize(gram, shift)));
            start = end;
        }
    }

    /// <summary>Systems factorised.</summary>
    public int Factors => _factors.Count;

    /// <summary>Overwrites C by V, without a metric.</summary>
    public void Solve(MatrixView<float> unknowns) => Solve(_factors[0].Lower, unknowns);

    /// <summary>Solves in the eigenbasis of the metric.</summary>
    /// <param name="whitenedCross">C diag(w)^-1/2 ..., [k, q]: the cross product with the whitened target.</param>
    /// <param name="rotatedPull">(Z - U) Q, [k, q]; overwritten by V Q.</param>
    /// <param name="metric">The metric.</param>
    public void Solve(MatrixView<float> whitenedCross, MatrixView<float> rotatedPull, DbfMetric metric)
    {
        float[] pulls = new float[metric.Roots.Length], inverses = new float[metric.Roots.Length];
        foreach ((int start, int end, double pull, _) in _factors)
        {
            for (int j = start; j < end; j++) (pulls[j], inverses[j]) = ((float)pull, 1 / metric.Roots[j]);
        }

        _pool.For(rotatedPull.Rows, 16, (start, end) =>
        {
            for (nint i = start; i < end; i++)
            {
                Span<float> row = rotatedPull.Row(i);
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

    private Matrix<float> Factorize(Matrix<double> gram, double added)
    {
        using Cholesky factor = Cholesky.Factorize(gram.View, added, _pool);
        var lower = new Matrix<float>(gram.Rows, gram.Columns);
        for (int i = 0; i < gram.Rows; i++) TensorPrimitives.ConvertTruncating<double, float>(factor.Lower.Row(i), lower.Row(i));
        return lower;
    }
}
