using System.Numerics.Tensors;
using TensorCompress.Layers;
using TensorCompress.Tensors;

namespace TensorCompress.Compression.Dense;

/// <summary>Plain 32-bit weights.</summary>
public sealed class DenseLayer : LinearLayer
{
    private readonly Matrix<float> _weights;

    internal DenseLayer(Matrix<float> weights)
        : base(checked((int)weights.Rows), checked((int)weights.Columns)) => _weights = weights;

    /// <inheritdoc/>
    public override long ResidentBytes => _weights.ByteLength;

    /// <summary>Makes a layer of plain weights.</summary>
    /// <param name="weights">W, row-major; read before the call returns.</param>
    /// <param name="rows">Outputs.</param>
    /// <param name="columns">Inputs.</param>
    /// <param name="type">F32, or F16 or BF16 to keep 16 bits per weight in memory.</param>
    /// <exception cref="ArgumentException">The weights are not rows x columns many, a weight is NaN or infinite, or beyond the type's range.</exception>
    public static LinearLayer FromDense(ReadOnlySpan<float> weights, int rows, int columns, ElementType type = ElementType.F32)
    {
        using Matrix<float> matrix = DenseSource.Copy(weights, rows, columns);
        return FromDense(matrix, type);
    }

    /// <summary>Makes a layer of plain weights.</summary>
    /// <param name="weights">W, [output, input]; read before the call returns.</param>
    /// <param name="type">F32, or F16 or BF16 to keep 16 bits per weight in memory.</param>
    /// <exception cref="ArgumentException">The weights are not a matrix, a weight is NaN or infinite, or beyond the type's range.</exception>
    public static LinearLayer FromDense(in ReadOnlyTensorSpan<float> weights, ElementType type = ElementType.F32)
    {
        using Matrix<float> matrix = DenseSource.Copy(weights);
        return FromDense(matrix, type);
    }

    /// <inheritdoc/>
    protected override void Multiply(ActivationBatch input, MatrixView<float> destination, ComputeContext context) =>
        LinearProduct.Forward(_weights.View, input.Values, destination, context.Pool);

    /// <inheritdoc/>
    protected override void ReadRow(int row, Span<float> destination) => _weights.Row(row).CopyTo(destination);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing) _weights.Dispose();
        base.Dispose(disposing);
    }

    private static LinearLayer FromDense(Matrix<float> weights, ElementType type)
    {
        using DenseWeight weight = DenseWeight.FromDense(weights.View, new DenseOptions(type).Type!.Value);
        return weight.CreateLayer();
    }
}
