using System.Text.Json.Nodes;
using TensorCompress.Kernels;
using TensorCompress.Layers;
using TensorCompress.Numerics;
using TensorCompress.Tensors;

namespace TensorCompress.Compression.Dense;

/// <summary>A weight matrix as plain F32, F16 or BF16 elements.</summary>
/// <remarks>Stored as one part, <c>values</c> [output, input].</remarks>
public sealed class DenseWeight : CompressedWeight
{
    internal const string ValuesPart = "values";

    // [output, input * bytes of an element]
    private readonly Matrix<byte> _values;

    internal DenseWeight(ElementType type, Matrix<byte> values, int inputDimension)
        : base(checked((int)values.Rows), inputDimension)
    {
        Type = type;
        _values = values;
        Parts = [StoredParts.Part(ValuesPart, type, [OutputDimension, InputDimension], values)];
    }

    /// <summary>Type of the elements.</summary>
    public ElementType Type { get; }

    /// <inheritdoc/>
    public override ICompressionMethod Method => DenseMethod.Instance;

    /// <inheritdoc/>
    public override IReadOnlyList<WeightPart> Parts { get; }

    /// <inheritdoc/>
    public override JsonObject Parameters => new() { [DenseMethod.TypeOption] = Type.Name() };

    /// <summary>Rounds a matrix to a type, to nearest even.</summary>
    /// <param name="weights">W, [output, input]; only read.</param>
    /// <param name="type">F32, F16 or BF16.</param>
    /// <exception cref="ArgumentException">A weight is NaN or infinite, or beyond the type's range.</exception>
    public static DenseWeight FromDense(MatrixView<float> weights, ElementType type)
    {
        FiniteWeights.ThrowIfNot(weights, nameof(weights));
        return new DenseWeight(type, FloatRounding.Round(weights, type, nameof(weights)), checked((int)weights.Columns));
    }

    /// <inheritdoc/>
    public override LinearLayer CreateLayer(RuntimeOptions options)
    {
        if (Type != ElementType.F32)
        {
            var values = Matrix<byte>.Uninitialized(_values.Rows, _values.Columns);
            _values.View.CopyTo(values.View);
            return new HalfDenseLayer(Type, values, InputDimension);
        }

        var weights = new Matrix<float>(OutputDimension, InputDimension);
        WriteDense(weights.View);
        return new DenseLayer(weights);
    }

    /// <inheritdoc/>
    protected override WeightExplanation ExplainMethod()
    {
        using Matrix<float> dense = ToDense();
        return new([], [new WeightSpectrum("singular values", Svd.Values(dense.View))]);
    }

    /// <inheritdoc/>
    protected override void WriteDense(MatrixView<float> destination)
    {
        for (nint row = 0; row < OutputDimension; row++) ElementConversion.ToSingle(Type, _values.Row(row), destination.Row(row));
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing) _values.Dispose();
        base.Dispose(disposing);
    }
}
