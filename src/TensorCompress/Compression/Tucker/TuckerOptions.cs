using TensorCompress.Tensors;

namespace TensorCompress.Compression.Tucker;

/// <summary>Options of the Tucker method: two ranks, or a share of the parameters.</summary>
public sealed record TuckerOptions : MethodOptions
{
    /// <summary>Sets ranks or share.</summary>
    /// <param name="rank">Rank of the model's mode, at least 1; with a head rank. Beyond what a matrix has it becomes that.</param>
    /// <param name="headRank">Heads after mixing, at least 1; null for the best number at the share.</param>
    /// <param name="share">Parameters kept over those of the matrix, 0 to 1, in place of the rank.</param>
    /// <param name="headDimension">Channels of a head, which divide the inputs; null for the heads of the matrix (<see cref="CompressionContext.Heads"/>) if its inputs are more than one, else for heads and channels as equal in number as the inputs allow.</param>
    /// <param name="type">Type of the factors: F32, F16 or BF16.</param>
    /// <exception cref="ArgumentException">There is neither rank nor share, or both, or a rank without a head rank, or a value is out of its range.</exception>
    public TuckerOptions(int? rank = null, int? headRank = null, double? share = null, int? headDimension = null, ElementType type = ElementType.F32)
    {
        if (rank is null == share is null) throw new ArgumentException("Either a rank with a head rank or a share is required.", nameof(rank));
        if (rank is not null && headRank is null) throw new ArgumentException("A rank needs a head rank beside it.", nameof(headRank));
        if (rank < 1) throw new ArgumentOutOfRangeException(nameof(rank), rank, "A rank is at least 1.");
        if (headRank < 1) throw new ArgumentOutOfRangeException(nameof(headRank), headRank, "A head rank is at least 1.");
        if (headDimension < 1) throw new ArgumentOutOfRangeException(nameof(headDimension), headDimension, "A head has at least one channel.");
        OptionValues.ThrowIfNoShare(share);
        OptionValues.ThrowIfNoFloatType(type);
        Rank = rank;
        HeadRank = headRank;
        Share = share;
        HeadDimension = headDimension;
        Type = type;
    }

    /// <summary>Rank of the model's mode, or null to go by the share.</summary>
    public int? Rank { get; }

    /// <summary>Heads after mixing, or null for the best number.</summary>
    public int? HeadRank { get; }

    /// <summary>Parameters kept over those of the matrix, or null to go by the ranks.</summary>
    public double? Share { get; }

    /// <summary>Channels of a head, or null for those of the matrix, or else for heads and channels as equal in number as the inputs allow.</summary>
    public int? HeadDimension { get; }

    /// <summary>Type of the factors.</summary>
    public ElementType Type { get; }

    /// <inheritdoc/>
    public override ICompressionMethod Method => TuckerMethod.Instance;

    /// <inheritdoc/>
    public override IReadOnlyList<KeyValuePair<string, string>> ToValues()
    {
        var values = new List<KeyValuePair<string, string>>();
        if (Rank is { } rank) values.Add(OptionValues.Pair(TuckerMethod.RankOption, rank));
        if (HeadRank is { } headRank) values.Add(OptionValues.Pair(TuckerMethod.HeadRankOption, headRank));
        if (Share is { } share) values.Add(OptionValues.Pair(TuckerMethod.ShareOption, share));
        if (HeadDimension is { } dimension) values.Add(OptionValues.Pair(TuckerMethod.HeadDimensionOption, dimension));
        values.Add(OptionValues.Pair(TuckerMethod.FactorsOption, OptionValues.Name(Type)));
        return values;
    }

    /// <inheritdoc/>
    internal override void ThrowIfUnfit(int rows, int columns, AttentionHeads? heads) => ShapesFor(rows, columns, heads);

    /// <summary>The shapes that are worth a try for a matrix, at least one.</summary>
    /// <exception cref="ArgumentException">The head dimension does not divide the inputs, or the share is less than ranks of 1 need.</exception>
    internal IReadOnlyList<TuckerShape> ShapesFor(int rows, int columns, AttentionHeads? heads)
    {
        int channels = HeadDimension ?? (heads is { Side: MatrixSide.Columns } told && told.Dimension < columns ? told.Dimension : MiddleDivisor(columns));
        if (columns % channels != 0) throw new ArgumentException($"Heads of {channels} channels do not divide {columns} inputs.");
        int count = columns / channels;
        IEnumerable<int> headRanks = HeadRank is { } given
            ? [Math.Min(given, count)]
            : Enumerable.Range(1, 8).Select(eighths => (count * eighths + 7) / 8).Distinct().Reverse(); // in eighths: neighbours differ little
        TuckerShape[] shapes = [.. headRanks.Select(headRank => new TuckerShape(rows, count, channels, headRank, RankFor(rows, count, channels, headRank))).Where(shape => shape.Rank >= 1)];
        double least = (double)(HeadRank ?? 1) * (count + channels) + rows;
        return shapes.Length > 0 ? shapes : throw new ArgumentException($"A share of {Share} of {rows} x {columns} is less than ranks of 1 need: the least is {least / ((double)rows * columns):G4}.");
    }

    private int RankFor(int rows, int heads, int channels, int headRank)
    {
        int most = Math.Min(rows, headRank * channels);
        if (Rank is { } rank) return Math.Min(rank, most);
        double budget = Share!.Value * rows * heads * channels - (double)headRank * heads;
        return (int)Math.Min(most, Math.Floor(budget / (rows + (double)headRank * channels)));
    }

    private static int MiddleDivisor(int dimension)
    {
        for (int divisor = (int)Math.Sqrt(dimension); divisor > 0; divisor--)
        {
            if (dimension % divisor == 0) return dimension / divisor;
        }

        return dimension;
    }
}
