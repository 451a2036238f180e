using System.Numerics.Tensors;
using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Dbf;

/// <summary>
/// Coordinate descent over single signs, the scales fixed, in the metric of the target: a sign flips if that alone lowers the squared error. With Gram and cross products known, a flip of element p_i of a
/// row p, whose error is <c>p G p^T - 2 p c</c>, changes it by <c>4 p_i (p_i G_ii - g_i)</c> with g = p G - c, and moves g by a row of G.
/// </summary>
internal sealed class DbfSignFlips : IDisposable
{
    /// <summary>What a flip must gain beyond what it costs, relative: below are rounding errors of the products.</summary>
    private const double Margin = 1e-4;

    /// <summary>Rows of the gradient for a thread.</summary>
    private const int Grain = 64;

    private readonly DbfTarget _target;
    private readonly DbfIterate _iterate;
    private readonly ComputePool _pool;
    private readonly Matrix<float> _outer, _inner;
    private readonly Matrix<float>? _moment;
    private double _operations, _gain;

    private DbfSignFlips(DbfTarget target, DbfIterate iterate, ComputePool pool)
    {
        (_target, _iterate, _pool) = (target, iterate, pool);
        _outer = Scaled(iterate.Outer, iterate.OutputScale);
        _inner = Scaled(iterate.Inner, iterate.InputScale);
        if (target.Metric is not { } metric) return;
        _moment = new Matrix<float>(metric.Whitening.Columns, metric.Whitening.Columns);
        Multiply(metric.Whitening.Transposed, metric.Whitening, _moment.View);
    }

    /// <summary>Improves the signs of both factors by turns.</summary>
    /// <param name="target">What is approximated.</param>
    /// <param name="iterate">Signs, which are replaced, and scales.</param>
    /// <param name="sweeps">Most turns.</param>
    /// <param name="pool">Threads; the result does not depend on their number.</param>
    /// <param name="progress">Told every turn and the error after it; may be null.</param>
    /// <returns>How many signs were flipped, whether the last turn found none, and the operations.</returns>
    public static (long Flips, bool IsDone, double Operations) Run(DbfTarget target, DbfIterate iterate, int sweeps, ComputePool pool, IProgress<DbfProgress>? progress)
    {
        using var flips = new DbfSignFlips(target, iterate, pool);
        long total = 0;
        bool isDone = false;
        double error = progress is null ? double.NaN : DbfScaleFit.Error(target, iterate, pool);
        for (int sweep = 0; sweep < sweeps && !isDone; sweep++)
        {
            flips._gain = 0;
            long found = flips.Sweep();
            total += found;
            isDone = found == 0;
            if (flips._gain > 0) error = Math.Max(0, error - flips._gain / target.SquaredNorm);
            progress?.Report(new DbfProgress(DbfStage.Flips, sweep + 1, sweeps, error));
        }

        // A scale may be negative, and the signs stand apart from it.
        iterate.TakeSigns(Signs(flips._outer, iterate.OutputScale), Signs(flips._inner, iterate.InputScale));
        return (total, isDone, flips._operations);
    }

    public void Dispose()
    {
        _outer.Dispose();
        _inner.Dispose();
        _moment?.Dispose();
    }

    private long Sweep()
    {
        using Matrix<float> inner = WithMiddleScales(_inner);
        using Matrix<float>? whitened = _target.Metric?.Whiten(inner.View, _pool);
        long flips = FlipSeparately(_outer, whitened ?? inner, _target.Whitened);
        using Matrix<float> outer = WithMiddleScales(_outer);
        return flips + (_moment is null ? FlipSeparately(_inner, outer, _target.Values.Transposed) : FlipCoupled(outer));
    }

    /// <summary>The columns of a factor do not touch each other: the error is the sum of <c>|T_r - p_r Y|^2</c> over them.</summary>
    /// <param name="factor">Signs times scales, [k, rows]; changed.</param>
    /// <param name="others">Y, [k, columns].</param>
    /// <param name="target">T, [rows, columns].</param>
    private long FlipSeparately(Matrix<float> factor, Matrix<float> others, MatrixOperand<float> target)
    {
        nint channels = factor.Rows, rows = factor.Columns;
        using Matrix<float> gram = Gram(others), elements = new(rows, channels), gradient = new(rows, channels);
        Transpose(factor, elements);
        Multiply(elements, gram, gradient.View);
        Multiply(target, others.Transposed, gradient.View, -1, 1);
        long[] flips = new long[rows];
        double[] gains = new double[rows];
        _pool.For(rows, 1, (start, end) =>
        {
            for (nint row = start; row < end; row++)
            {
                _pool.ThrowIfCancelled();
                for (long found = 1; found > 0; flips[row] += found) found = FlipRow(elements.Row(row), gradient.Row(row), gram, ref gains[row]);
            }
        });
        Transpose(elements, factor);
        foreach (double gain in gains) _gain += gain;
        return flips.Sum();
    }

    private static long FlipRow(Span<float> elements, Span<float> gradient, Matrix<float> gram, ref double gain)
    {
        long flips = 0;
        for (int i = 0; i < elements.Length; i++)
        {
            if (!Helps(elements[i], gradient[i], gram[i, i], ref gain)) continue;
            TensorPrimitives.FusedMultiplyAdd<float>(gram.Row(i), -2 * elements[i], gradient, gradient);
            elements[i] = -elements[i];
            flips++;
        }

        return flips;
    }

    /// <summary>Columns of B that the metric couples. The gradient is <c>(G V - X T) H</c>; where flips change row c of V by f, that of row i moves by G_ic f H.</summary>
    /// <param name="outer">X, [k, rows of T].</param>
    private long FlipCoupled(Matrix<float> outer)
    {
        DbfMetric metric = _target.Metric!;
        using Matrix<float> gram = Gram(outer), whitened = metric.Whiten(_inner.View, _pool), residual = new(_inner.Rows, _inner.Columns), gradient = new(_inner.Rows, _inner.Columns);
        Multiply(gram, whitened, residual.View);
        Multiply(outer, _target.Whitened, residual.View, -1, 1);
        Multiply(residual, metric.Whitening, gradient.View);
        float[] moved = new float[_inner.Columns];
        long total = 0;
        for (long found = 1; found > 0; total += found)
        {
            found = 0;
            for (nint channel = 0; channel < _inner.Rows; channel++)
            {
                _pool.ThrowIfCancelled();
                long flips = FlipChannel(channel, gram[channel, channel], gradient.Row(channel), moved);
                if (flips == 0) continue;
                found += flips;
                _pool.For(_inner.Rows, Grain, (start, end) =>
                {
                    for (nint row = start; row < end; row++)
                    {
                        if (row != channel) TensorPrimitives.FusedMultiplyAdd<float>(moved, gram[row, channel], gradient.Row(row), gradient.Row(row));
                    }
                });
            }
        }

        return total;
    }

    /// <summary>Flips in one row of B, whose own gradient is kept.</summary>
    private long FlipChannel(nint channel, float square, Span<float> gradient, Span<float> moved)
    {
        Span<float> elements = _inner.Row(channel);
        long flips = 0;
        for (int j = 0; j < elements.Length; j++)
        {
            if (!Helps(elements[j], gradient[j], (double)square * _moment![j, j], ref _gain)) continue;
            if (flips == 0) moved.Clear();
            TensorPrimitives.FusedMultiplyAdd<float>(_moment.Row(j), -2 * elements[j], moved, moved);
            TensorPrimitives.FusedMultiplyAdd<float>(_moment.Row(j), -2 * elements[j] * square, gradient, gradient);
            elements[j] = -elements[j];
            flips++;
        }

        return flips;
    }

    /// <summary>Whether a flip lowers the error; then what it takes off is added to the gain.</summary>
    private static bool Helps(double element, double gradient, double curvature, ref double gain)
    {
        if (!(element * gradient > (1 + Margin) * element * element * curvature)) return false;
        gain += 4 * element * (gradient - element * curvature);
        return true;
    }

    private Matrix<float> Gram(Matrix<float> rows)
    {
        var gram = new Matrix<float>(rows.Rows, rows.Rows);
        MatrixProduct.SymmetricRankK(rows, gram.View, pool: _pool);
        _operations += (double)rows.Rows * rows.Rows * rows.Columns;
        return gram;
    }

    private void Multiply(MatrixOperand<float> a, MatrixOperand<float> b, MatrixView<float> c, float alpha = 1, float beta = 0)
    {
        MatrixProduct.Multiply(a, b, c, alpha, beta, _pool);
        _operations += 2.0 * a.Rows * a.Columns * b.Columns;
    }

    private Matrix<float> WithMiddleScales(Matrix<float> factor)
    {
        var scaled = new Matrix<float>(factor.Rows, factor.Columns);
        for (int i = 0; i < _iterate.MiddleScale.Length; i++) TensorPrimitives.Multiply(factor.Row(i), (float)_iterate.MiddleScale[i], scaled.Row(i));
        return scaled;
    }

    private static Matrix<float> Scaled(SignMatrix signs, double[] columnScales)
    {
        var scaled = new Matrix<float>(signs.Rows, signs.Columns);
        float[] scales = [.. columnScales.Select(scale => (float)scale)];
        signs.Decode(scaled.View);
        for (nint i = 0; i < scaled.Rows; i++) TensorPrimitives.Multiply(scaled.Row(i), scales, scaled.Row(i));
        return scaled;
    }

    private static SignMatrix Signs(Matrix<float> scaled, double[] columnScales)
    {
        using var signs = new Matrix<float>(scaled.Rows, scaled.Columns);
        float[] directions = [.. columnScales.Select(scale => scale < 0 ? -1f : 1f)];
        for (nint i = 0; i < signs.Rows; i++) TensorPrimitives.Multiply(scaled.Row(i), directions, signs.Row(i));
        return SignMatrix.FromSigns(signs.View);
    }

    private static void Transpose(Matrix<float> source, Matrix<float> destination)
    {
        for (nint i = 0; i < source.Rows; i++)
        {
            for (nint j = 0; j < source.Columns; j++) destination[j, i] = source[i, j];
        }
    }
}
