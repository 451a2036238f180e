using TensorCompress.Storage;
using TensorCompress.Tensors;

namespace TensorCompress.Compression.Tucker;

/// <summary>
/// Tucker decompositions over heads and channels of the inputs: a low rank over fewer heads than there are. The inputs of output projections are the model's heads; those of other matrices are cut
/// into parts of equal width, about as wide as they are many. With heads of outputs (queries, keys, values) or with fewer channels low rank is better at equal parameters, so neither is offered.
/// </summary>
public sealed class TuckerMethod : ICompressionMethod
{
    internal const string RankOption = "rank", HeadRankOption = "head-rank", ShareOption = "share", HeadDimensionOption = "head-dimension", FactorsOption = "factors";

    internal const string HeadsParameter = "heads", HeadRankParameter = "head_rank";

    private TuckerMethod()
    {
    }

    /// <summary>The method.</summary>
    public static TuckerMethod Instance { get; } = new();

    /// <inheritdoc/>
    public string Name => "tucker";

    /// <inheritdoc/>
    public string Description => "low rank over inputs whose heads are mixed to fewer (Tucker), with calibration fitted to the layer's output";

    /// <inheritdoc/>
    public int FormatVersion => 1;

    /// <inheritdoc/>
    public IReadOnlyList<MethodOption> Options { get; } =
    [
        new(RankOption, "N", "rank after the heads were mixed, at least 1; with head-rank"),
        new(HeadRankOption, "N", "heads after mixing, at least 1; default: the best number at the share"),
        new(ShareOption, "S", "parameters kept over those of each matrix, 0 to 1, in place of the rank"),
        new(HeadDimensionOption, "N", "channels of a head, which divide the inputs; default: the model's for output projections, about the root of the inputs for others"),
        new(FactorsOption, "f32|f16|bf16", "type of the factors; default f32"),
    ];

    /// <inheritdoc/>
    public IReadOnlyList<MethodOptions> ShowcaseOptions { get; } = [new TuckerOptions(share: 0.5)];

    /// <inheritdoc/>
    public MethodOptions ParseOptions(IReadOnlyDictionary<string, string> values)
    {
        var read = new OptionValues(this, values);
        read.ThrowIfUnknown();
        return new TuckerOptions(read.Int32(RankOption), read.Int32(HeadRankOption), read.Double(ShareOption), read.Int32(HeadDimensionOption), read.FloatType(FactorsOption) ?? ElementType.F32);
    }

    /// <inheritdoc/>
    public CompressedWeight Compress(MatrixView<float> weights, MethodOptions options, CompressionContext context, IProgress<double>? progress = null, CancellationToken cancellationToken = default)
    {
        var chosen = options as TuckerOptions ?? throw new ArgumentException($"Options of the Tucker method are required, not {options.GetType().Name}.", nameof(options));
        FiniteWeights.ThrowIfNot(weights, nameof(weights));
        context.Statistics?.ThrowIfUnfit(weights);
        IReadOnlyList<TuckerShape> shapes = chosen.ShapesFor(checked((int)weights.Rows), checked((int)weights.Columns), context.Heads);
        using var factorizer = new TuckerFactorizer(weights, shapes[0].Channels, context.Statistics, context.Pool);
        using TuckerFactors factors = factorizer.Run(shapes, TuckerFactorizer.DefaultSweeps, progress, cancellationToken);
        return TuckerWeight.Round(factors, chosen.Type);
    }

    /// <inheritdoc/>
    public CompressedWeight Read(StoredWeight stored)
    {
        int heads = stored.Int32(HeadsParameter, 1, stored.InputDimension);
        if (stored.InputDimension % heads != 0) throw stored.Fault(TensorFormatError.Inconsistent, $"{heads} heads do not divide {stored.InputDimension} inputs");
        int channels = stored.InputDimension / heads, headRank = stored.Int32(HeadRankParameter, 1, heads);
        int rank = stored.Int32(RankOption, 1, Math.Min(stored.OutputDimension, headRank * channels));
        ElementType type = stored.ElementType(FactorsOption, ElementType.F32, ElementType.F16, ElementType.BF16);
        return new TuckerWeight(
            new TuckerShape(stored.OutputDimension, heads, channels, headRank, rank),
            StoredFactor.Read(stored, this, TuckerWeight.OuterPart, type, [stored.OutputDimension, rank], stored.OutputDimension),
            StoredFactor.Read(stored, this, TuckerWeight.InnerPart, type, [rank, headRank, channels], rank),
            StoredFactor.Read(stored, this, TuckerWeight.MixerPart, type, [headRank, heads], headRank));
    }
}
