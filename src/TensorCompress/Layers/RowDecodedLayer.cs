using TensorCompress.Kernels;
using TensorCompress.Tensors;

namespace TensorCompress.Layers;

/// <summary>A layer whose rows are decoded into a small buffer when they are multiplied: at any moment a thread holds a few rows as floats, never the whole weight.</summary>
/// <remarks>Subclasses implement <see cref="LinearLayer.ReadRow"/>; it must be safe for concurrent callers.</remarks>
public abstract class RowDecodedLayer : LinearLayer
{
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
        RowBlocks.ForEach((int)destination.Columns, input.Dimension, input.TokenCount, (decode, input.Values, destination), context, static (start, count, decoded, state) =>
        {
            for (int i = 0; i < count; i++) state.decode(start + i, decoded.Row(i));
            DotProducts.Multiply(decoded, state.Values, state.destination.ColumnRange(start, count));
        });
    }
}

/// <summary>Writes a row of a weight.</summary>
internal delegate void RowDecoder(int row, Span<float> destination);
