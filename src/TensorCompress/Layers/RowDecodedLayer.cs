using TensorCompress.Kernels;
using TensorCompress.Tensors;

namespace TensorCompress.Layers;

/// <summary>A layer whose rows are decoded into a small buffer when they are multiplied: at any moment a thread holds a few rows as floats, never the whole weight.</summary>
/// <remarks>Subclasses implement <see cref="LinearLayer.ReadRow"/>; it must be safe for concurrent callers.</remarks>
public abstract class RowDecodedLayer : LinearLayer
{
    /// <summary>Rows decoded at a time: together with the inputs of a block of tokens they stay in the second-level cache.</summary>
    private const int BlockRows = 16;

    /// <summary>Sets the shape.</summary>
    protected RowDecodedLayer(int outputDimension, int inputDimension)
        : base(outputDimension, inputDimension)
    {
    }

    /// <inheritdoc/>
    protected sealed override void Multiply(ActivationBatch input, MatrixView<float> destination, ComputeContext context)
    {
        nint grain = nint.Max(BlockRows, LinearProduct.RowGrain(InputDimension, input.TokenCount));
        context.Pool.For(OutputDimension, grain, (start, end) =>
        {
            using var block = new Matrix<float>(BlockRows, InputDimension);
            for (nint row = start; row < end; row += BlockRows)
            {
                nint count = nint.Min(BlockRows, end - row);
                for (nint i = 0; i < count; i++) ReadRow((int)(row + i), block.Row(i));
                DotProducts.Multiply(block.RowRange(0, count), input.Values, destination.ColumnRange(row, count));
            }
        });
    }
}
