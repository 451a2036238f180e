using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Dbf;

/// <summary>The best scales for given signs, one vector after the other in closed form, in the metric of the target.</summary>
internal sealed class DbfScaleFit : IDisposable
{
    private readonly DbfTarget _target;
    private readonly DbfIterate _iterate;
    private readonly ComputePool _pool;
    private readonly Matrix<float> _outer, _inner, _outerSigns, _innerSigns, _product;

    private DbfScaleFit(DbfTarget target, DbfIterate iterate, ComputePool pool)
    {
        (_target, _iterate, _pool) = (target, iterate, pool);
        _outerSigns = Decode(iterate.Outer);
        _innerSigns = Decode(iterate.Inner);
        _outer = new Matrix<float>(_outerSigns.Rows, _outerSigns.Columns);
        _inner = new Matrix<float>(_innerSigns.Rows, _innerSigns.Columns);
        _product = new Matrix<float>(_outerSigns.Columns, _innerSigns.Columns);
    }

    /// <summary>Replaces the scales of an iterate by better ones.</summary>
    /// <param name="target">What is approximated.</param>
    /// <param name="iterate">Signs, and scales, which are replaced.</param>
    /// <param name="sweeps">How often each vector is fitted.</param>
    /// <param name="pool">Threads.</param>
    /// <param name="progress">Told every sweep and the error after it; may be null.</param>
    public static void Run(DbfTarget target, DbfIterate iterate, int sweeps, ComputePool pool, IProgress<DbfProgress>? progress)
    {
        using var fit = new DbfScaleFit(target, iterate, pool);
        for (int sweep = 0; sweep < sweeps; sweep++)
        {
            fit.FitMiddle();
            fit.FitOutput();
            double error = fit.FitInput();
            progress?.Report(new DbfProgress(DbfStage.Scales, sweep + 1, sweeps, error));
        }
    }

    /// <summary>Squared error of an iterate over the squared norm of the target.</summary>
    public static double Error(DbfTarget target, DbfIterate iterate, ComputePool pool)
    {
        using var fit = new DbfScaleFit(target, iterate, pool);
        return fit.Error();
    }

    public void Dispose()
    {
        _outerSigns.Dispose();
        _innerSigns.Dispose();
        _outer.Dispose();
        _inner.Dispose();
        _product.Dispose();
    }

    /// <summary>d: normal equations of k unknowns, <c>(A^T A) o (B H B^T)</c>.</summary>
    private void FitMiddle()
    {
        int channels = (int)_outer.Rows;
        ScaleColumns(_outerSigns, _iterate.OutputScale, null, _outer);
        ScaleColumns(_innerSigns, _iterate.InputScale, null, _inner);
        using Matrix<float> whitened = Whiten(_inner);
        using Matrix<float> first = new(channels, channels), second = new(channels, channels), cross = new(channels, _outer.Columns);
        MatrixProduct.SymmetricRankK(_outer, first.View, pool: _pool);
        MatrixProduct.SymmetricRankK(whitened, second.View, pool: _pool);
        MatrixProduct.Multiply(whitened, _target.Whitened.Transposed, cross.View, pool: _pool);
        using var normal = new Matrix<double>(channels, channels);
        double[] right = new double[channels];
        for (int i = 0; i < channels; i++)
        {
            right[i] = DoubleVectors.Dot(cross.Row(i), _outer.Row(i));
            for (int j = 0; j < channels; j++) normal[i, j] = (double)first[i, j] * second[i, j];
        }

        Solve(normal, right, _iterate.MiddleScale);
    }

    /// <summary>a: each row by itself.</summary>
    private void FitOutput()
    {
        ScaleColumns(_innerSigns, _iterate.InputScale, _iterate.MiddleScale, _inner);
        using Matrix<float> whitened = Whiten(_inner);
        MatrixProduct.Multiply(_outerSigns.Transposed, whitened, _product.View, pool: _pool);
        for (int i = 0; i < _iterate.OutputScale.Length; i++)
        {
            double norm = DoubleVectors.SquaredNorm(_product.Row(i));
            if (norm > 0) _iterate.OutputScale[i] = DoubleVectors.Dot(_target.Whitened.Row(i), _product.Row(i)) / norm;
        }
    }

    /// <summary>b: each column by itself, or normal equations of n unknowns, <c>(P^T P) o H</c>, where a metric couples them.</summary>
    /// <returns>The squared error over the squared norm of the target, <c>|T|^2 - b c</c> with the best b and the right sides c.</returns>
    private double FitInput()
    {
        ScaleColumns(_outerSigns, _iterate.OutputScale, _iterate.MiddleScale, _outer);
        MatrixProduct.Multiply(_outer.Transposed, _innerSigns, _product.View, pool: _pool);
        int columns = _iterate.InputScale.Length;
        double[] right = new double[columns], norms = new double[columns];
        DbfMetric? metric = _target.Metric;
        using Matrix<float>? weighted = metric is null ? null : new Matrix<float>(_product.Rows, columns);
        if (metric is not null) MatrixProduct.Multiply(_target.Whitened, metric.Whitening, weighted!.View, pool: _pool);
        for (nint i = 0; i < _product.Rows; i++)
        {
            ReadOnlySpan<float> target = (weighted ?? _target.Values).Row(i), row = _product.Row(i);
            for (int j = 0; j < columns; j++)
            {
                right[j] += (double)target[j] * row[j];
                norms[j] += (double)row[j] * row[j];
            }
        }

        if (metric is null)
        {
            for (int j = 0; j < columns; j++)
            {
                if (norms[j] > 0) _iterate.InputScale[j] = right[j] / norms[j];
            }

            return ErrorOf(right);
        }

        using var gram = new Matrix<float>(columns, columns);
        using var normal = new Matrix<double>(columns, columns);
        MatrixProduct.SymmetricRankK(_product.Transposed, gram.View, pool: _pool);
        for (int i = 0; i < columns; i++)
        {
            for (int j = 0; j < columns; j++) normal[i, j] = gram[i, j] * metric.Moment[i, j];
        }

        Solve(normal, right, _iterate.InputScale);
        return ErrorOf(right);
    }

    private double ErrorOf(double[] right) =>
        _target.SquaredNorm == 0 ? 0 : Math.Max(0, (_target.SquaredNorm - DoubleVectors.Dot(right, _iterate.InputScale)) / _target.SquaredNorm);

    private double Error()
    {
        ScaleColumns(_outerSigns, _iterate.OutputScale, _iterate.MiddleScale, _outer);
        ScaleColumns(_innerSigns, _iterate.InputScale, null, _inner);
        using Matrix<float> whitened = Whiten(_inner);
        _target.Whitened.View.CopyTo(_product.View);
        MatrixProduct.Multiply(_outer.Transposed, whitened, _product.View, -1, 1, _pool);
        double sum = 0;
        for (nint i = 0; i < _product.Rows; i++) sum += DoubleVectors.SquaredNorm(_product.Row(i));
        return _target.SquaredNorm == 0 ? 0 : sum / _target.SquaredNorm;
    }

    private void Solve(Matrix<double> normal, double[] right, double[] solution)
    {
        double trace = 0;
        for (int i = 0; i < right.Length; i++) trace += normal[i, i] / right.Length;
        if (!(trace > 0)) return;
        // Two channels may be the same up to rounding; what they share does not matter then.
        using Cholesky factor = Cholesky.FactorizeWithRidge(normal.View, pool: _pool);
        using var unknowns = new Matrix<double>(right.Length, 1, right);
        factor.Solve(unknowns.View);
        for (int i = 0; i < right.Length; i++) solution[i] = unknowns[i, 0];
    }

    private Matrix<float> Whiten(Matrix<float> rows)
    {
        if (_target.Metric is not null) return _target.Metric.Whiten(rows.View, _pool);
        var copy = new Matrix<float>(rows.Rows, rows.Columns);
        rows.View.CopyTo(copy.View);
        return copy;
    }

    private static Matrix<float> Decode(SignMatrix signs)
    {
        var decoded = new Matrix<float>(signs.Rows, signs.Columns);
        signs.Decode(decoded.View);
        return decoded;
    }

    private static void ScaleColumns(Matrix<float> signs, double[] columnScales, double[]? rowScales, Matrix<float> destination)
    {
        for (nint i = 0; i < signs.Rows; i++)
        {
            ReadOnlySpan<float> source = signs.Row(i);
            Span<float> row = destination.Row(i);
            double scale = rowScales?[i] ?? 1;
            for (int j = 0; j < row.Length; j++) row[j] = (float)(source[j] * scale * columnScales[j]);
        }
    }
}
