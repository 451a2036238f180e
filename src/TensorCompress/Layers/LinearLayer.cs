using TensorCompress.Tensors;

namespace TensorCompress.Layers;

/// <summary>A matrix W of shape [output, input] that runs: <c>y = W x</c> for each token. It knows how to multiply, not which method made it.</summary>
/// <remarks>
/// Immutable and safe for concurrent callers, each with its own <see cref="ComputeContext"/>. Every output element is one reduction in an order that depends on the
/// layer alone: the same bits for a token alone or in a batch, at any thread count.
/// </remarks>
public abstract class LinearLayer : IDisposable
{
    /// <summary>Sets the shape.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A dimension is not positive.</exception>
    protected LinearLayer(int outputDimension, int inputDimension)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(outputDimension);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(inputDimension);
        OutputDimension = outputDimension;
        InputDimension = inputDimension;
    }

    /// <summary>Rows of W.</summary>
    public int OutputDimension { get; }

    /// <summary>Columns of W.</summary>
    public int InputDimension { get; }

    /// <summary>Bytes of memory that the layer holds.</summary>
    public abstract long ResidentBytes { get; }

    /// <summary>Multiplications of numbers for one token; one for each element of W unless the layer finds a shorter way.</summary>
    public virtual long MultiplicationsPerToken => (long)OutputDimension * InputDimension;

    /// <summary>Additions for one token; as many as multiplications unless the layer says otherwise.</summary>
    public virtual long AdditionsPerToken => MultiplicationsPerToken;

    /// <summary>Computes <c>y = W x</c> for every token.</summary>
    /// <param name="input">Activations, [tokens, input].</param>
    /// <param name="destination">Results, [tokens, output]; overwritten; must not overlap the input.</param>
    /// <param name="context">Threads and scratch memory.</param>
    /// <exception cref="ArgumentException">The shapes do not fit.</exception>
    public void Forward(ActivationBatch input, MatrixView<float> destination, ComputeContext context)
    {
        ArgumentNullException.ThrowIfNull(input);
        ArgumentNullException.ThrowIfNull(context);
        if (input.Dimension != InputDimension)
            throw new ArgumentException($"The layer takes {InputDimension} inputs per token, not {input.Dimension}.", nameof(input));
        if (destination.Rows != input.TokenCount || destination.Columns != OutputDimension)
            throw new ArgumentException($"The result is {input.TokenCount} x {OutputDimension}, not {destination.Rows} x {destination.Columns}.", nameof(destination));
        if (input.TokenCount > 0) Multiply(input, destination, context);
    }

    /// <summary>Writes one row of W (the embedding of a token).</summary>
    /// <param name="row">0 to <see cref="OutputDimension"/> - 1.</param>
    /// <param name="destination"><see cref="InputDimension"/> floats.</param>
    /// <exception cref="ArgumentException">The row or the length is out of range.</exception>
    public void DecodeRow(int row, Span<float> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(row);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(row, OutputDimension);
        if (destination.Length != InputDimension)
            throw new ArgumentException($"A row has {InputDimension} elements, not {destination.Length}.", nameof(destination));
        ReadRow(row, destination);
    }

    /// <summary>Frees what the layer holds.</summary>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary><see cref="Forward"/> after its checks, with at least one token.</summary>
    protected abstract void Multiply(ActivationBatch input, MatrixView<float> destination, ComputeContext context);

    /// <summary><see cref="DecodeRow"/> after its checks.</summary>
    protected abstract void ReadRow(int row, Span<float> destination);

    /// <summary>Frees what the layer holds.</summary>
    protected virtual void Dispose(bool disposing)
    {
    }
}
