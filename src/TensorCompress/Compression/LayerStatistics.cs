using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression;

/// <summary>
/// What calibration knows of a layer's inputs x: the second moment <c>H = E[x x^T]</c>, and, where somebody knows it, how much each output matters: d. The squared output error of an
/// approximation W' is <c>tr(diag(d) (W - W') H (W - W')^T)</c>, so H and d are the metric in which methods that take statistics fit. Immutable.
/// </summary>
public sealed class LayerStatistics : IDisposable
{
    /// <summary>The least importance of an output over their mean: none is given up.</summary>
    private const double ImportanceFloor = 1e-6;

    /// <summary>Moments of a pair of channels that differ by less than this share of the largest moment differ by rounding, whatever they are themselves.</summary>
    private const double RoundingShare = 1e-9;

    /// <summary>Moments of a pair of channels that differ by more than this share of themselves are two.</summary>
    private const double AsymmetryShare = 1e-6;

    private readonly Matrix<double> _secondMoment;
    private readonly bool _isOwner = true;

    /// <summary>Takes the second moment over.</summary>
    /// <param name="secondMoment">H, [input, input], symmetric, finite, positive semi-definite up to rounding; the last is not looked at here, but fits may refuse what is not.</param>
    /// <param name="tokenCount">Tokens that it is the mean of.</param>
    /// <exception cref="ArgumentException">The matrix is not square or not symmetric, holds NaN or infinity, or has a negative diagonal; or there is no token.</exception>
    public LayerStatistics(Matrix<double> secondMoment, long tokenCount)
    {
        ArgumentNullException.ThrowIfNull(secondMoment);
        ArgumentOutOfRangeException.ThrowIfLessThan(tokenCount, 1);
        if (secondMoment.Rows != secondMoment.Columns || secondMoment.Rows == 0)
            throw new ArgumentException($"A second moment is square, not {secondMoment.Rows} x {secondMoment.Columns}.", nameof(secondMoment));
        double largest = 0;
        for (nint i = 0; i < secondMoment.Rows; i++)
        {
            ReadOnlySpan<double> row = secondMoment.Row(i);
            for (int j = 0; j < row.Length; j++)
            {
                if (!double.IsFinite(row[j]) || (i == j && row[j] < 0))
                    throw new ArgumentException($"The second moment of channels {i} and {j} is {row[j]}.", nameof(secondMoment));
            }

            largest = Math.Max(largest, row[(int)i]);
        }

        ThrowIfNotSymmetric(secondMoment, RoundingShare * largest);
        _secondMoment = secondMoment;
        TokenCount = tokenCount;
    }

    private LayerStatistics(LayerStatistics other, IReadOnlyList<double> outputImportance)
    {
        _isOwner = false;
        _secondMoment = other._secondMoment;
        TokenCount = other.TokenCount;
        OutputImportance = outputImportance;
    }

    /// <summary>Inputs of the layer.</summary>
    public int Dimension => (int)_secondMoment.Rows;

    /// <summary>Tokens that the second moment is the mean of.</summary>
    public long TokenCount { get; }

    /// <summary>H, [input, input], symmetric.</summary>
    public MatrixView<double> SecondMoment => _secondMoment.View;

    /// <summary>d, one weight for each output of the layer, for instance the mean square of the loss's derivative by it; null where all outputs matter alike.</summary>
    public IReadOnlyList<double>? OutputImportance { get; private init; }

    /// <summary>The same inputs for a layer whose outputs do not matter alike.</summary>
    /// <param name="outputImportance">d, finite, not negative, not all 0; only ratios count. Copied.</param>
    /// <returns>Statistics that borrow the second moment of these, which must live longer.</returns>
    /// <exception cref="ArgumentException">A weight is negative, NaN or infinite, or all are 0.</exception>
    public LayerStatistics WithOutputImportance(IEnumerable<double> outputImportance)
    {
        double[] importance = [.. outputImportance];
        int bad = Array.FindIndex(importance, weight => !(double.IsFinite(weight) && weight >= 0));
        if (bad >= 0) throw new ArgumentException($"The importance of output {bad} is {importance[bad]}; it is finite and not negative.", nameof(outputImportance));
        if (importance.Sum() == 0) throw new ArgumentException("No output has an importance above 0.", nameof(outputImportance));
        return new LayerStatistics(this, importance);
    }

    /// <summary>The same inputs with H shrunk towards its diagonal, <c>(1 - s) H + s diag(H)</c>: few tokens know the diagonal better than the rest.</summary>
    /// <param name="share">s, 0 to 1.</param>
    /// <returns>Statistics of their own, with the same importance of outputs.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The share is not 0 to 1.</exception>
    public LayerStatistics WithShrinkage(double share) => new(Shrunk(share, 0), TokenCount) { OutputImportance = OutputImportance };

    /// <summary>The second moment of plain activations, without clipping.</summary>
    /// <param name="activations">[tokens, input], finite, at least one token.</param>
    /// <param name="pool">Threads; null for the shared pool.</param>
    /// <exception cref="ArgumentException">There is no token, or an activation is NaN or infinite.</exception>
    public static LayerStatistics FromActivations(MatrixView<float> activations, ComputePool? pool = null)
    {
        if (activations.Rows == 0) throw new ArgumentException("Statistics need at least one token.", nameof(activations));
        var moment = new Matrix<double>(activations.Columns, activations.Columns);
        MatrixProduct.SymmetricRankK(activations.Transposed, moment.View, 1.0 / activations.Rows, pool: pool);
        return new LayerStatistics(moment, activations.Rows);
    }

    /// <summary>E[x_i^2] for each input.</summary>
    public double[] Diagonal()
    {
        var diagonal = new double[Dimension];
        for (int i = 0; i < diagonal.Length; i++) diagonal[i] = _secondMoment[i, i];
        return diagonal;
    }

    /// <summary><c>(1 - s) H + s diag(H) + r mean(diag H) I</c>: H shrunk towards its diagonal, which few tokens know better, and made positive definite.</summary>
    /// <param name="diagonalShare">s, 0 to 1.</param>
    /// <param name="ridge">r, at least 0.</param>
    public Matrix<double> Shrunk(double diagonalShare, double ridge)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(diagonalShare);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(diagonalShare, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(ridge);
        double[] diagonal = Diagonal();
        double added = ridge * diagonal.Average();
        if (added == 0 && ridge > 0) added = ridge; // no input was ever active: any metric will do
        var shrunk = new Matrix<double>(Dimension, Dimension);
        for (int i = 0; i < Dimension; i++)
        {
            ReadOnlySpan<double> source = _secondMoment.Row(i);
            Span<double> row = shrunk.Row(i);
            for (int j = 0; j < row.Length; j++) row[j] = (1 - diagonalShare) * source[j];
            row[i] = diagonal[i] + added;
        }

        return shrunk;
    }

    /// <summary>sqrt(d) of each output with a floor under it, so that it can be divided by: a fit of <c>diag(sqrt d) W</c> in the metric H is one of W in the metric of both.</summary>
    /// <returns>Null where all outputs matter alike.</returns>
    internal double[]? OutputScales()
    {
        if (OutputImportance is not { } importance) return null;
        double mean = importance.Average();
        return [.. importance.Select(weight => Math.Sqrt(Math.Max(weight / mean, ImportanceFloor)))];
    }

    /// <summary><c>sqrt(tr(diag(d) (W - W') H (W - W')^T) / tr(diag(d) W H W^T))</c>; 0 where both are 0.</summary>
    /// <param name="weights">W, [output, input].</param>
    /// <param name="approximation">W', of the same shape.</param>
    /// <param name="pool">Threads; null for the shared pool.</param>
    /// <exception cref="ArgumentException">The shapes do not fit.</exception>
    public double OutputError(MatrixView<float> weights, MatrixView<float> approximation, ComputePool? pool = null)
    {
        double error = ErrorEnergy(weights, approximation, pool), norm = OutputEnergies(weights, pool).Sum();
        return norm > 0 ? Math.Sqrt(Math.Max(0, error) / norm) : error > 0 ? double.PositiveInfinity : 0;
    }

    /// <summary>Refuses statistics of another layer.</summary>
    /// <param name="weights">W, [output, input].</param>
    /// <exception cref="ArgumentException">The inputs, or the outputs whose importance is known, are not as many.</exception>
    public void ThrowIfUnfit(MatrixView<float> weights)
    {
        if (weights.Columns != Dimension)
            throw new ArgumentException($"The statistics are of {Dimension} inputs, the weights have {weights.Columns}: they belong to another layer or model.", nameof(weights));
        if (OutputImportance is { } importance && importance.Count != weights.Rows)
            throw new ArgumentException($"The importance of {importance.Count} outputs is known, the weights have {weights.Rows}: it belongs to another layer or model.", nameof(weights));
    }

    /// <summary>Frees the second moment, unless it is borrowed.</summary>
    public void Dispose()
    {
        if (_isOwner) _secondMoment.Dispose();
    }

    /// <summary>The mean square of each output of weights, times its importance: the diagonal of <c>diag(d) W H W^T</c>.</summary>
    internal double[] OutputEnergies(MatrixView<float> weights, ComputePool? pool = null)
    {
        using var exact = new Matrix<double>(weights.Rows, weights.Columns);
        for (nint row = 0; row < weights.Rows; row++)
        {
            ReadOnlySpan<float> source = weights.Row(row);
            Span<double> values = exact.Row(row);
            for (int i = 0; i < values.Length; i++) values[i] = source[i];
        }

        return RowEnergies(exact, pool);
    }

    /// <summary><c>tr(diag(d) (W - W') H (W - W')^T)</c>; see <see cref="OutputError"/>.</summary>
    internal double ErrorEnergy(MatrixView<float> weights, MatrixView<float> approximation, ComputePool? pool = null)
    {
        ThrowIfUnfit(weights);
        if (approximation.Rows != weights.Rows || approximation.Columns != weights.Columns)
            throw new ArgumentException($"The approximation is {approximation.Rows} x {approximation.Columns}, the weights {weights.Rows} x {weights.Columns}.", nameof(approximation));
        using var difference = new Matrix<double>(weights.Rows, weights.Columns);
        for (nint row = 0; row < weights.Rows; row++)
        {
            ReadOnlySpan<float> exact = weights.Row(row), other = approximation.Row(row);
            Span<double> values = difference.Row(row);
            for (int i = 0; i < values.Length; i++) values[i] = (double)exact[i] - other[i];
        }

        return RowEnergies(difference, pool).Sum();
    }

    private static void ThrowIfNotSymmetric(Matrix<double> secondMoment, double rounding)
    {
        for (nint i = 0; i < secondMoment.Rows; i++)
        {
            ReadOnlySpan<double> row = secondMoment.Row(i)[..(int)i];
            for (int j = 0; j < row.Length; j++)
            {
                double other = secondMoment[j, i];
                if (Math.Abs(row[j] - other) > AsymmetryShare * (Math.Abs(row[j]) + Math.Abs(other)) + rounding)
                    throw new ArgumentException($"A second moment is symmetric; that of channels {i} and {j} is {row[j]} and {other}.", nameof(secondMoment));
            }
        }
    }

    private double[] RowEnergies(Matrix<double> rows, ComputePool? pool)
    {
        using var product = new Matrix<double>(rows.Rows, rows.Columns);
        MatrixProduct.Multiply(rows, _secondMoment, product.View, pool: pool);
        return [.. Enumerable.Range(0, (int)rows.Rows).Select(row => (OutputImportance?[row] ?? 1) * DoubleVectors.Dot(rows.Row(row), product.Row(row)))];
    }
}
