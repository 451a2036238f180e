namespace TensorCompress.Compression.Qet;

/// <summary>One stage of residual quantisation.</summary>
/// <param name="SwapLayers">Swap layers before its column groups, 0 to 16.</param>
/// <param name="Share">Its share of the bits that swaps leave, 0.001 at least; the shares of all stages sum to 1.</param>
public sealed record QetStageOptions(int SwapLayers, double Share);

/// <summary>
/// What a matrix of related rows is quantised with: swap layers that bring the values of a row into a local order, column groups with a codebook each, and further stages for what remains. The error
/// of wide groups falls most by swaps; at the best number of groups stages without swaps are usually better.
/// </summary>
public sealed record QetOptions
{
    /// <summary>Bits of a codebook's numbers that are kept as floats.</summary>
    public const int FloatBits = 32;

    internal const int MaxStages = 8, MaxSwapLayers = 16, MaxBeamWidth = 64;
    private const double LeastShare = 0.001;

    /// <summary>Sets all of them.</summary>
    /// <param name="subspaces">Groups of neighbouring columns, each with its own codebook; they divide the columns.</param>
    /// <param name="stages">1 to 8 stages; each quantises what those before it leave.</param>
    /// <param name="codebookBits">Bits of a number of a codebook: 2 to 16, or 32 for floats.</param>
    /// <param name="gridPerGroup">Whether each group has least value and step of its own, 64 bits each, instead of one pair for a stage: one far centroid then spoils one grid.</param>
    /// <param name="iterations">Iterations of k-means at most.</param>
    /// <param name="seed">Chooses the rows that k-means begins with.</param>
    /// <exception cref="ArgumentException">A value is out of its range.</exception>
    public QetOptions(int subspaces, IReadOnlyList<QetStageOptions> stages, int codebookBits = 10, bool gridPerGroup = false, int iterations = 20, ulong seed = 123)
    {
        ArgumentNullException.ThrowIfNull(stages);
        if (subspaces < 1) throw new ArgumentOutOfRangeException(nameof(subspaces), subspaces, "There is at least one group of columns.");
        if (codebookBits is not (>= 2 and <= 16 or FloatBits)) throw new ArgumentOutOfRangeException(nameof(codebookBits), codebookBits, "Numbers of codebooks have 2 to 16 bits, or 32.");
        if (iterations < 1) throw new ArgumentOutOfRangeException(nameof(iterations), iterations, "There is at least one iteration.");
        if (stages.Count is 0 or > MaxStages) throw new ArgumentException($"There are 1 to {MaxStages} stages, not {stages.Count}.", nameof(stages));
        foreach (QetStageOptions stage in stages)
        {
            if (stage.SwapLayers is < 0 or > MaxSwapLayers) throw new ArgumentOutOfRangeException(nameof(stages), stage.SwapLayers, $"A stage has 0 to {MaxSwapLayers} swap layers.");
            if (!(stage.Share >= LeastShare)) throw new ArgumentOutOfRangeException(nameof(stages), stage.Share, $"The share of a stage is at least {LeastShare}.");
        }

        double sum = stages.Sum(stage => stage.Share);
        if (!(Math.Abs(sum - 1) <= 1e-9)) throw new ArgumentException($"The shares of the stages sum to {sum}, not to 1.", nameof(stages));
        (Subspaces, Stages, CodebookBits, GridPerGroup, Iterations, Seed) = (subspaces, [.. stages], codebookBits, gridPerGroup, iterations, seed);
    }

    /// <summary>Groups of neighbouring columns.</summary>
    public int Subspaces { get; internal init; }

    /// <summary>The stages, in order.</summary>
    public IReadOnlyList<QetStageOptions> Stages { get; }

    /// <summary>Bits of a number of a codebook.</summary>
    public int CodebookBits { get; internal init; }

    /// <summary>Whether each group has a grid of its own.</summary>
    public bool GridPerGroup { get; internal init; }

    /// <summary>Iterations of k-means at most.</summary>
    public int Iterations { get; internal init; }

    /// <summary>Chooses the rows that k-means begins with.</summary>
    public ulong Seed { get; internal init; }

    /// <summary>What rows are rotated by before everything else; nothing, as published, unless set. A learnt rotation counts as stored, 16 bits for each pair of columns.</summary>
    public QetRotation Rotation
    {
        get;
        init => field = Enum.IsDefined(value) ? value : throw new ArgumentOutOfRangeException(nameof(value), value, "There is no such rotation.");
    }

    /// <summary>
    /// Partial sums that are kept while codes of stages without swaps are searched together, 1 to 64. At 1 each stage takes its nearest centroid, as published; above, codebooks of such stages are fitted together
    /// as well. It changes what is found, not how it is stored.
    /// </summary>
    public int BeamWidth
    {
        get;
        init => field = value is >= 1 and <= MaxBeamWidth ? value : throw new ArgumentOutOfRangeException(nameof(value), value, $"A beam is 1 to {MaxBeamWidth} wide.");
    } = 1;

    /// <summary>The published algorithm with both its improvements: three swap layers and 0.7 of the bits, then the residual without swaps; codebooks at 10 bits on one grid per stage.</summary>
    /// <param name="subspaces">Groups of neighbouring columns.</param>
    /// <exception cref="ArgumentOutOfRangeException">Less than one.</exception>
    public static QetOptions PaperDefault(int subspaces) => new(subspaces, [new QetStageOptions(3, 0.7), new QetStageOptions(0, 0.3)]);

    /// <summary>The published algorithm without its improvements: one stage, codebooks as floats. Without swap layers this is product quantisation (Jégou, Douze, Schmid 2011).</summary>
    /// <param name="subspaces">Groups of neighbouring columns.</param>
    /// <param name="swapLayers">Swap layers.</param>
    /// <exception cref="ArgumentException">A value is out of its range.</exception>
    public static QetOptions Vanilla(int subspaces, int swapLayers = 1) => new(subspaces, [new QetStageOptions(swapLayers, 1)], FloatBits);

    /// <inheritdoc/>
    public bool Equals(QetOptions? other) => other is not null && Subspaces == other.Subspaces && CodebookBits == other.CodebookBits && GridPerGroup == other.GridPerGroup
        && Iterations == other.Iterations && Seed == other.Seed && Rotation == other.Rotation && BeamWidth == other.BeamWidth && Stages.SequenceEqual(other.Stages);

    /// <inheritdoc/>
    public override int GetHashCode() => Stages.Aggregate(HashCode.Combine(Subspaces, CodebookBits, GridPerGroup, Iterations, Seed, Rotation, BeamWidth), HashCode.Combine);
}
