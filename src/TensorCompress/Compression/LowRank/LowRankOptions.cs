using TensorCompress.Tensors;

namespace TensorCompress.Compression.LowRank;

/// <summary>Options of the low-rank method: a rank, or a share of the parameters.</summary>
public sealed record LowRankOptions : MethodOptions
{
    /// <summary>Sets rank or share.</summary>
    /// <param name="rank">Rank, at least 1; null to go by the share. A rank beyond the smaller side of a matrix becomes that side.</param>
    /// <param name="share">Parameters kept over those of the matrix, 0 to 1; null to go by the rank.</param>
    /// <param name="type">Type of the factors: F32, F16 or BF16.</param>
    /// <exception cref="ArgumentException">There is neither rank nor share, or both, or a value is out of its range.</exception>
    public LowRankOptions(int? rank = null, double? share = null, ElementType type = ElementType.F32)
    {
        if (rank is null == share is null) throw new ArgumentException("Either a rank or a share is required.", nameof(rank));
        if (rank < 1) throw new ArgumentOutOfRangeException(nameof(rank), rank, "A rank is at least 1.");
        OptionValues.ThrowIfNoShare(share);
        OptionValues.ThrowIfNoFloatType(type);
        Rank = rank;
        Share = share;
        Type = type;
    }

    /// <summary>The rank, or null to go by the share.</summary>
    public int? Rank { get; }

    /// <summary>Parameters kept over those of the matrix, or null to go by the rank.</summary>
    public double? Share { get; }

    /// <summary>Type of the factors.</summary>
    public ElementType Type { get; }

    /// <inheritdoc/>
    public override ICompressionMethod Method => LowRankMethod.Instance;

    /// <summary>The rank for a matrix.</summary>
    /// <exception cref="ArgumentException">The share is less than rank 1 needs.</exception>
    public int RankFor(int rows, int columns)
    {
        int most = Math.Min(rows, columns);
        if (Rank is { } rank) return Math.Min(rank, most);
        double perRank = (double)rows + columns, elements = (double)rows * columns;
        var fits = (int)Math.Min(most, Math.Floor(Share!.Value * elements / perRank));
        return fits >= 1 ? fits : throw new ArgumentException($"A share of {Share} of {rows} x {columns} is less than rank 1 needs: the least is {perRank / elements:G4}.");
    }

    /// <inheritdoc/>
    public override IReadOnlyList<KeyValuePair<string, string>> ToValues() =>
    [
        Rank is { } rank ? OptionValues.Pair(LowRankMethod.RankOption, rank) : OptionValues.Pair(LowRankMethod.ShareOption, Share!.Value),
        OptionValues.Pair(LowRankMethod.FactorsOption, OptionValues.Name(Type)),
    ];
}
