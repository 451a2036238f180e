using TensorCompress.Storage;
using TensorCompress.Tensors;

namespace TensorCompress.Compression.Scalar;

/// <summary>Quantisation in groups: rounded to nearest, the honest baseline of every smarter method; with statistics of the inputs, by error feedback.</summary>
public sealed class ScalarMethod : ICompressionMethod
{
    internal const string BitsOption = "bits", GroupOption = "group", SymmetricOption = "symmetric", ScalesOption = "scales";

    private ScalarMethod()
    {
    }

    /// <summary>The method.</summary>
    public static ScalarMethod Instance { get; } = new();

    /// <inheritdoc/>
    public string Name => "scalar";

    /// <inheritdoc/>
    public string Description => "integer codes with a scale per group, rounded to nearest or, with calibration, by error feedback";

    /// <inheritdoc/>
    public int FormatVersion => 1;

    /// <inheritdoc/>
    public IReadOnlyList<MethodOption> Options { get; } =
    [
        new(BitsOption, "N", "bits of a code, 2 to 8; default 4"),
        new(GroupOption, "N", "neighbouring weights of a row that share a scale, at least 1; default 64"),
        new(SymmetricOption, null, "levels symmetric about 0, without a zero point"),
        new(ScalesOption, "f16|f32", "type of the scales; default f16"),
    ];

    /// <inheritdoc/>
    public IReadOnlyList<MethodOptions> ShowcaseOptions { get; } = [new ScalarOptions(8), new ScalarOptions(6), new ScalarOptions(4, 32), new ScalarOptions(3)];

    /// <inheritdoc/>
    public MethodOptions ParseOptions(IReadOnlyDictionary<string, string> values)
    {
        var read = new OptionValues(this, values);
        read.ThrowIfUnknown();
        return new ScalarOptions(
            read.Int32(BitsOption) ?? ScalarOptions.DefaultBits,
            read.Int32(GroupOption) ?? ScalarOptions.DefaultGroup,
            read.Switch(SymmetricOption),
            read.FloatType(ScalesOption, ElementType.F16, ElementType.F32) ?? ElementType.F16);
    }

    /// <inheritdoc/>
    public CompressedWeight Compress(MatrixView<float> weights, MethodOptions options, CompressionContext context, IProgress<double>? progress = null, CancellationToken cancellationToken = default)
    {
        var scalar = options as ScalarOptions ?? throw new ArgumentException($"Options of the scalar method are required, not {options.GetType().Name}.", nameof(options));
        FiniteWeights.ThrowIfNot(weights, nameof(weights));
        cancellationToken.ThrowIfCancellationRequested();
        QuantizedRows rows = context.Statistics is { } statistics
            ? FeedbackQuantizer.Quantize(weights, scalar, statistics, context.Pool, cancellationToken)
            : ScalarQuantizer.Quantize(weights, scalar, context.Pool);
        progress?.Report(1);
        return new ScalarWeight(rows);
    }

    /// <inheritdoc/>
    public CompressedWeight Read(StoredWeight stored)
    {
        var options = new ScalarOptions(
            stored.Int32(BitsOption, 2, 8),
            stored.Int32(GroupOption, 1, stored.InputDimension),
            stored.Boolean(SymmetricOption),
            stored.ElementType(ScalesOption, ElementType.F16, ElementType.F32));
        int outputs = stored.OutputDimension, groups = QuantizedRows.GroupCount(stored.InputDimension, options.Group);
        var rows = new QuantizedRows(
            options,
            stored.InputDimension,
            stored.ReadBytes(this, ScalarWeight.CodesPart, ElementType.U8, [outputs, BitStream.ByteLength(stored.InputDimension, options.Bits)]),
            stored.ReadBytes(this, ScalarWeight.ScalesPart, options.Scales, [outputs, groups]),
            options.Symmetric ? null : stored.ReadBytes(this, ScalarWeight.ZerosPart, ElementType.U8, [outputs, BitStream.ByteLength(groups, options.Bits)]));
        ThrowIfImpossible(stored, rows, groups);
        return new ScalarWeight(rows);
    }

    /// <summary>Scales are finite and not negative, no decoded weight is infinite, and a scale of 0 has no other codes than that of 0.</summary>
    private void ThrowIfImpossible(StoredWeight stored, QuantizedRows rows, int groups)
    {
        for (int row = 0; row < rows.Rows; row++)
        {
            for (int group = 0; group < groups; group++)
            {
                float scale = rows.Scale(row, group);
                bool possible = scale >= 0 && float.IsFinite(QuantizedRows.LargestWeight(scale, rows.Options.Bits)) && (scale > 0 || rows.IsZero(row, group));
                if (!possible)
                    throw stored.Fault(TensorFormatError.Value, $"the scale of row {row}, group {group} is {scale}", StoredParts.TensorName(stored.Layer, this, ScalarWeight.ScalesPart));
            }
        }
    }
}
