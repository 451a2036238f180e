using TensorCompress.Kernels;
using TensorCompress.Layers;
using TensorCompress.Tensors;

namespace TensorCompress.Compression.Dense;

/// <summary>Plain weights that stay F16 or BF16 in memory and become floats in registers.</summary>
public sealed class HalfDenseLayer : LinearLayer
{
    private readonly ElementType _type;

    // [output, input * 2]
    private readonly Matrix<byte> _values;

    /// <summary>Takes the bytes over.</summary>
    internal HalfDenseLayer(ElementType type, Matrix<byte> values, int inputDimension)
        : base(checked((int)values.Rows), inputDimension)
    {
        _type = type;
        _values = values;
    }

    /// <inheritdoc/>
    public override long ResidentBytes => _values.ByteLength;

    /// <inheritdoc/>
    protected override void Multiply(ActivationBatch input, MatrixView<float> destination, ComputeContext context) =>
        LinearProduct.Forward(_values.View, _type, input.Values, destination, context.Pool);

    /// <inheritdoc/>
    protected override void ReadRow(int row, Span<float> destination) => ElementConversion.ToSingle(_type, _values.Row(row), destination);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing) _values.Dispose();
        base.Dispose(disposing);
    }
}
