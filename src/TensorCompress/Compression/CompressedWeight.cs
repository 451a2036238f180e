using System.Globalization;
using System.Text.Json.Nodes;
using TensorCompress.Layers;
using TensorCompress.Tensors;

namespace TensorCompress.Compression;

/// <summary>What a method makes of a weight matrix W [output, input], and what a file holds of it. Immutable.</summary>
public abstract class CompressedWeight : IDisposable
{
    /// <summary>Sets the shape of W.</summary>
    protected CompressedWeight(int outputDimension, int inputDimension)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(outputDimension);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(inputDimension);
        OutputDimension = outputDimension;
        InputDimension = inputDimension;
    }

    /// <summary>The method that reads and writes it.</summary>
    public abstract ICompressionMethod Method { get; }

    /// <summary>Rows of W.</summary>
    public int OutputDimension { get; }

    /// <summary>Columns of W.</summary>
    public int InputDimension { get; }

    /// <summary>The tensors that a file holds, in file order.</summary>
    public abstract IReadOnlyList<WeightPart> Parts { get; }

    /// <summary>What is needed besides the parts to read them back (group size, factor shapes), as it stands in the checkpoint's configuration.</summary>
    public abstract JsonObject Parameters { get; }

    /// <summary>Bytes of all parts: codes, scales, codebooks, everything.</summary>
    public long StoredBytes => Parts.Sum(part => part.ByteLength);

    /// <summary>All stored bits over input x output.</summary>
    public double BitsPerWeight => StoredBytes * 8.0 / ((double)OutputDimension * InputDimension);

    /// <summary>What the method chose for this matrix alone, or what became of its options there, in a few words for a table; null where they say all.</summary>
    public virtual string? Choices => null;

    /// <summary>Options to fit a changed matrix with the choices made for this one, so that nothing is searched for twice.</summary>
    /// <param name="options">What this weight was made with.</param>
    internal virtual MethodOptions WithChoices(MethodOptions options) => options;

    /// <summary>Writes the matrix that the weight stands for.</summary>
    /// <param name="destination">[output, input], overwritten.</param>
    /// <exception cref="ArgumentException">The shape does not fit.</exception>
    public void ToDense(MatrixView<float> destination)
    {
        if (destination.Rows != OutputDimension || destination.Columns != InputDimension)
            throw new ArgumentException($"The weight is {OutputDimension} x {InputDimension}, not {destination.Rows} x {destination.Columns}.", nameof(destination));
        WriteDense(destination);
    }

    /// <summary>The matrix that the weight stands for, newly allocated.</summary>
    public Matrix<float> ToDense()
    {
        var dense = new Matrix<float>(OutputDimension, InputDimension);
        WriteDense(dense.View);
        return dense;
    }

    /// <summary>Packs the weight for this processor with the default options.</summary>
    /// <inheritdoc cref="CreateLayer(RuntimeOptions)"/>
    public LinearLayer CreateLayer() => CreateLayer(RuntimeOptions.Default);

    /// <summary>Packs the weight for this processor. The layer is independent of the weight, which may be disposed afterwards.</summary>
    /// <remarks>The layer keeps at most 1.25 x <see cref="StoredBytes"/> + 64 KiB; where parts are entropy coded, 1.25 x what they take otherwise.</remarks>
    /// <param name="options">Precision of activations.</param>
    public abstract LinearLayer CreateLayer(RuntimeOptions options);

    /// <summary>What the weight has to say about itself, for people.</summary>
    public WeightExplanation Explain()
    {
        WeightExplanation own = ExplainMethod();
        return own with
        {
            Facts =
            [
                new("method", Method.Name),
                new("shape", $"{OutputDimension} x {InputDimension}"),
                new("stored", string.Create(CultureInfo.InvariantCulture, $"{StoredBytes:N0} bytes, {BitsPerWeight:F3} bits per weight")),
                new("parts", string.Join(", ", Parts.Select(part => $"{part.Name} {part.ElementType.Name()} [{string.Join(", ", part.Shape)}]"))),
                .. own.Facts,
            ],
        };
    }

    /// <summary>Frees what the weight holds.</summary>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary><see cref="ToDense(MatrixView{float})"/> after its checks.</summary>
    protected abstract void WriteDense(MatrixView<float> destination);

    /// <summary>What only the method knows: added to <see cref="Explain"/>.</summary>
    protected virtual WeightExplanation ExplainMethod() => new([], []);

    /// <summary>Frees what the weight holds.</summary>
    protected virtual void Dispose(bool disposing)
    {
    }
}
