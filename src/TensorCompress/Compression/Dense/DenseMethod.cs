using TensorCompress.Tensors;

namespace TensorCompress.Compression.Dense;

/// <summary>Plain weights as F32, F16 or BF16: the uncompressed baseline is a method like the others.</summary>
public sealed class DenseMethod : ICompressionMethod
{
    internal const string TypeOption = "type";

    private DenseMethod()
    {
    }

    /// <summary>The method.</summary>
    public static DenseMethod Instance { get; } = new();

    /// <inheritdoc/>
    public string Name => "dense";

    /// <inheritdoc/>
    public string Description => "plain weights, 32 or 16 bits each";

    /// <inheritdoc/>
    public int FormatVersion => 1;

    /// <inheritdoc/>
    public IReadOnlyList<MethodOption> Options { get; } = [new(TypeOption, "f32|f16|bf16", "type of the weights; default: as in the source")];

    /// <inheritdoc/>
    public IReadOnlyList<MethodOptions> ShowcaseOptions { get; } = [new DenseOptions(ElementType.F32), new DenseOptions(ElementType.F16), new DenseOptions(ElementType.BF16)];

    /// <inheritdoc/>
    public MethodOptions ParseOptions(IReadOnlyDictionary<string, string> values)
    {
        var read = new OptionValues(this, values);
        read.ThrowIfUnknown();
        return new DenseOptions(read.FloatType(TypeOption));
    }

    /// <inheritdoc/>
    public CompressedWeight Compress(MatrixView<float> weights, MethodOptions options, CompressionContext context, IProgress<double>? progress = null, CancellationToken cancellationToken = default)
    {
        var dense = options as DenseOptions ?? throw new ArgumentException($"Options of the dense method are required, not {options.GetType().Name}.", nameof(options));
        cancellationToken.ThrowIfCancellationRequested();
        DenseWeight result = DenseWeight.FromDense(weights, dense.Type ?? ElementType.F32);
        progress?.Report(1);
        return result;
    }

    /// <inheritdoc/>
    public CompressedWeight Read(StoredWeight stored)
    {
        ElementType type = stored.ElementType(TypeOption, ElementType.F32, ElementType.F16, ElementType.BF16);
        Matrix<byte> values = stored.ReadBytes(this, DenseWeight.ValuesPart, type, [stored.OutputDimension, stored.InputDimension]);
        stored.ThrowIfNotFinite(this, DenseWeight.ValuesPart, type, values);
        return new DenseWeight(type, values, stored.InputDimension);
    }
}
