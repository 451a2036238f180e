using TensorCompress.Tensors;

namespace TensorCompress.Compression.BlockTensorTrain;

/// <summary>Options of the block tensor train method: one rank for all blocks, or a share of the parameters, which goes to the blocks that need it most.</summary>
public sealed record BlockTensorTrainOptions : MethodOptions
{
    /// <summary>Sets rank or share.</summary>
    /// <param name="rank">Rank of each block, at least 1; null to go by the share. A rank beyond what a block can use becomes that.</param>
    /// <param name="share">Parameters kept over those of the matrix, 0 to 1; null to go by the rank.</param>
    /// <param name="type">Type of the factors: F32, F16 or BF16.</param>
    /// <exception cref="ArgumentException">There is neither rank nor share, or both, or a value is out of its range.</exception>
    public BlockTensorTrainOptions(int? rank = null, double? share = null, ElementType type = ElementType.F32)
    {
        if (rank is null == share is null) throw new ArgumentException("Either a rank or a share is required.", nameof(rank));
        if (rank < 1) throw new ArgumentOutOfRangeException(nameof(rank), rank, "A rank is at least 1.");
        OptionValues.ThrowIfNoShare(share);
        OptionValues.ThrowIfNoFloatType(type);
        Rank = rank;
        Share = share;
        Type = type;
    }

    /// <summary>The rank of each block, or null to go by the share.</summary>
    public int? Rank { get; }

    /// <summary>Parameters kept over those of the matrix, or null to go by the rank.</summary>
    public double? Share { get; }

    /// <summary>Type of the factors.</summary>
    public ElementType Type { get; }

    /// <inheritdoc/>
    public override ICompressionMethod Method => BlockTensorTrainMethod.Instance;

    /// <inheritdoc/>
    public override IReadOnlyList<KeyValuePair<string, string>> ToValues() =>
    [
        Rank is { } rank ? OptionValues.Pair(BlockTensorTrainMethod.RankOption, rank) : OptionValues.Pair(BlockTensorTrainMethod.ShareOption, Share!.Value),
        OptionValues.Pair(BlockTensorTrainMethod.FactorsOption, OptionValues.Name(Type)),
    ];

    /// <summary>Pairs of vectors that the share pays for; each costs m1 + n2 parameters, and the ranks of the blocks count too.</summary>
    /// <exception cref="ArgumentException">The share is less than one pair.</exception>
    internal int VectorsFor(BlockShape shape)
    {
        double elements = (double)shape.Rows * shape.Columns, ranks = (double)shape.Blocks * BlockTensorTrainMethod.RankType(shape).BitWidth() / Type.BitWidth();
        double fits = Math.Floor((Share!.Value * elements - ranks) / shape.ParametersPerVector);
        return fits >= 1
            ? (int)Math.Min(fits, (double)shape.Blocks * shape.UsefulRank)
            : throw new ArgumentException(
                $"A share of {Share} of {shape.Rows} x {shape.Columns} is less than one pair of vectors needs: the least is {(shape.ParametersPerVector + ranks) / elements:G4}.");
    }
}
