using System.Numerics.Tensors;
using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Mpo.Fitting;

/// <summary>
/// Both cores of two sites at once, where a core has so many unknowns that alternating exact solutions would take longer: nonlinear conjugate gradients (Polak and Ribiere) for
/// <c>tr(D (W - A B) H (W - A B)^T)</c> in nearly white coordinates, each core's gradient divided by the Gram matrix of the other. Along a direction the loss is a polynomial of degree
/// four, which is minimised exactly. Products are in single precision; after every ten steps the loss is computed in double, and a sweep that did not lower it is taken back.
/// </summary>
internal sealed class JointFit : IDisposable
{
    private const int StepsPerSweep = 10;

    private readonly FitProblem _problem;
    private readonly Matrix<double> _weights;
    private readonly Matrix<double> _metric;
    private readonly Matrix<float> _metricSingle;
    private readonly double[]? _outputWeights;
    private readonly double _norm;
    private readonly int _exponent;

    // What a step needs: [o_1 i_1, o_2 i_2]; both directions' parts [2 m, n] and their products with H; the residual W - A B and its product with H.
    private readonly Matrix<float> _tensor;
    private readonly Matrix<float> _parts;
    private readonly Matrix<float> _partsMetric;
    private readonly Matrix<float> _residual;
    private readonly Matrix<float> _residualMetric;
    private CorePair _cores;
    private CorePair? _gradient;
    private CorePair? _direction;
    private double _slope;

    /// <summary>Prepares a fit.</summary>
    /// <param name="problem">W and its split over two sites.</param>
    /// <param name="whitening">The coordinates.</param>
    /// <param name="metric">H with its ridge, padded; stays the caller's.</param>
    /// <param name="start">Where it begins, in the coordinates of <paramref name="whitening"/>.</param>
    public JointFit(FitProblem problem, Whitening whitening, Matrix<double> metric, MatrixProductOperator start)
    {
        _problem = problem;
        _weights = whitening.Weights();
        _exponent = _weights.Normalize(); // squares of tiny or huge weights would leave single precision
        _metric = whitening.Metric(metric);
        _outputWeights = whitening.RemainingWeights;
        nint outputs = _weights.Rows, inputs = _weights.Columns;
        _metricSingle = new Matrix<float>(inputs, inputs);
        MatrixCopy.CopyRounded(_metric.View, _metricSingle.View);
        _cores = Balance(start);
        using (var product = new Matrix<double>(outputs, inputs)) _norm = Loss(_weights, product);
        _tensor = new Matrix<float>(_cores.First.Columns, _cores.Second.Columns);
        _parts = new Matrix<float>(2 * outputs, inputs);
        _partsMetric = new Matrix<float>(2 * outputs, inputs);
        _residual = new Matrix<float>(outputs, inputs);
        _residualMetric = new Matrix<float>(outputs, inputs);
    }

    /// <summary>The relative loss at the start and after every sweep of ten steps; it never rises.</summary>
    public List<double> Losses { get; } = [];

    private ComputePool Pool => _problem.Pool;

    /// <summary>Multiply-adds of a sweep.</summary>
    public static double Cost(SiteFactors factors, int bond) =>
        StepsPerSweep * (double)factors.OutputDimension * factors.InputDimension * (2.0 * factors.InputDimension + 5.0 * bond);

    /// <summary>Sweeps.</summary>
    /// <param name="sweeps">At most so many.</param>
    /// <param name="progress">Told the share done; may be null.</param>
    /// <param name="cancellationToken">Looked at before every step.</param>
    public void Run(int sweeps, IProgress<double>? progress, CancellationToken cancellationToken)
    {
        if (_norm == 0) return;
        double loss = Measure();
        if (Losses.Count == 0) Losses.Add(loss / _norm);
        for (int sweep = 0; sweep < sweeps; sweep++)
        {
            CorePair before = _cores.Copy();
            for (int step = 0; step < StepsPerSweep; step++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (!Step()) break;
            }

            double after = Measure();
            progress?.Report((sweep + 1.0) / sweeps);
            if (!(after < loss))
            {
                _cores.Dispose();
                _cores = before;
                return;
            }

            before.Dispose();
            Losses.Add(after / _norm);
            if (loss - after <= AlternatingFit.StandsStill * loss) return;
            loss = after;
        }
    }

    /// <summary>The operator as it is, in the coordinates of the whitening.</summary>
    public MatrixProductOperator ToOperator()
    {
        SiteFactors factors = _problem.Factors;
        int bond = (int)_cores.Bond;
        using Matrix<double> first = MatrixCopy.Widen(_cores.First.View), second = MatrixCopy.Widen(_cores.Second.View);
        using Matrix<double> turned = MatrixCopy.Transpose(first.View);
        return new MatrixProductOperator(_problem.Rows, _problem.Columns, factors, [1, bond, 1], [turned.Copy(factors.Outputs[0], (nint)factors.Inputs[0] * bond), second.Copy((nint)bond * factors.Outputs[1], factors.Inputs[1])], _exponent);
    }

    public void Dispose()
    {
        foreach (IDisposable? owned in new IDisposable?[] { _weights, _metric, _metricSingle, _tensor, _parts, _partsMetric, _residual, _residualMetric, _cores, _gradient, _direction }) owned?.Dispose();
    }

    /// <summary>A^T and B of a left-orthogonal chain, with the singular values of the bond as square roots in both.</summary>
    private CorePair Balance(MatrixProductOperator start)
    {
        int bond = start.BondDimensions[1];
        nint first = (nint)_problem.Factors.Outputs[0] * _problem.Factors.Inputs[0], second = (nint)_problem.Factors.Outputs[1] * _problem.Factors.Inputs[1];
        using Matrix<double> left = MatrixCopy.Transpose(start.Cores[0].As(first, bond)), right = start.Cores[1].Copy(bond, second);
        right.ScaleByPowerOfTwo(start.ScaleExponent - _exponent);
        for (int r = 0; r < bond; r++)
        {
            double ratio = Math.Sqrt(Math.Sqrt(DoubleVectors.Dot(right.Row(r), right.Row(r)) / DoubleVectors.Dot(left.Row(r), left.Row(r))));
            if (ratio == 0 || !double.IsFinite(ratio)) continue;
            DoubleVectors.Scale(ratio, left.Row(r));
            DoubleVectors.Scale(1 / ratio, right.Row(r));
        }

        var cores = new CorePair(bond, first, second);
        MatrixCopy.CopyRounded(left.View, cores.First.View);
        MatrixCopy.CopyRounded(right.View, cores.Second.View);
        return cores;
    }

    /// <summary>The loss in double, and residual and its product with H anew.</summary>
    private double Measure()
    {
        using Matrix<double> first = MatrixCopy.Widen(_cores.First.View), second = MatrixCopy.Widen(_cores.Second.View);
        using Matrix<double> tensor = new(first.Columns, second.Columns), residual = new(_weights.Rows, _weights.Columns), product = new(_weights.Rows, _weights.Columns);
        MatrixProduct.Multiply(first.Transposed, second, tensor.View, pool: Pool);
        _problem.Unfolding.Fold(tensor, residual.View, Pool);
        for (nint row = 0; row < residual.Rows; row++)
        {
            Span<double> difference = residual.Row(row);
            DoubleVectors.Scale(-1, difference);
            DoubleVectors.AddScaled(1, _weights.Row(row), difference);
        }

        double loss = Loss(residual, product);
        MatrixCopy.CopyRounded(residual.View, _residual.View);
        MatrixCopy.CopyRounded(product.View, _residualMetric.View);
        return loss;
    }

    /// <summary>tr(D R H R^T); the product is D R H.</summary>
    private double Loss(Matrix<double> residual, Matrix<double> product)
    {
        MatrixProduct.Multiply(residual, _metric, product.View, pool: Pool);
        double loss = 0;
        for (int row = 0; row < residual.Rows; row++)
        {
            if (_outputWeights is not null) DoubleVectors.Scale(_outputWeights[row], product.Row(row));
            loss += DoubleVectors.Dot(residual.Row(row), product.Row(row));
        }

        return loss;
    }

    /// <summary>One step.</summary>
    /// <returns>Whether there was a way down.</returns>
    private bool Step()
    {
        CorePair gradient = Gradient();
        using CorePair conditioned = Precondition(gradient);
        double slope = gradient.Dot(conditioned);
        if (_direction is null)
        {
            _direction = conditioned.Copy();
        }
        else
        {
            // Polak and Ribiere, never negative: then it starts over with the gradient.
            double factor = Math.Max(0, (slope - _gradient!.Dot(conditioned)) / _slope);
            _direction.ScaleAndAdd((float)factor, conditioned);
        }

        _gradient?.Dispose();
        _gradient = gradient;
        _slope = slope;
        return slope > 0 && Move();
    }

    /// <summary>Half the negative gradient: D R H contracted with the other core.</summary>
    private CorePair Gradient()
    {
        _problem.Unfolding.Unfold(_residualMetric.View, _tensor, Pool);
        var gradient = new CorePair(_cores.Bond, _cores.First.Columns, _cores.Second.Columns);
        MatrixProduct.Multiply(_cores.Second, _tensor.Transposed, gradient.First.View, pool: Pool);
        MatrixProduct.Multiply(_cores.First, _tensor, gradient.Second.View, pool: Pool);
        return gradient;
    }

    /// <summary>Each core's gradient over the Gram matrix of the other core: what its normal matrix would be with H = 1.</summary>
    private CorePair Precondition(CorePair gradient)
    {
        var result = new CorePair(gradient.Bond, gradient.First.Columns, gradient.Second.Columns);
        foreach ((Matrix<float> other, Matrix<float> from, Matrix<float> to) in new[] { (_cores.Second, gradient.First, result.First), (_cores.First, gradient.Second, result.Second) })
        {
            using var gram = new Matrix<double>(other.Rows, other.Rows);
            MatrixProduct.SymmetricRankK(other, gram.View, pool: Pool);
            using Cholesky cholesky = Cholesky.FactorizeWithRidge(gram.View, pool: Pool);
            using Matrix<double> solution = MatrixCopy.Widen(from.View);
            cholesky.Solve(solution.View);
            MatrixCopy.CopyRounded(solution.View, to.View);
        }

        return result;
    }

    /// <summary>Goes along the direction to the minimum.</summary>
    private bool Move()
    {
        // A B - (A + t dA)(B + t dB) = -t D_1 - t^2 D_2.
        nint outputs = _weights.Rows;
        MatrixView<float> linear = _parts.RowRange(0, outputs), quadratic = _parts.RowRange(outputs, outputs);
        MatrixProduct.Multiply(_direction!.First.Transposed, _cores.Second, _tensor.View, pool: Pool);
        MatrixProduct.Multiply(_cores.First.Transposed, _direction.Second, _tensor.View, beta: 1, pool: Pool);
        _problem.Unfolding.Fold(_tensor, linear, Pool);
        MatrixProduct.Multiply(_direction.First.Transposed, _direction.Second, _tensor.View, pool: Pool);
        _problem.Unfolding.Fold(_tensor, quadratic, Pool);
        MatrixProduct.Multiply(_parts, _metricSingle, _partsMetric.View, pool: Pool);
        for (int row = 0; _outputWeights is not null && row < _partsMetric.Rows; row++)
            TensorPrimitives.Multiply<float>(_partsMetric.Row(row), (float)_outputWeights[row % (int)outputs], _partsMetric.Row(row));
        MatrixView<float> linearMetric = _partsMetric.RowRange(0, outputs), quadraticMetric = _partsMetric.RowRange(outputs, outputs);
        var along = new LossAlongLine(
            -2 * Inner(linear, _residualMetric.View), Inner(linear, linearMetric) - 2 * Inner(quadratic, _residualMetric.View), 2 * Inner(linear, quadraticMetric), Inner(quadratic, quadraticMetric));
        double step = along.Minimum();
        if (!(step > 0) || !(along.At(step) < 0)) return false;
        _cores.Add((float)step, _direction);
        foreach ((Matrix<float> changed, MatrixView<float> first, MatrixView<float> second) in new[] { (_residual, linear, quadratic), (_residualMetric, linearMetric, quadraticMetric) })
        {
            CorePair.AddScaled(changed.View, (float)-step, first);
            CorePair.AddScaled(changed.View, (float)-(step * step), second);
        }

        return true;
    }

    private static double Inner(MatrixView<float> x, MatrixView<float> y)
    {
        double sum = 0;
        for (nint row = 0; row < x.Rows; row++) sum += DoubleVectors.Dot(x.Row(row), y.Row(row));
        return sum;
    }
}
