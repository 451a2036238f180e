using System.Text.Json.Nodes;
using TensorCompress.Layers;
using TensorCompress.Tensors;

namespace TensorCompress.Compression.Scalar;

/// <summary>A weight matrix as integer codes with a scale, and a zero point or none, for every group of a row.</summary>
/// <remarks>
/// Parts: <c>codes</c> U8 [output, bytes], <c>scales</c> F16 or F32 [output, groups], and if not symmetric <c>zeros</c> U8 [output, bytes];
/// a row of codes and zeros is a <see cref="BitStream"/>.
/// </remarks>
public sealed class ScalarWeight : CompressedWeight
{
    internal const string CodesPart = "codes", ScalesPart = "scales", ZerosPart = "zeros";

    private readonly QuantizedRows _rows;

    internal ScalarWeight(QuantizedRows rows)
        : base(rows.Rows, rows.Columns)
    {
        _rows = rows;
        var parts = new List<WeightPart>
        {
            StoredParts.Part(CodesPart, ElementType.U8, [rows.Rows, rows.Codes.Columns], rows.Codes),
            StoredParts.Part(ScalesPart, Options.Scales, [rows.Rows, QuantizedRows.GroupCount(rows.Columns, Options.Group)], rows.Scales),
        };
        if (rows.Zeros is not null) parts.Add(StoredParts.Part(ZerosPart, ElementType.U8, [rows.Rows, rows.Zeros.Columns], rows.Zeros));
        Parts = parts;
    }

    /// <summary>Bits, group, symmetry and type of scales.</summary>
    public ScalarOptions Options => _rows.Options;

    /// <inheritdoc/>
    public override ICompressionMethod Method => ScalarMethod.Instance;

    /// <inheritdoc/>
    public override IReadOnlyList<WeightPart> Parts { get; }

    /// <inheritdoc/>
    public override JsonObject Parameters => new()
    {
        [ScalarMethod.BitsOption] = Options.Bits,
        [ScalarMethod.GroupOption] = Options.Group,
        [ScalarMethod.SymmetricOption] = Options.Symmetric,
        [ScalarMethod.ScalesOption] = Options.Scales.Name(),
    };

    /// <inheritdoc/>
    public override LinearLayer CreateLayer(RuntimeOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return options.Activations == ActivationPrecision.Int8 && InterleavedScalarLayer.TryPack(_rows) is { } layer ? layer : new ScalarLayer(_rows.Clone());
    }

    /// <inheritdoc/>
    protected override void WriteDense(MatrixView<float> destination)
    {
        for (int row = 0; row < OutputDimension; row++) _rows.DecodeRow(row, destination.Row(row));
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing) _rows.Dispose();
        base.Dispose(disposing);
    }
}
