using System.Globalization;
using System.Text.Json.Nodes;
using TensorCompress.Kernels;
using TensorCompress.Layers;
using TensorCompress.Storage;
using TensorCompress.Tensors;

namespace TensorCompress.Compression.Qet.Universal;

/// <summary>A weight matrix, its columns rotated, as words of universal codebooks.</summary>
/// <remarks>Parts: <c>codes</c> U8 [bytes], each row from a byte on; <c>scales</c> F16 or F32 [output]; where rows have different rates <c>rates</c> U8 [bytes], three bits for each row.</remarks>
public sealed class UniversalWeight : CompressedWeight
{
    private const string CodesPart = "codes", ScalesPart = "scales", RatesPart = "rates", RotationParameter = "rotation", RateParameter = "rate", ScalesParameter = "scales";

    private readonly UniversalRows _rows;

    internal UniversalWeight(UniversalRows rows)
        : base(rows.Rows, rows.Columns)
    {
        _rows = rows;
        Parts =
        [
            new WeightPart(CodesPart, ElementType.U8, [rows.Codes.Length], stream => stream.Write(rows.Codes)),
            new WeightPart(ScalesPart, ScaleType, [rows.Rows], WriteScales),
            .. rows.HasOneRate ? Array.Empty<WeightPart>() : [new WeightPart(RatesPart, ElementType.U8, [BitStream.ByteLength(rows.Rows, RateAllocation.RateBits)], WriteRates)],
        ];
    }

    /// <inheritdoc/>
    public override ICompressionMethod Method => QetMethod.Instance;

    /// <inheritdoc/>
    public override IReadOnlyList<WeightPart> Parts { get; }

    /// <inheritdoc/>
    public override JsonObject Parameters => new()
    {
        [QetMethod.FormParameter] = QetForm.Universal.ToString().ToLowerInvariant(),
        [RotationParameter] = _rows.Rotation,
        [RateParameter] = _rows.HasOneRate ? _rows.Rates[0] : UniversalRate.All.Count,
        [ScalesParameter] = ScaleType.Name(),
    };

    private ElementType ScaleType => _rows.HasWideScales ? ElementType.F32 : ElementType.F16;

    /// <inheritdoc/>
    public override string? Choices => $"universal, blocks of {_rows.Rotation}; rows {RowsAtBits()}";

    /// <inheritdoc/>
    public override LinearLayer CreateLayer(RuntimeOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return new UniversalLayer(_rows.Clone());
    }

    /// <summary>Reads one.</summary>
    /// <exception cref="TensorFormatException">Parts or parameters do not fit.</exception>
    internal static UniversalWeight Read(StoredWeight stored, QetMethod method)
    {
        int rows = stored.OutputDimension, rotation = stored.Int32(RotationParameter, 1, stored.InputDimension), rate = stored.Int32(RateParameter, 0, UniversalRate.All.Count);
        if (int.PopCount(rotation) != 1 || stored.InputDimension % rotation != 0) throw stored.Fault(TensorFormatError.Value, $"parameter \"{RotationParameter}\" is {rotation}; it is a power of two that divides {stored.InputDimension}");
        ElementType type = stored.ElementType(ScalesParameter, ElementType.F16, ElementType.F32);
        byte[] rates = new byte[rows];
        if (rate < UniversalRate.All.Count) Array.Fill(rates, (byte)rate);
        else ReadRates(stored, method, rates);
        int segments = UniversalRows.SegmentsOf(stored.InputDimension);
        long length = rates.Sum(index => (long)UniversalRate.All[index].RowBytes(segments));
        if (length > Array.MaxLength - CodewordProducts.SlackBytes) throw stored.Fault(TensorFormatError.Unsupported, $"codes of {length} bytes; up to {Array.MaxLength - CodewordProducts.SlackBytes} are supported");
        using Matrix<byte> codes = stored.ReadBytes(method, CodesPart, ElementType.U8, length), scaleBytes = stored.ReadBytes(method, ScalesPart, type, rows);
        stored.ThrowIfNotFinite(method, ScalesPart, type, scaleBytes);
        float[] scales = new float[rows];
        ElementConversion.ToSingle(type, scaleBytes.RowSpan(0, rows), scales);
        int negative = Array.FindIndex(scales, scale => !(scale >= 0 && scale <= QetCodec.LargestMagnitude));
        if (negative >= 0) throw stored.Fault(TensorFormatError.Value, $"the scale of row {negative} is {scales[negative]}", StoredParts.TensorName(stored.Layer, method, ScalesPart));
        return new UniversalWeight(new UniversalRows(stored.InputDimension, rotation, rates, scales, type == ElementType.F32, codes.RowSpan(0, codes.Rows)));
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

    /// <inheritdoc/>
    protected override WeightExplanation ExplainMethod() => new(
        [
            new("form", "universal codebooks"),
            new("rotated blocks", _rows.Rotation.ToString(CultureInfo.InvariantCulture)),
            new("rows at bits", RowsAtBits()),
        ],
        []);

    private string RowsAtBits() => string.Join(", ", _rows.Rates.GroupBy(rate => rate).OrderBy(group => group.Key).Select(group => string.Create(CultureInfo.InvariantCulture, $"{group.Count()} at {UniversalRate.All[group.Key].Bits / 8.0}")));

    private static void ReadRates(StoredWeight stored, QetMethod method, byte[] rates)
    {
        using Matrix<byte> bytes = stored.ReadBytes(method, RatesPart, ElementType.U8, BitStream.ByteLength(rates.Length, RateAllocation.RateBits));
        ReadOnlySpan<byte> stream = bytes.RowSpan(0, bytes.Rows);
        for (int row = 0; row < rates.Length; row++)
        {
            int rate = BitStream.Read(stream, (long)row * RateAllocation.RateBits, RateAllocation.RateBits);
            if (rate >= UniversalRate.All.Count) throw stored.Fault(TensorFormatError.Value, $"the rate of row {row} is {rate}", StoredParts.TensorName(stored.Layer, method, RatesPart));
            rates[row] = (byte)rate;
        }
    }

    private void WriteScales(Stream stream)
    {
        byte[] bytes = new byte[_rows.Rows * ScaleType.BitWidth() / 8];
        ElementConversion.FromSingle(_rows.Scales, ScaleType, bytes);
        stream.Write(bytes);
    }

    private void WriteRates(Stream stream)
    {
        byte[] bytes = new byte[BitStream.ByteLength(_rows.Rows, RateAllocation.RateBits)];
        for (int row = 0; row < _rows.Rows; row++) BitStream.Write(bytes, (long)row * RateAllocation.RateBits, _rows.Rates[row]);
        stream.Write(bytes);
    }
}
