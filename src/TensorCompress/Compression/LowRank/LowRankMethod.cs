using TensorCompress.Tensors;

namespace TensorCompress.Compression.LowRank;

/// <summary>Products of two narrow matrices; with statistics of the inputs fitted to the layer's output.</summary>
public sealed class LowRankMethod : ICompressionMethod
{
    internal const string RankOption = "rank", ShareOption = "share", FactorsOption = "factors";

    private LowRankMethod()
    {
    }

    /// <summary>The method.</summary>
    public static LowRankMethod Instance { get; } = new();

    /// <inheritdoc/>
    public string Name => "lowrank";

    /// <inheritdoc/>
    public string Description => "a product of two narrow matrices, with calibration fitted to the layer's output";

    /// <inheritdoc/>
    public int FormatVersion => 1;

    /// <inheritdoc/>
    public IReadOnlyList<MethodOption> Options { get; } =
    [
        new(RankOption, "N", "rank, at least 1"),
        new(ShareOption, "S", "parameters kept over those of each matrix, 0 to 1, in place of the rank"),
        new(FactorsOption, "f32|f16|bf16", "type of the factors; default f32"),
    ];

    /// <inheritdoc/>
    public IReadOnlyList<MethodOptions> ShowcaseOptions { get; } = [new LowRankOptions(share: 0.75), new LowRankOptions(share: 0.5), new LowRankOptions(share: 0.25)];

    /// <inheritdoc/>
    public MethodOptions ParseOptions(IReadOnlyDictionary<string, string> values)
    {
        var read = new OptionValues(this, values);
        read.ThrowIfUnknown();
        return new LowRankOptions(read.Int32(RankOption), read.Double(ShareOption), read.FloatType(FactorsOption) ?? ElementType.F32);
    }

    /// <inheritdoc/>
    public CompressedWeight Compress(MatrixView<float> weights, MethodOptions options, CompressionContext context, IProgress<double>? progress = null, CancellationToken cancellationToken = default)
    {
        var chosen = options as LowRankOptions ?? throw new ArgumentException($"Options of the low-rank method are required, not {options.GetType().Name}.", nameof(options));
        FiniteWeights.ThrowIfNot(weights, nameof(weights));
        context.Statistics?.ThrowIfUnfit(weights);
        int rank = chosen.RankFor(checked((int)weights.Rows), checked((int)weights.Columns));
        (Matrix<float> outer, Matrix<float> inner) = LowRankFactorizer.Factorize(weights, rank, context.Statistics, context.Pool, cancellationToken);
        using (outer)
        using (inner)
        {
            progress?.Report(1);
            return new LowRankWeight(StoredFactor.Round(outer.View, chosen.Type, nameof(weights)), StoredFactor.Round(inner.View, chosen.Type, nameof(weights)));
        }
    }

    /// <inheritdoc/>
    public CompressedWeight Read(StoredWeight stored)
    {
        int rank = stored.Int32(RankOption, 1, Math.Min(stored.OutputDimension, stored.InputDimension));
        ElementType type = stored.ElementType(FactorsOption, ElementType.F32, ElementType.F16, ElementType.BF16);
        StoredFactor outer = StoredFactor.Read(stored, this, LowRankWeight.OuterPart, type, [stored.OutputDimension, rank], stored.OutputDimension);
        return new LowRankWeight(outer, StoredFactor.Read(stored, this, LowRankWeight.InnerPart, type, [rank, stored.InputDimension], rank));
    }
}
