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
    protected sealed override void Multiply(ActivationBatch input, MatrixView<float> destination, ComputeContext context) => Multiply(ReadRow, input, destination, context);

    /// <summary>Multiplies rows that somebody decodes.</summary>
    /// <param name="decode">Writes a row; called concurrently.</param>
    /// <param name="input">Activations, [tokens, input].</param>
    /// <param name="destination">Results, [tokens, rows].</param>
    /// <param name="context">Threads.</param>
    internal static void Multiply(RowDecoder decode, ActivationBatch input, MatrixView<float> destination, ComputeContext context)
    {
        nint grain = nint.Max(BlockRows, LinearProduct.RowGrain(input.Dimension, input.TokenCount));
        context.Pool.For(destination.Columns, grain, (start, end) =>
        {
            using var block = new Matrix<float>(BlockRows, input.Dimension);
            for (nint row = start; row < end; row += BlockRows)
            {
                nint count = nint.Min(BlockRows, end - row);
                for (nint i = 0; i < count; i++) decode((int)(row + i), block.Row(i));
                DotProducts.Multiply(block.RowRange(0, count), input.Values, destination.ColumnRange(row, count));
            }
        });
    }
}

/// <summary>Writes a row of a weight.</summary>
internal delegate void RowDecoder(int row, Span<float> destination);
