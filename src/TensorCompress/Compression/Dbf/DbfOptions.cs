namespace TensorCompress.Compression.Dbf;

/// <summary>Options of double binary factorisation: bits per weight, or a middle dimension.</summary>
public sealed record DbfOptions : MethodOptions
{
    internal const double DefaultDiagonalShare = 0.5;

    /// <summary>Sets rate or middle dimension.</summary>
    /// <param name="bits">All stored bits (signs with their padding, and scales) per weight, above 0 and at most 64; null to go by the middle dimension.</param>
    /// <param name="middleDimension">k, at least 1; null to go by the bits.</param>
    /// <param name="diagonalShare">With statistics, how far the inputs' second moment is shrunk towards its diagonal: 0 to 1, 1 for the diagonal alone.</param>
    /// <param name="schedule">How the solver runs; null to choose by the rate.</param>
    /// <exception cref="ArgumentException">There is neither bits nor middle dimension, or both, or a value is out of its range.</exception>
    public DbfOptions(double? bits = null, int? middleDimension = null, double diagonalShare = DefaultDiagonalShare, DbfSchedule? schedule = null)
    {
        if (bits is null == middleDimension is null) throw new ArgumentException("Either bits or a middle dimension is required.", nameof(bits));
        if (bits is not null && !(bits > 0 && bits <= 64)) throw new ArgumentOutOfRangeException(nameof(bits), bits, "Bits per weight are above 0 and at most 64.");
        if (middleDimension < 1) throw new ArgumentOutOfRangeException(nameof(middleDimension), middleDimension, "A middle dimension is at least 1.");
        if (!(diagonalShare >= 0 && diagonalShare <= 1)) throw new ArgumentOutOfRangeException(nameof(diagonalShare), diagonalShare, "A share is 0 to 1.");
        (Bits, MiddleDimension, DiagonalShare, Schedule) = (bits, middleDimension, diagonalShare, schedule);
    }

    /// <summary>All stored bits per weight, or null to go by the middle dimension.</summary>
    public double? Bits { get; }

    /// <summary>k, or null to go by the bits.</summary>
    public int? MiddleDimension { get; }

    /// <summary>How far the inputs' second moment is shrunk towards its diagonal.</summary>
    public double DiagonalShare { get; }

    /// <summary>How the solver runs; null to choose by the rate and the size.</summary>
    public DbfSchedule? Schedule { get; }

    /// <inheritdoc/>
    public override ICompressionMethod Method => DbfMethod.Instance;

    /// <summary>The published solver at a middle dimension: with statistics it weighs inputs by the diagonal of their second moment.</summary>
    /// <param name="middleDimension">k, at least 1.</param>
    public static DbfOptions Paper(int middleDimension) => new(middleDimension: middleDimension, diagonalShare: 1, schedule: DbfSchedule.Paper);

    /// <summary>The middle dimension for a matrix: the largest whose stored bits do not exceed the budget.</summary>
    /// <exception cref="ArgumentException">The budget does not pay for one channel; the message names the least.</exception>
    public int MiddleDimensionFor(int rows, int columns)
    {
        if (MiddleDimension is { } middle) return middle;
        double elements = (double)rows * columns, perChannel = BitsPerChannel(rows, columns), scales = ScaleBits * ((double)rows + columns);
        var fits = (int)Math.Min(int.MaxValue, Math.Floor((Bits!.Value * elements - scales) / perChannel));
        return fits >= 1
            ? fits
            : throw new ArgumentException($"{Bits} bits per weight of {rows} x {columns} do not pay for one channel: the least is {(scales + perChannel) / elements:G4}.");
    }

    /// <summary>The schedule for a matrix. Rounds in the metric of a full second moment cost twice as much as others, so large matrices take few of them.</summary>
    internal DbfSchedule ScheduleFor(int rows, int columns, int middle, bool hasStatistics) =>
        Schedule ?? DbfSchedule.ForRate(DbfSchedule.Rate(rows, columns, middle), savesRounds: hasStatistics && DiagonalShare < 1 && (long)rows * columns > SmallMatrix);

    /// <inheritdoc/>
    internal override void ThrowIfUnfit(int rows, int columns, AttentionHeads? heads) => MiddleDimensionFor(rows, columns);

    /// <inheritdoc/>
    public override IReadOnlyList<KeyValuePair<string, string>> ToValues()
    {
        List<KeyValuePair<string, string>> values = [Bits is { } bits ? OptionValues.Pair(DbfMethod.BitsOption, bits) : OptionValues.Pair(DbfMethod.MiddleOption, MiddleDimension!.Value)];
        if (DiagonalShare != DefaultDiagonalShare) values.Add(OptionValues.Pair(DbfMethod.DiagonalShareOption, DiagonalShare));
        if (Schedule is { } schedule) values.Add(OptionValues.Pair(DbfMethod.SolverOption, schedule.ToText()));
        return values;
    }

    private const int ScaleBits = 16;

    /// <summary>Elements of a matrix that takes a few seconds in any schedule (benchmarks/results/AMD-EPYC-Zen3/signs-in-models.md).</summary>
    private const int SmallMatrix = 1 << 16;

    private static double BitsPerChannel(int rows, int columns) => 8.0 * ((rows - 1) / 8 + 1 + (columns - 1) / 8 + 1) + ScaleBits;
}
