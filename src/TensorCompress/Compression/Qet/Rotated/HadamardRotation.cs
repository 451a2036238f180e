using TensorCompress.Compression.Qet.Universal;
using TensorCompress.Layers;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Qet.Rotated;

/// <summary>Signs and Hadamard blocks of the widest power of two that divides the columns: nothing to store.</summary>
/// <param name="columns">Columns of the rows.</param>
internal sealed class HadamardRotation(int columns) : RowRotation
{
    private const int Grain = 8;

    private readonly int _width = BlockHadamard.WidthFor(columns);

    /// <inheritdoc/>
    public override QetRotation Kind => QetRotation.Hadamard;

    /// <inheritdoc/>
    public override long ByteLength => 0;

    /// <inheritdoc/>
    public override long MultiplicationsPerToken => columns;

    /// <inheritdoc/>
    public override void Rotate(MatrixView<float> rows, ComputePool pool) => pool.For(rows.Rows, Grain, (start, end) =>
    {
        for (nint row = start; row < end; row++) BlockHadamard.Rotate(rows.Row(row), _width);
    });

    /// <inheritdoc/>
    public override void Undo(MatrixView<float> rows, ComputePool pool) => pool.For(rows.Rows, Grain, (start, end) =>
    {
        for (nint row = start; row < end; row++) BlockHadamard.Undo(rows.Row(row), _width);
    });

    /// <inheritdoc/>
    public override void RotateMetric(Matrix<double> metric, ComputePool pool) => BlockHadamard.RotateBothSides(metric, _width, pool);

    /// <inheritdoc/>
    public override void Rotate(ActivationBatch input, MatrixView<float> rotated, ComputeContext context) => context.Pool.For(rotated.Rows, Grain, (input.Values, rotated, _width), static (start, end, state) =>
    {
        for (nint token = start; token < end; token++)
        {
            state.Values.Row(token).CopyTo(state.rotated.Row(token));
            BlockHadamard.Rotate(state.rotated.Row(token), state._width);
        }
    });
}
