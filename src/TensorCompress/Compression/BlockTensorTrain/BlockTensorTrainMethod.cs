using TensorCompress.Storage;
using TensorCompress.Tensors;

namespace TensorCompress.Compression.BlockTensorTrain;

/// <summary>Block tensor trains (Qiu et al., "Compute Better Spent", arXiv 2406.06248), of which Monarch matrices (Dao et al., arXiv 2204.00595) are the case of rank 1.</summary>
public sealed class BlockTensorTrainMethod : ICompressionMethod
{
    internal const string RankOption = "rank", ShareOption = "share", FactorsOption = "factors", BlockRowsParameter = "block_rows", BlockColumnsParameter = "block_columns";

    private BlockTensorTrainMethod()
    {
    }

    /// <summary>The method.</summary>
    public static BlockTensorTrainMethod Instance { get; } = new();

    /// <inheritdoc/>
    public string Name => "btt";

    /// <inheritdoc/>
    public string Description => "blocks of low rank over permuted rows (block tensor train, Monarch), with calibration fitted to the layer's output";

    /// <inheritdoc/>
    public int FormatVersion => 1;

    /// <inheritdoc/>
    public IReadOnlyList<MethodOption> Options { get; } =
    [
        new(RankOption, "N", "rank of each block, at least 1"),
        new(ShareOption, "S", "parameters kept over those of each matrix, 0 to 1, in place of the rank"),
        new(FactorsOption, "f32|f16|bf16", "type of the factors; default f32"),
    ];

    /// <inheritdoc/>
    public IReadOnlyList<MethodOptions> ShowcaseOptions { get; } = [new BlockTensorTrainOptions(rank: 4), new BlockTensorTrainOptions(rank: 1)];

    /// <inheritdoc/>
    public MethodOptions ParseOptions(IReadOnlyDictionary<string, string> values)
    {
        var read = new OptionValues(this, values);
        read.ThrowIfUnknown();
        return new BlockTensorTrainOptions(read.Int32(RankOption), read.Double(ShareOption), read.FloatType(FactorsOption) ?? ElementType.F32);
    }

    /// <inheritdoc/>
    public CompressedWeight Compress(MatrixView<float> weights, MethodOptions options, CompressionContext context, IProgress<double>? progress = null, CancellationToken cancellationToken = default)
    {
        var chosen = options as BlockTensorTrainOptions ?? throw new ArgumentException($"Options of the block tensor train method are required, not {options.GetType().Name}.", nameof(options));
        FiniteWeights.ThrowIfNot(weights, nameof(weights));
        context.Statistics?.ThrowIfUnfit(weights);
        BlockShape shape = BlockShape.Balanced(checked((int)weights.Rows), checked((int)weights.Columns));
        int rank = chosen.RankFor(shape);
        (Matrix<float> left, Matrix<float> right) = BlockTensorTrainFactorizer.Factorize(weights, shape, rank, context.Statistics, context.Pool, cancellationToken);
        using (left)
        using (right)
        {
            progress?.Report(1);
            return new BlockTensorTrainWeight(shape, rank, StoredFactor.Round(left.View, chosen.Type, nameof(weights)), StoredFactor.Round(right.View, chosen.Type, nameof(weights)));
        }
    }

    /// <inheritdoc/>
    public CompressedWeight Read(StoredWeight stored)
    {
        int rows1 = stored.Int32(BlockRowsParameter, 1, stored.OutputDimension), columns2 = stored.Int32(BlockColumnsParameter, 1, stored.InputDimension);
        if (stored.OutputDimension % rows1 != 0 || stored.InputDimension % columns2 != 0)
            throw stored.Fault(TensorFormatError.Inconsistent, $"blocks of {rows1} x {columns2} do not divide {stored.OutputDimension} x {stored.InputDimension}");
        var shape = new BlockShape(rows1, stored.OutputDimension / rows1, stored.InputDimension / columns2, columns2);
        int rank = stored.Int32(RankOption, 1, shape.UsefulRank);
        long rightRows = (long)shape.Columns1 * shape.Rows2 * rank;
        if (rightRows > int.MaxValue) throw stored.Fault(TensorFormatError.Overflow, $"{shape.Columns1} x {shape.Rows2} blocks of rank {rank}");
        ElementType type = stored.ElementType(FactorsOption, ElementType.F32, ElementType.F16, ElementType.BF16);
        StoredFactor left = StoredFactor.Read(stored, this, BlockTensorTrainWeight.LeftPart, type, [shape.Rows2, rows1, shape.Columns1, rank], shape.Rows);
        StoredFactor right = StoredFactor.Read(
            stored, this, BlockTensorTrainWeight.RightPart, type, [shape.Columns1, shape.Rows2, rank, columns2], (int)rightRows);
        return new BlockTensorTrainWeight(shape, rank, left, right);
    }
}
