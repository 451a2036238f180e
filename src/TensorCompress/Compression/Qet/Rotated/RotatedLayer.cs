using TensorCompress.Kernels;
using TensorCompress.Layers;
using TensorCompress.Tensors;

namespace TensorCompress.Compression.Qet.Rotated;

/// <summary>Rotates the activations once and leaves the product to the layer of the rotated weight.</summary>
internal sealed class RotatedLayer : LinearLayer
{
    private readonly LinearLayer _codes;
    private LearntRotation? _rotation;

    /// <summary>Takes the layer over.</summary>
    public RotatedLayer(LinearLayer codes, LearntRotation rotation)
        : base(codes.OutputDimension, codes.InputDimension) => (_codes, _rotation) = (codes, rotation);

    /// <inheritdoc/>
    public override long ResidentBytes => _codes.ResidentBytes + (_rotation?.ByteLength ?? 0);

    /// <inheritdoc/>
    public override long MultiplicationsPerToken => _codes.MultiplicationsPerToken + (long)InputDimension * InputDimension;

    private LearntRotation Rotation => _rotation ?? throw new ObjectDisposedException(nameof(RotatedLayer));

    /// <inheritdoc/>
    protected override void Multiply(ActivationBatch input, MatrixView<float> destination, ComputeContext context)
    {
        using ScratchLease lease = context.Rent(input.TokenCount, InputDimension);
        MatrixView<float> rotated = lease.View;
        RowDecodedLayer.Multiply(Rotation.Axis, input, rotated, context);
        _codes.Forward(new ActivationBatch(rotated), destination, context);
    }

    /// <inheritdoc/>
    protected override void ReadRow(int row, Span<float> destination)
    {
        float[] rotated = new float[InputDimension], axis = new float[InputDimension];
        _codes.DecodeRow(row, rotated);
        destination.Clear();
        for (int i = 0; i < rotated.Length; i++)
        {
            Rotation.Axis(i, axis);
            Scaling.AddScaled(axis, rotated[i], destination);
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing) _codes.Dispose();
        _rotation = null;
        base.Dispose(disposing);
    }
}
