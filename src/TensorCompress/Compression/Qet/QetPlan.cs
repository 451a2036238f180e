using System.Numerics;
using TensorCompress.Compression.Qet.Rotated;

namespace TensorCompress.Compression.Qet;

/// <summary>How many centroids each stage has for a matrix of one shape, and what every bit of the result is for: known before anything is compressed.</summary>
public sealed record QetPlan
{
    internal const int MaxCodeBits = 24;
    private const double MaxElements = 1L << 40;

    private QetPlan(nint rows, nint columns, QetOptions options, IReadOnlyList<int> centroids)
    {
        (Rows, Columns, Options, Centroids) = (rows, columns, options, centroids);
        Account = new BitAccount(0, 0, 0, 0, 0, RotationBits);
        for (int stage = 0; stage < centroids.Count; stage++)
        {
            BitAccount account = AccountOf(stage, centroids[stage]);
            double largest = Math.Max(Math.Max(Math.Max(account.Swaps, account.Codes), account.Scales) / 8, (double)columns * centroids[stage] * sizeof(float));
            if (largest >= Array.MaxLength) throw new NotSupportedException($"Swaps, codes, codebooks or scales of {largest} bytes are not supported: each may have up to {Array.MaxLength}.");
            Account += account;
        }
    }

    /// <summary>Rows of the matrix.</summary>
    public nint Rows { get; }

    /// <summary>Columns of the matrix.</summary>
    public nint Columns { get; }

    /// <summary>What it is quantised with.</summary>
    public QetOptions Options { get; }

    /// <summary>Centroids of every group, for each stage.</summary>
    public IReadOnlyList<int> Centroids { get; }

    /// <summary>What every stored bit is for.</summary>
    public BitAccount Account { get; }

    /// <summary>Bytes that are stored.</summary>
    public long StoredBytes => Account.Total / 8;

    /// <summary>All stored bits over the elements of the matrix.</summary>
    public double BitsPerElement => Account.Total / ((double)Rows * Columns);

    /// <summary>Columns of a group.</summary>
    internal int SubvectorLength => (int)(Columns / Options.Subspaces);

    /// <summary>Whether a stage has more codes than an encoder can hold.</summary>
    internal bool HasTooManyCodes => Rows * (long)Options.Subspaces > Array.MaxLength;

    /// <summary>
    /// The published rule: swaps are paid first, the stages share the rest, and each takes the largest number of centroids whose codes and codebooks fit, as many as there are rows at most.
    /// </summary>
    /// <param name="rows">Rows of the matrix.</param>
    /// <param name="columns">Columns; they divide by the groups and by 2^swap layers.</param>
    /// <param name="maxBytes">What may be stored at most.</param>
    /// <param name="options">Stages, groups, codebooks.</param>
    /// <exception cref="ArgumentOutOfRangeException">The bytes do not suffice for one centroid in each stage; the message says how many do.</exception>
    /// <exception cref="ArgumentException">The shape does not fit the options.</exception>
    /// <exception cref="NotSupportedException">The matrix or a part of its result is too large, or it has more columns than rotations are learnt of.</exception>
    public static QetPlan ForBudget(nint rows, nint columns, long maxBytes, QetOptions options)
    {
        QetPlan ones = OfOneCentroid(rows, columns, options);
        ones.ThrowIfTooManyCodes();
        return ones.Within(maxBytes, 1 << MaxCodeBits) ?? throw new ArgumentOutOfRangeException(nameof(maxBytes), maxBytes, $"{rows} x {columns} with these options takes at least {ones.LeastBytes()} bytes.");
    }

    /// <summary>Given numbers of centroids.</summary>
    /// <param name="rows">Rows of the matrix.</param>
    /// <param name="columns">Columns; they divide by the groups and by 2^swap layers.</param>
    /// <param name="centroids">Centroids of every group, for each stage.</param>
    /// <param name="options">Stages, groups, codebooks.</param>
    /// <exception cref="ArgumentException">The shape or the number of stages does not fit the options.</exception>
    /// <exception cref="NotSupportedException">The matrix or a part of its result is too large, or it has more columns than rotations are learnt of.</exception>
    public static QetPlan WithCentroids(nint rows, nint columns, IReadOnlyList<int> centroids, QetOptions options)
    {
        QetPlan plan = Create(rows, columns, centroids, options);
        plan.ThrowIfTooManyCodes();
        return plan;
    }

    /// <summary>One centroid in each stage: what the options take at least, also where there are too many codes.</summary>
    internal static QetPlan OfOneCentroid(nint rows, nint columns, QetOptions options) => Create(rows, columns, [.. Enumerable.Repeat(1, options?.Stages.Count ?? 0)], options!);

    private static QetPlan Create(nint rows, nint columns, IReadOnlyList<int> centroids, QetOptions options)
    {
        ArgumentNullException.ThrowIfNull(centroids);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfLessThan(rows, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(columns, 1);
        if (rows > Array.MaxLength || (double)rows * columns > MaxElements) throw new NotSupportedException($"{rows} x {columns} is not supported: up to {Array.MaxLength} rows and 2^40 elements are.");
        if (options.Rotation == QetRotation.Learnt && columns > LearntRotation.MostColumns) throw new NotSupportedException($"A learnt rotation of {columns} columns is not supported: of up to {LearntRotation.MostColumns} it is.");
        if (columns % options.Subspaces != 0) throw new ArgumentException($"{columns} columns do not divide into {options.Subspaces} groups.", nameof(columns));
        int layers = options.Stages.Max(stage => stage.SwapLayers);
        if (columns % (1 << layers) != 0) throw new ArgumentException($"{columns} columns do not divide by {1 << layers}, as {layers} swap layers need.", nameof(columns));
        if (centroids.Count != options.Stages.Count) throw new ArgumentException($"{options.Stages.Count} stages do not have {centroids.Count} numbers of centroids.", nameof(centroids));
        if (centroids.FirstOrDefault(count => count is < 1 or > 1 << MaxCodeBits, 1) is not 1 and int wrong)
            throw new ArgumentOutOfRangeException(nameof(centroids), wrong, $"A group has 1 to {1 << MaxCodeBits} centroids.");
        return new QetPlan(rows, columns, options, [.. centroids]);
    }

    /// <summary>The published rule, <see cref="ForBudget"/>, with a limit to centroids; null where the bytes do not suffice or there are too many codes.</summary>
    internal QetPlan? Within(long maxBytes, int mostCentroids)
    {
        long budget = Math.Clamp(maxBytes, 0, long.MaxValue / 8) * 8;
        return !HasTooManyCodes && IsEnough(budget) ? WithCentroids([.. Enumerable.Range(0, Centroids.Count).Select(stage => MostCentroids(stage, budget, mostCentroids))]) : null;
    }

    /// <summary>The same with other centroids.</summary>
    internal QetPlan WithCentroids(IReadOnlyList<int> centroids) => WithCentroids(Rows, Columns, centroids, Options);

    /// <summary>The same for another number of rows: for rows that are encoded with codebooks that are there.</summary>
    internal QetPlan WithRows(nint rows) => WithCentroids(rows, Columns, Centroids, Options);

    /// <summary>The same with other options for the same stages.</summary>
    internal QetPlan WithOptions(QetOptions options) => WithCentroids(Rows, Columns, Centroids, options);

    /// <inheritdoc/>
    public bool Equals(QetPlan? other) => other is not null && Rows == other.Rows && Columns == other.Columns && Options == other.Options && Centroids.SequenceEqual(other.Centroids);

    /// <inheritdoc/>
    public override int GetHashCode() => Centroids.Aggregate(HashCode.Combine(Rows, Columns, Options), HashCode.Combine);

    /// <summary>Bits of a code of a stage; none where there is one centroid.</summary>
    internal int CodeBits(int stage) => CodeBitsOf(Centroids[stage]);

    /// <summary>Least values and steps of a stage: pairs.</summary>
    internal int Grids => Options.CodebookBits == QetOptions.FloatBits ? 0 : Options.GridPerGroup ? Options.Subspaces : 1;

    /// <summary>What the bits of a stage are for.</summary>
    internal BitAccount AccountOf(int stage) => AccountOf(stage, Centroids[stage]);

    /// <summary>Numbers of a stage's codebook.</summary>
    internal int Numbers(int stage) => (int)(Columns * Centroids[stage]);

    /// <summary>Numbers of a stage's codebook that share a least value and a step; all where there are none.</summary>
    internal int NumbersPerGrid(int stage) => Numbers(stage) / Math.Max(1, Grids);

    private void ThrowIfTooManyCodes()
    {
        if (HasTooManyCodes) throw new NotSupportedException($"{Rows} rows of {Options.Subspaces} groups are not supported: a stage may have up to {Array.MaxLength} codes.");
    }

    private static int CodeBitsOf(int centroids) => 32 - BitOperations.LeadingZeroCount((uint)centroids - 1);

    private BitAccount AccountOf(int stage, int centroids)
    {
        long swaps = Rows * ElementSwap.BitsPerRow(Columns, Options.Stages[stage].SwapLayers);
        long codes = Rows * Options.Subspaces * (long)CodeBitsOf(centroids);
        long codebooks = Columns * (long)centroids * Options.CodebookBits;
        long padding = BitStream.Padded(swaps) - swaps + BitStream.Padded(codes) - codes + BitStream.Padded(codebooks) - codebooks;
        return new BitAccount(codes, swaps, codebooks, Grids * 2 * 32L, padding);
    }

    private long RotationBits => Options.Rotation == QetRotation.Learnt ? 8 * LearntRotation.BytesFor(Columns) : 0;

    private long SwapBits => Enumerable.Range(0, Options.Stages.Count).Sum(stage => BitStream.Padded(AccountOf(stage, 1).Swaps));

    /// <summary>Whole bytes of codes, codebooks and scales of a stage, as bits.</summary>
    private long CentroidBits(int stage, int centroids)
    {
        BitAccount account = AccountOf(stage, centroids);
        return BitStream.Padded(account.Codes) + BitStream.Padded(account.Codebooks) + account.Scales;
    }

    private long Allowance(int stage, long budget) => (long)Math.Floor((budget - SwapBits - RotationBits) * Options.Stages[stage].Share);

    private bool IsEnough(long budget) => Enumerable.Range(0, Options.Stages.Count).All(stage => CentroidBits(stage, 1) <= Allowance(stage, budget));

    private long LeastBytes()
    {
        double needed = Enumerable.Range(0, Options.Stages.Count).Max(stage => CentroidBits(stage, 1) / Options.Stages[stage].Share);
        long bytes = (SwapBits + RotationBits + (long)needed) / 8 - 1; // a little less, because the division rounds
        while (!IsEnough(bytes * 8)) bytes++;
        return bytes;
    }

    private int MostCentroids(int stage, long budget, int most)
    {
        long allowance = Allowance(stage, budget);
        int fits = 1, tooMany = (int)Math.Min(Rows, most) + 1;
        while (tooMany - fits > 1)
        {
            int middle = fits + (tooMany - fits) / 2;
            if (CentroidBits(stage, middle) <= allowance) fits = middle;
            else tooMany = middle;
        }

        return fits;
    }
}
