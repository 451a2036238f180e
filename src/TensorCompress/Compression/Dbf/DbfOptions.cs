using System.Globalization;

namespace TensorCompress.Compression.Dbf;

/// <summary>Options of double binary factorisation: bits per weight, or a middle dimension.</summary>
public sealed record DbfOptions : MethodOptions
{
    /// <summary>Sets rate or middle dimension.</summary>
    /// <param name="bits">All stored bits (signs with their padding, and scales) per weight, above 0 and at most 64; null to go by the middle dimension.</param>
    /// <param name="middleDimension">k, at least 1; null to go by the bits.</param>
    /// <param name="diagonalShare">With statistics, how far the inputs' second moment is shrunk towards its diagonal: 0 to 1, 1 for the diagonal alone. Null for the default: 1 with the published solver, which knows the diagonal alone, and 0.5 with others.</param>
    /// <param name="schedule">How the solver runs; null to choose by the rate.</param>
    /// <exception cref="ArgumentException">There is neither bits nor middle dimension, or both, or a value is out of its range.</exception>
    public DbfOptions(double? bits = null, int? middleDimension = null, double? diagonalShare = null, DbfSchedule? schedule = null)
    {
        if (bits is null && middleDimension is null) throw new ArgumentException("Either bits or a middle dimension is required.", nameof(bits));
        if (bits is not null && middleDimension is not null) throw new ArgumentException("Bits and a middle dimension exclude each other: one follows from the other.", nameof(middleDimension));
        if (bits is not null && !(bits > 0 && bits <= 64)) throw new ArgumentOutOfRangeException(nameof(bits), bits, "Bits per weight are above 0 and at most 64.");
        if (middleDimension < 1) throw new ArgumentOutOfRangeException(nameof(middleDimension), middleDimension, "A middle dimension is at least 1.");
        if (diagonalShare is not null && !(diagonalShare >= 0 && diagonalShare <= 1)) throw new ArgumentOutOfRangeException(nameof(diagonalShare), diagonalShare, "A share is 0 to 1.");
        (Bits, MiddleDimension, DiagonalShare, Schedule) = (bits, middleDimension, diagonalShare ?? DefaultDiagonalShare(schedule), schedule);
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
    /// <param name="rows">Outputs, at least 1.</param>
    /// <param name="columns">Inputs, at least 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">Rows or columns are not positive.</exception>
    /// <exception cref="ArgumentException">The budget does not pay for one channel, and the message names the least that does; or a middle dimension was given and is more than the matrix may have.</exception>
    public int MiddleDimensionFor(int rows, int columns)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(rows);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(columns);
        if (MiddleDimension is { } middle)
        {
            int most = MostChannels(rows, columns);
            return middle <= most ? middle : throw new ArgumentException($"A middle dimension of {middle} is no compression of {rows} x {columns} weights: the most is {most}.");
        }

        double bits = Bits!.Value;
        int channels = (int)Math.Clamp((bits * rows * columns - StoredBits(rows, columns, 0)) / (StoredBits(rows, columns, 1) - StoredBits(rows, columns, 0)), 0, int.MaxValue - 1);
        // The quotient may round across an integer; what counts is what the weight will say of itself.
        if (BitsPerWeight(rows, columns, channels + 1) <= bits) channels++;
        else if (channels > 0 && BitsPerWeight(rows, columns, channels) > bits) channels--;
        return channels >= 1
            ? channels
            : throw new ArgumentException(string.Create(CultureInfo.InvariantCulture, $"{bits} bits per weight of {rows} x {columns} do not pay for one channel: the least is {RoundedUp(BitsPerWeight(rows, columns, 1))}."));
    }

    /// <summary>Most channels of a matrix: with more the signs alone take 64 bits per weight, which is no compression.</summary>
    internal static int MostChannels(int rows, int columns) => (int)Int128.Clamp((Int128)64 * rows * columns / ((long)rows + columns), 1, int.MaxValue);

    /// <summary>The schedule for a matrix. Rounds in the metric of a full second moment cost twice as much as others, so large matrices take few of them.</summary>
    internal DbfSchedule ScheduleFor(int rows, int columns, int middle, bool hasStatistics) =>
        Schedule ?? DbfSchedule.ForRate(DbfSchedule.Rate(rows, columns, middle), savesRounds: hasStatistics && DiagonalShare < 1 && (long)rows * columns > SmallMatrix);

    /// <inheritdoc/>
    internal override void ThrowIfUnfit(int rows, int columns, AttentionHeads? heads) => MiddleDimensionFor(rows, columns);

    /// <inheritdoc/>
    public override IReadOnlyList<KeyValuePair<string, string>> ToValues()
    {
        List<KeyValuePair<string, string>> values = [Bits is { } bits ? OptionValues.Pair(DbfMethod.BitsOption, bits) : OptionValues.Pair(DbfMethod.MiddleOption, MiddleDimension!.Value)];
        if (DiagonalShare != DefaultDiagonalShare(Schedule)) values.Add(OptionValues.Pair(DbfMethod.DiagonalShareOption, DiagonalShare));
        if (Schedule is { } schedule) values.Add(OptionValues.Pair(DbfMethod.SolverOption, schedule.ToText()));
        return values;
    }

    private const int ScaleBits = 16;

    /// <summary>Elements of a matrix that takes a few seconds in any schedule (benchmarks/results/AMD-EPYC-Zen3/signs-in-models.md).</summary>
    private const int SmallMatrix = 1 << 16;

    private static double DefaultDiagonalShare(DbfSchedule? schedule) => schedule == DbfSchedule.Paper ? 1 : 0.5;

    private static double BitsPerWeight(int rows, int columns, int channels) => StoredBits(rows, columns, channels) / ((double)rows * columns);

    /// <summary>Signs with their padding, and scales; exact.</summary>
    private static double StoredBits(int rows, int columns, int channels) =>
        channels * (8.0 * ((rows - 1) / 8 + 1 + (columns - 1) / 8 + 1) + ScaleBits) + ScaleBits * ((double)rows + columns);

    /// <summary>Four digits, of which a reader makes no smaller number.</summary>
    private static string RoundedUp(double value)
    {
        string nearest = value.ToString("G4", CultureInfo.InvariantCulture);
        double rounded = double.Parse(nearest, CultureInfo.InvariantCulture);
        return rounded >= value ? nearest : (rounded + Math.Pow(10, Math.Floor(Math.Log10(value)) - 3)).ToString("G4", CultureInfo.InvariantCulture);
    }
}
