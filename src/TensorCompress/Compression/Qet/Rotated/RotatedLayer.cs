using TensorCompress.Layers;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Qet.Rotated;

/// <summary>Rotates the activations once and leaves the product to the layer of the rotated weight.</summary>
internal sealed class RotatedLayer : LinearLayer
{
    private readonly LinearLayer _codes;
    private RowRotation? _rotation;

    /// <summary>Takes the layer over.</summary>
    public RotatedLayer(LinearLayer codes, RowRotation rotation)
        : base(codes.OutputDimension, codes.InputDimension) => (_codes, _rotation) = (codes, rotation);

    /// <inheritdoc/>
    public override long ResidentBytes => _codes.ResidentBytes + (_rotation?.ResidentBytes ?? 0);

    /// <inheritdoc/>
    public override long MultiplicationsPerToken => _codes.MultiplicationsPerToken + (_rotation?.MultiplicationsPerToken ?? 0);

    private RowRotation Rotation => _rotation ?? throw new ObjectDisposedException(nameof(RotatedLayer));

    /// <inheritdoc/>
    protected override void Multiply(ActivationBatch input, MatrixView<float> destination, ComputeContext context)
    {
        using ScratchLease lease = context.Rent(input.TokenCount, InputDimension);
        MatrixView<float> rotated = lease.View;
        Rotation.Rotate(input, rotated, context);
        _codes.Forward(new ActivationBatch(rotated), destination, context);
    }

    /// <inheritdoc/>
    protected override void ReadRow(int row, Span<float> destination)
    {
        using var one = new Matrix<float>(1, InputDimension);
        _codes.DecodeRow(row, one.Row(0));
        Rotation.Undo(one.View, ComputePool.Shared);
        one.Row(0).CopyTo(destination);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing) _codes.Dispose();
        _rotation = null;
        base.Dispose(disposing);
    }
}
