using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Calibration;

/// <summary>
/// What a layer behind compressed layers should do: with its inputs x come as near as it can to what the dense layer makes of its own inputs p, plus what the residual stream lacks (g),
/// rather than be the dense layer on inputs that are not the dense ones. That takes back part of the errors of the layers before it, and costs no byte.
/// </summary>
/// <remarks>
/// The nearest weights are W + N H^-1 with N = W E[(p - x) x^T] + E[g x^T]. A ridge (H's diagonal times channels over tokens) keeps them from fitting the calibration text alone: directions that
/// few tokens show keep their weights.
/// </remarks>
internal sealed class DenseOutputTarget : IDisposable
{
    /// <summary>
    /// Part of the way that is gone. The whole of it does a few per cent better on a small model, and much worse on SmolLM2-135M at 2 bits (divergence 1.55 against 1.32; 1.84 at no step): what is
    /// nearest in squares of one layer's outputs over-corrects.
    /// </summary>
    public const double DefaultShare = 0.5;

    private readonly InputMoments _moments;
    private readonly double _share;
    private readonly Cholesky _factor;
    private readonly ComputePool _pool;

    /// <summary>Prepares.</summary>
    /// <param name="moments">Moments with partners; not disposed.</param>
    /// <param name="share">Part of the way that is gone.</param>
    /// <param name="pool">Threads.</param>
    /// <exception cref="ArgumentException">The inputs had no partners.</exception>
    public DenseOutputTarget(InputMoments moments, double share, ComputePool pool)
    {
        if (moments.Cross is null) throw new ArgumentException("The inputs had no partners.", nameof(moments));
        _moments = moments;
        _share = share;
        _pool = pool;
        using Matrix<double> metric = moments.Statistics.Shrunk(0, 0);
        for (nint i = 0; i < metric.Rows; i++) metric[i, i] *= 1 + (double)metric.Rows / moments.Statistics.TokenCount;
        _factor = Cholesky.FactorizeWithRidge(metric.View, pool: pool);
    }

    /// <summary>The weights to aim at: on the way to the nearest.</summary>
    /// <param name="weights">W, [output, input].</param>
    /// <returns>[output, input].</returns>
    public Matrix<float> Fit(MatrixView<float> weights)
    {
        nint inputs = weights.Columns;
        Matrix<double> cross = _moments.Cross!;
        using Matrix<double> dense = new(weights.Rows, inputs), change = new(weights.Rows, inputs);
        for (nint row = 0; row < dense.Rows; row++)
        {
            for (int i = 0; i < inputs; i++) dense[row, i] = weights.Row(row)[i];
        }

        if (cross.Rows > inputs) cross.View.RowRange(inputs, dense.Rows).CopyTo(change.View);
        MatrixProduct.Multiply(dense, cross.View.RowRange(0, inputs), change.View, beta: 1, pool: _pool);
        TriangularSolve.Right(_factor.Lower.Transposed, Triangle.Upper, change.View, _pool);
        TriangularSolve.Right(_factor.Lower, Triangle.Lower, change.View, _pool);
        var target = new Matrix<float>(weights.Rows, inputs);
        for (nint row = 0; row < target.Rows; row++)
        {
            for (int i = 0; i < inputs; i++) target[row, i] = (float)(dense[row, i] + _share * change[row, i]);
        }

        return target;
    }

    /// <summary>Frees the factor.</summary>
    public void Dispose() => _factor.Dispose();
}
