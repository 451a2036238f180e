using System.Text.Json.Nodes;
using TensorCompress.Layers;
using TensorCompress.Numerics;
using TensorCompress.Storage;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Qet.Rotated;

/// <summary>Fitted codebooks of rows behind a learnt rotation: what optimised product quantisation makes of a matrix, with swap layers and stages where they help. It pays where there are many more rows than columns.</summary>
/// <remarks>Parts: those of the fitted form and <c>rotation</c> F16 [input, input].</remarks>
internal sealed class RotatedWeight : CompressedWeight
{
    internal const string Form = "rotated", RotationPart = "rotation";

    /// <summary>Up to so many columns a rotation is learnt: it takes the cube of them.</summary>
    private const int MostColumns = 1024;

    /// <summary>Elements of axes are cosines; rounding may pass 1 by a little.</summary>
    private const float LargestCosine = 1.001f;

    private readonly QetWeight _codes;
    private readonly LearntRotation _rotation;

    private RotatedWeight(QetWeight codes, LearntRotation rotation)
        : base(codes.OutputDimension, codes.InputDimension)
    {
        (_codes, _rotation) = (codes, rotation);
        Parts = [.. codes.Parts, new WeightPart(RotationPart, ElementType.F16, [InputDimension, InputDimension], stream => stream.Write(_rotation.Stored))];
    }

    /// <inheritdoc/>
    public override ICompressionMethod Method => QetMethod.Instance;

    /// <inheritdoc/>
    public override IReadOnlyList<WeightPart> Parts { get; }

    /// <inheritdoc/>
    public override JsonObject Parameters
    {
        get
        {
            JsonObject parameters = _codes.Parameters;
            parameters[QetMethod.FormParameter] = Form;
            return parameters;
        }
    }

    /// <summary>Learns a rotation within a budget.</summary>
    /// <param name="weights">Finite, [output, input].</param>
    /// <param name="maxBytes">What may be stored, the rotation included.</param>
    /// <param name="seed">Chooses the rows that k-means begins with.</param>
    /// <param name="pool">Threads; the result does not depend on their number.</param>
    /// <param name="cancellationToken">Looked at between trials and within.</param>
    /// <returns>Null where the rotation leaves too few bytes, or the columns are too many.</returns>
    public static RotatedWeight? Fit(MatrixView<float> weights, long maxBytes, ulong seed, ComputePool pool, CancellationToken cancellationToken)
    {
        long rest = maxBytes - LearntRotation.BytesFor(weights.Columns);
        if (rest <= 0 || weights.Columns > MostColumns || QetPlanner.BestProduct(weights, rest, seed, pool, cancellationToken) is not { } product) return null;
        LearntRotation rotation = LearntRotation.Learn(weights, product, pool, cancellationToken);
        using Matrix<float> axes = rotation.Axes(), rotated = new(weights.Rows, weights.Columns);
        MatrixProduct.Multiply(weights, axes.View.Transposed, rotated.View, pool: pool);
        return new RotatedWeight(new QetWeight(QetPlanner.Compress(rotated.View, rest, seed, pool, cancellationToken)), rotation);
    }

    /// <inheritdoc/>
    public override LinearLayer CreateLayer(RuntimeOptions options) => new RotatedLayer(_codes.CreateLayer(options), _rotation);

    /// <summary>Reads one.</summary>
    /// <param name="stored">Where.</param>
    /// <param name="method">The method.</param>
    /// <param name="codes">What the parts of the fitted form are.</param>
    /// <exception cref="TensorFormatException">The rotation does not fit.</exception>
    internal static RotatedWeight Read(StoredWeight stored, QetMethod method, QetWeight codes)
    {
        int columns = stored.InputDimension;
        if (LearntRotation.BytesFor(columns) > Array.MaxLength) throw stored.Fault(TensorFormatError.Unsupported, $"a rotation of {columns} columns");
        using Matrix<byte> bytes = stored.ReadBytes(method, RotationPart, ElementType.F16, columns, columns);
        stored.ThrowIfNotFinite(method, RotationPart, ElementType.F16, bytes);
        var rotation = new LearntRotation(columns, bytes.RowSpan(0, columns).ToArray());
        float[] axis = new float[columns];
        for (int i = 0; i < columns; i++)
        {
            rotation.Axis(i, axis);
            int wrong = axis.AsSpan().IndexOfAnyExceptInRange(-LargestCosine, LargestCosine);
            if (wrong >= 0) throw stored.Fault(TensorFormatError.Value, $"element {wrong} of axis {i} is {axis[wrong]}", StoredParts.TensorName(stored.Layer, method, RotationPart));
        }

        return new RotatedWeight(codes, rotation);
    }

    /// <inheritdoc/>
    protected override void WriteDense(MatrixView<float> destination)
    {
        using Matrix<float> rotated = _codes.ToDense(), axes = _rotation.Axes();
        MatrixProduct.Multiply(rotated.View, axes.View, destination);
    }

    /// <inheritdoc/>
    protected override WeightExplanation ExplainMethod()
    {
        WeightExplanation codes = _codes.Explain();
        string[] own = ["swap layers", "column groups", "centroids"];
        return new WeightExplanation([new("form", "fitted codebooks behind a learnt rotation"), .. codes.Facts.Where(fact => own.Contains(fact.Key))], []);
    }
}
