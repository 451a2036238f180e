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
    private readonly EntropyCodedParts _coded;

    internal UniversalWeight(UniversalRows rows, EntropyCodedParts? coded = null)
        : base(rows.Rows, rows.Columns)
    {
        _rows = rows;
        _coded = coded ?? EntropyCodedParts.None;
        PlainParts =
        [
            new WeightPart(CodesPart, ElementType.U8, [rows.Codes.Length], stream => stream.Write(rows.Codes)),
            new WeightPart(ScalesPart, ScaleType, [rows.Rows], stream => stream.Write(StoredScales())),
            .. rows.HasOneRate ? Array.Empty<WeightPart>() : [new WeightPart(RatesPart, ElementType.U8, [BitStream.ByteLength(rows.Rows, RateAllocation.RateBits)], stream => stream.Write(StoredRates()))],
        ];
        Parts = [.. _coded.Of(PlainParts)];
    }

    /// <inheritdoc/>
    public override ICompressionMethod Method => QetMethod.Instance;

    /// <inheritdoc/>
    public override IReadOnlyList<WeightPart> Parts { get; }

    /// <summary>The parts as they are without entropy coding.</summary>
    internal IReadOnlyList<WeightPart> PlainParts { get; }

    /// <summary>Words, scales and rates.</summary>
    internal UniversalRows Rows => _rows;

    /// <inheritdoc/>
    public override JsonObject Parameters => _coded.AddTo(new JsonObject
    {
        [QetMethod.FormParameter] = QetForm.Universal.ToString().ToLowerInvariant(),
        [RotationParameter] = _rows.Rotation,
        [RateParameter] = _rows.HasOneRate ? _rows.Rates[0] : UniversalRate.All.Count,
        [ScalesParameter] = ScaleType.Name(),
    });

    private ElementType ScaleType => _rows.HasWideScales ? ElementType.F32 : ElementType.F16;

    /// <inheritdoc/>
    public override string? Choices => $"universal, blocks of {_rows.Rotation}; rows {RowsAtBits()}";

    /// <inheritdoc/>
    public override LinearLayer CreateLayer(RuntimeOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return new UniversalLayer(_rows, options);
    }

    /// <summary>What every bit of a file is for, by what its parts are: words, scales and rates of rows, and what fills the last byte of a row or of the rates.</summary>
    internal (long Codes, long Scales, long Rates, long Padding) Account()
    {
        long words = _rows.Rates.Sum(rate => (long)_rows.Segments * UniversalRate.All[rate].Bits), filled = _rows.Rates.Sum(rate => BitStream.Padded((long)_rows.Segments * UniversalRate.All[rate].Bits));
        long rateBits = _rows.HasOneRate ? 0 : (long)_rows.Rows * RateAllocation.RateBits;
        (long codes, long codesPadding) = _coded.BitsOf(CodesPart, words, filled - words);
        (long scales, _) = _coded.BitsOf(ScalesPart, (long)_rows.Rows * ScaleType.BitWidth(), 0);
        (long rates, long ratesPadding) = _coded.BitsOf(RatesPart, rateBits, BitStream.Padded(rateBits) - rateBits);
        return (codes, scales, rates, codesPadding + ratesPadding);
    }

    /// <summary>The same weight with parts entropy coded where that makes them smaller. Takes the place of this one, with its rows.</summary>
    internal UniversalWeight WithEntropyCoding()
    {
        var coded = new EntropyCodedParts();
        foreach (WeightPart part in PlainParts)
        {
            switch (part.Name)
            {
                case CodesPart:
                    coded.Add(CodesPart, part.ByteLength, (ref EntropyEncoder encoder) => WordCoding.Words(ref encoder, _rows.Rates, _rows.Segments, _rows.Codes, []));
                    break;
                case ScalesPart when !_rows.HasWideScales:
                    coded.Add(ScalesPart, part.ByteLength, (ref EntropyEncoder encoder) => WordCoding.Scales(ref encoder, _rows.Rates, StoredScales()));
                    break;
                case RatesPart:
                    coded.Add(RatesPart, part.ByteLength, (ref EntropyEncoder encoder) => WordCoding.Rates(ref encoder, _rows.Rows, StoredRates()));
                    break;
            }
        }

        return new UniversalWeight(_rows, coded);
    }

    /// <summary>Reads one.</summary>
    /// <exception cref="TensorFormatException">Parts or parameters do not fit.</exception>
    internal static UniversalWeight Read(StoredWeight stored, QetMethod method)
    {
        int rows = stored.OutputDimension, rotation = stored.Int32(RotationParameter, 1, stored.InputDimension), rate = stored.Int32(RateParameter, 0, UniversalRate.All.Count);
        if (int.PopCount(rotation) != 1 || stored.InputDimension % rotation != 0) throw stored.Fault(TensorFormatError.Value, $"parameter \"{RotationParameter}\" is {rotation}; it is a power of two that divides {stored.InputDimension}");
        ElementType type = stored.ElementType(ScalesParameter, ElementType.F16, ElementType.F32);
        EntropyCodedParts coded = EntropyCodedParts.Read(stored);
        byte[] rates = new byte[rows];
        if (rate < UniversalRate.All.Count) Array.Fill(rates, (byte)rate);
        else ReadRates(stored, method, coded, rates);
        int segments = UniversalRows.SegmentsOf(stored.InputDimension);
        long length = rates.Sum(index => (long)UniversalRate.All[index].RowBytes(segments));
        if (length > Array.MaxLength - CodewordProducts.SlackBytes) throw stored.Fault(TensorFormatError.Unsupported, $"codes of {length} bytes; up to {Array.MaxLength - CodewordProducts.SlackBytes} are supported");
        using Matrix<byte> codes = coded.ReadBytes(stored, method, CodesPart, ElementType.U8, (ref EntropyDecoder decoder, Span<byte> part) => WordCoding.Words(ref decoder, rates, segments, [], part), length);
        using Matrix<byte> scaleBytes = type == ElementType.F16
            ? coded.ReadBytes(stored, method, ScalesPart, type, (ref EntropyDecoder decoder, Span<byte> part) => WordCoding.Scales(ref decoder, rates, part), rows)
            : stored.ReadBytes(method, ScalesPart, type, rows);
        coded.ThrowIfUnknown(stored);
        stored.ThrowIfNotFinite(method, ScalesPart, type, scaleBytes);
        float[] scales = new float[rows];
        ElementConversion.ToSingle(type, scaleBytes.RowSpan(0, rows), scales);
        int negative = Array.FindIndex(scales, scale => !(scale >= 0 && scale <= QetCodec.LargestMagnitude));
        if (negative >= 0) throw stored.Fault(TensorFormatError.Value, $"the scale of row {negative} is {scales[negative]}", StoredParts.TensorName(stored.Layer, method, ScalesPart));
        return new UniversalWeight(new UniversalRows(stored.InputDimension, rotation, rates, scales, type == ElementType.F32, codes.RowSpan(0, codes.Rows)), coded);
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
    protected override WeightExplanation ExplainMethod()
    {
        (long codes, long scales, long rates, long padding) = Account();
        double elements = (double)OutputDimension * InputDimension;
        return new WeightExplanation(
            [
                new("form", "universal codebooks"),
                new("rotated blocks", _rows.Rotation.ToString(CultureInfo.InvariantCulture)),
                new("rows at bits", RowsAtBits()),
                new("bits per weight", string.Create(CultureInfo.InvariantCulture, $"codes {codes / elements:F3}, scales {scales / elements:F3}, rates {rates / elements:F3}, padding {padding / elements:F3}")),
                .. _coded.Describe(PlainParts) is { } coded ? new KeyValuePair<string, string>[] { new("entropy coded", coded) } : [],
            ],
            []);
    }

    private string RowsAtBits() => string.Join(", ", _rows.Rates.GroupBy(rate => rate).OrderBy(group => group.Key).Select(group => string.Create(CultureInfo.InvariantCulture, $"{group.Count()} at {UniversalRate.All[group.Key].Bits / 8.0}")));

    private static void ReadRates(StoredWeight stored, QetMethod method, EntropyCodedParts coded, byte[] rates)
    {
        using Matrix<byte> bytes = coded.ReadBytes(stored, method, RatesPart, ElementType.U8, (ref EntropyDecoder decoder, Span<byte> part) => WordCoding.Rates(ref decoder, rates.Length, part), BitStream.ByteLength(rates.Length, RateAllocation.RateBits));
        ReadOnlySpan<byte> stream = bytes.RowSpan(0, bytes.Rows);
        for (int row = 0; row < rates.Length; row++)
        {
            int rate = BitStream.Read(stream, (long)row * RateAllocation.RateBits, RateAllocation.RateBits);
            if (rate >= UniversalRate.All.Count) throw stored.Fault(TensorFormatError.Value, $"the rate of row {row} is {rate}", StoredParts.TensorName(stored.Layer, method, RatesPart));
            rates[row] = (byte)rate;
        }
    }

    private byte[] StoredScales()
    {
        byte[] bytes = new byte[_rows.Rows * ScaleType.BitWidth() / 8];
        ElementConversion.FromSingle(_rows.Scales, ScaleType, bytes);
        return bytes;
    }

    private byte[] StoredRates()
    {
        byte[] bytes = new byte[BitStream.ByteLength(_rows.Rows, RateAllocation.RateBits)];
        for (int row = 0; row < _rows.Rows; row++) BitStream.Write(bytes, (long)row * RateAllocation.RateBits, _rows.Rates[row]);
        return bytes;
    }
}
