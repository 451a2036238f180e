using TensorCompress.Inference;
using TensorCompress.Tensors;

namespace TensorCompress.Calibration;

/// <summary>Keeps what one window has at a place of a block: the activations there, and the residual stream to which the outputs of the place's layers would be added.</summary>
/// <param name="place">The place.</param>
internal sealed class PlaceRecorder(ActivationPoint place) : ActivationProbe, IDisposable
{
    private bool _isDone;

    /// <summary>The activations of the last window, [tokens, width].</summary>
    public Matrix<float> Values { get; private set; } = new(0, 0);

    /// <summary>The residual stream of the last window before the place, [tokens, hidden].</summary>
    public Matrix<float> Residual { get; private set; } = new(0, 0);

    internal override bool IsDone => _isDone;

    /// <summary>Runs a window up to the place.</summary>
    public void Record(BlockwiseRun run, int window, int block)
    {
        _isDone = false;
        Residual = Copy(run.ResidualOf(window), Residual);
        run.Observe(window, block, this);
    }

    public override void Observe(ActivationPoint point, int block, int firstPosition, MatrixView<float> values)
    {
        if (point == ActivationPoint.AttentionResidual) Residual = Copy(values, Residual);
        if (point != place) return;
        Values = Copy(values, Values);
        _isDone = true;
    }

    public void Dispose()
    {
        Values.Dispose();
        Residual.Dispose();
    }

    private static Matrix<float> Copy(MatrixView<float> source, Matrix<float> target)
    {
        if (target.Rows != source.Rows || target.Columns != source.Columns)
        {
            target.Dispose();
            target = new Matrix<float>(source.Rows, source.Columns);
        }

        source.CopyTo(target.View);
        return target;
    }
}
