using System.Buffers.Binary;
using TensorCompress.Storage;
using TensorCompress.Tensors;

namespace TensorCompress.Compression.BlockTensorTrain;

/// <summary>Block tensor trains (Qiu et al., "Compute Better Spent", arXiv 2406.06248), of which Monarch matrices (Dao et al., arXiv 2204.00595) are the case of rank 1.</summary>
public sealed class BlockTensorTrainMethod : ICompressionMethod
{
    internal const string RankOption = "rank", ShareOption = "share", FactorsOption = "factors", BlockRowsParameter = "block_rows", BlockColumnsParameter = "block_columns";

    /// <summary>Ranks of up to this fit a byte.</summary>
    private const int LargestByte = 255;

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
    public int FormatVersion => 2;

    /// <inheritdoc/>
    public IReadOnlyList<MethodOption> Options { get; } =
    [
        new(RankOption, "N", "rank of each block, at least 1"),
        new(ShareOption, "S", "parameters kept over those of each matrix, 0 to 1, in place of the rank: each block gets the rank that it needs"),
        new(FactorsOption, "f32|f16|bf16", "type of the factors; default f32"),
    ];

    /// <inheritdoc/>
    public IReadOnlyList<MethodOptions> ShowcaseOptions { get; } = [new BlockTensorTrainOptions(share: 0.5), new BlockTensorTrainOptions(rank: 1)];

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
        using var factorizer = new BlockTensorTrainFactorizer(weights, shape, context.Statistics, context.Pool, cancellationToken);
        BlockRanks ranks = chosen.Rank is { } rank ? BlockRanks.Of(shape, Math.Min(rank, shape.UsefulRank)) : factorizer.Ranks(chosen.VectorsFor(shape));
        using BlockVectors vectors = factorizer.Fit(ranks);
        progress?.Report(1);
        return BlockTensorTrainWeight.Round(shape, vectors, chosen.Type, nameof(weights));
    }

    /// <inheritdoc/>
    public CompressedWeight Read(StoredWeight stored)
    {
        int rows1 = stored.Int32(BlockRowsParameter, 1, stored.OutputDimension), columns2 = stored.Int32(BlockColumnsParameter, 1, stored.InputDimension);
        if (stored.OutputDimension % rows1 != 0 || stored.InputDimension % columns2 != 0)
            throw stored.Fault(TensorFormatError.Inconsistent, $"blocks of {rows1} x {columns2} do not divide {stored.OutputDimension} x {stored.InputDimension}");
        var shape = new BlockShape(rows1, stored.OutputDimension / rows1, stored.InputDimension / columns2, columns2);
        BlockRanks ranks = ReadRanks(stored, shape);
        ElementType type = stored.ElementType(FactorsOption, ElementType.F32, ElementType.F16, ElementType.BF16);
        StoredFactor[] left = StoredFactor.Read(
            stored, this, BlockTensorTrainWeight.LeftPart, type, BlockTensorTrainWeight.LeftShape(shape, ranks), [.. Enumerable.Range(0, shape.Rows2).Select(row2 => (rows1, ranks.Depth(row2)))]);
        StoredFactor right = StoredFactor.Read(stored, this, BlockTensorTrainWeight.RightPart, type, BlockTensorTrainWeight.RightShape(shape, ranks), ranks.Vectors);
        return new BlockTensorTrainWeight(shape, ranks, left, right);
    }

    /// <summary>The type that ranks are stored in.</summary>
    internal static ElementType RankType(BlockShape shape) => shape.UsefulRank <= LargestByte ? ElementType.U8 : ElementType.I32;

    private BlockRanks ReadRanks(StoredWeight stored, BlockShape shape)
    {
        if ((long)shape.Rows2 * shape.Columns1 * shape.UsefulRank > int.MaxValue)
            throw stored.Fault(TensorFormatError.Overflow, $"{shape.Rows2} x {shape.Columns1} blocks of rank up to {shape.UsefulRank}");
        if (stored.Parameters.ContainsKey(RankOption)) return BlockRanks.Of(shape, stored.Int32(RankOption, 1, shape.UsefulRank));
        ElementType type = RankType(shape);
        using Matrix<byte> bytes = stored.ReadBytes(this, BlockTensorTrainWeight.RanksPart, type, shape.Rows2, shape.Columns1);
        var ranks = new int[shape.Blocks];
        for (int block = 0; block < ranks.Length; block++)
        {
            (int row2, int column1) = Math.DivRem(block, shape.Columns1);
            ReadOnlySpan<byte> row = bytes.Row(row2);
            ranks[block] = type == ElementType.U8 ? row[column1] : BinaryPrimitives.ReadInt32LittleEndian(row[(column1 * sizeof(int))..]);
            if (ranks[block] < 0 || ranks[block] > shape.UsefulRank)
                throw stored.Fault(TensorFormatError.Value, $"rank {ranks[block]} of a block; it is 0 to {shape.UsefulRank}", StoredParts.TensorName(stored.Layer, this, BlockTensorTrainWeight.RanksPart));
        }

        return Array.TrueForAll(ranks, rank => rank == 0) ? throw stored.Fault(TensorFormatError.Value, "every block has rank 0") : new BlockRanks(shape, ranks);
    }
}
