using System.Globalization;

namespace TensorCompress.Compression.Dbf;

/// <summary>How the alternating solver of double binary factorisations runs. <see cref="ForRate"/> chooses one where none is given.</summary>
public sealed record DbfSchedule
{
    private const int MaxCount = 1_000_000;
    private const double LeastRidge = 1e-6, LowRate = 0.4, HighRate = 1.25;

    /// <summary>Rounds, at least 1; each updates both factors.</summary>
    public int Rounds { get; init => field = Count(value, 1, nameof(Rounds)); } = 260;

    /// <summary>Steps (solve, project, dual) of a factor's update, at least 1.</summary>
    public int InnerSteps { get; init => field = Count(value, 1, nameof(InnerSteps)); } = 3;

    /// <summary>Added to the diagonal of the Gram matrix of the fixed factor in the last rounds, over its mean; at least a millionth. Where that is too small for single precision, more is added.</summary>
    public double Ridge { get; init => field = Number(value, LeastRidge, nameof(Ridge)); } = 0.03;

    /// <summary>The same in the first round; in between it falls by the same factor each round. Null for a ridge that does not change.</summary>
    public double? FirstRidge { get; init => field = value is { } ridge ? Number(ridge, LeastRidge, nameof(FirstRidge)) : null; }

    /// <summary>Power p of the penalty <c>l + (1 - l) min(1, t / (0.99 rounds))^p</c> of the first step of round t; the other steps have penalty 1.</summary>
    public double PenaltyPower { get; init => field = Number(value, 0, nameof(PenaltyPower)); } = 3;

    /// <summary>The penalty l of the first step of the first round.</summary>
    public double LeastPenalty { get; init => field = Number(value, 0, nameof(LeastPenalty)); }

    /// <summary>Whether penalties of channels grow with the root of their magnitudes; if not, all are the same.</summary>
    public bool WeighsChannels { get; init; }

    /// <summary>Relaxation r: a solution V enters projection and dual as <c>r V + (1 - r) Z</c>; above 0 and at most 2, beyond which iterations diverge; 1 for none.</summary>
    public double Relaxation { get; init => field = Number(value, double.Epsilon, nameof(Relaxation), most: 2); } = 1;

    /// <summary>Rounds of power iteration in a projection, at least 1.</summary>
    public int PowerRounds { get; init => field = Count(value, 1, nameof(PowerRounds)); } = 5;

    /// <summary>Whether projections start from random vectors; if not, from the vector of ones.</summary>
    public bool RandomStarts { get; init; } = true;

    /// <summary>Whether the best iterate of the second half is taken; if not, the last one.</summary>
    public bool KeepsBest { get; init; }

    /// <summary>Sweeps of the closed-form fit of the three scales; 0 for none.</summary>
    public int RefitSweeps { get; init => field = Count(value, 0, nameof(RefitSweeps)); }

    /// <summary>At the end, most turns of flipping single signs of both factors as long as one flip lowers the error; 0 for none.</summary>
    public int FlipSweeps { get; init => field = Count(value, 0, nameof(FlipSweeps)); }

    /// <summary>The published solver (Boza and Macko, arXiv 2505.11076), but for its random numbers.</summary>
    public static DbfSchedule Paper { get; } = new();

    /// <summary>Our own: lower errors than the published one with half of its operations or less. The ridge falls while the penalty rises.</summary>
    /// <param name="rate">Half the sign bits per weight: for a square matrix the middle dimension over its side.</param>
    /// <param name="savesRounds">Whether a quarter of the rounds must do: single flips regain most of what that loses.</param>
    public static DbfSchedule ForRate(double rate, bool savesRounds = false) => new()
    {
        // Cross products, once a round, are most of the work at low rates; a third step pays where signs are many.
        Rounds = savesRounds ? 40 : rate < LowRate ? 165 : rate < HighRate ? 180 : 145,
        InnerSteps = rate < HighRate ? 2 : 3,
        Ridge = savesRounds ? 0.02 : 0.01,
        FirstRidge = 0.4,
        PenaltyPower = savesRounds ? 2 : 3,
        LeastPenalty = rate < LowRate ? 0.03 : 0.06,
        WeighsChannels = true,
        Relaxation = rate < LowRate ? 1 : 0.9,
        PowerRounds = 2,
        RandomStarts = false,
        KeepsBest = true,
        RefitSweeps = 3,
        FlipSweeps = savesRounds ? 6 : 15,
    };

    /// <summary>Half the sign bits per weight.</summary>
    internal static double Rate(double rows, double columns, double middle) => middle * (rows + columns) / (2 * rows * columns);

    /// <summary>The ridge of a round.</summary>
    internal double RidgeAt(int round) => FirstRidge is { } first ? Rounded(first * Math.Pow(Ridge / first, Progress(round))) : Ridge;

    /// <summary>The penalty of the first step of a round.</summary>
    internal double PenaltyAt(int round) => Rounded(LeastPenalty + (1 - LeastPenalty) * Math.Pow(Progress(round), PenaltyPower));

    /// <summary>Reads what <see cref="ToText"/> wrote.</summary>
    /// <exception cref="ArgumentException">It is something else, or a value is out of its range.</exception>
    internal static DbfSchedule Parse(string text)
    {
        if (text == PaperName) return Paper;
        string[] parts = text.Split('/');
        if (parts.Length != 13) throw Wrong(text);
        return new DbfSchedule
        {
            Rounds = Integer(parts[0], text),
            InnerSteps = Integer(parts[1], text),
            Ridge = Real(parts[2], text),
            PenaltyPower = Real(parts[3], text),
            Relaxation = Real(parts[4], text),
            PowerRounds = Integer(parts[5], text),
            RandomStarts = Switch(parts[6], text),
            KeepsBest = Switch(parts[7], text),
            RefitSweeps = Integer(parts[8], text),
            FirstRidge = parts[9].Length == 0 ? null : Real(parts[9], text),
            LeastPenalty = Real(parts[10], text),
            WeighsChannels = Switch(parts[11], text),
            FlipSweeps = Integer(parts[12], text),
        };
    }

    /// <summary>All values in one word.</summary>
    internal string ToText() => this == Paper
        ? PaperName
        : string.Create(CultureInfo.InvariantCulture, $"{Rounds}/{InnerSteps}/{Ridge}/{PenaltyPower}/{Relaxation}/{PowerRounds}/{(RandomStarts ? 1 : 0)}/{(KeepsBest ? 1 : 0)}/{RefitSweeps}/{FirstRidge}/{LeastPenalty}/{(WeighsChannels ? 1 : 0)}/{FlipSweeps}");

    private const string PaperName = "paper";

    private double Progress(int round) => Math.Min(1, round / (0.99 * Rounds));

    /// <summary>Powers of different platforms differ in their last bits.</summary>
    private static double Rounded(double value) => (float)value;

    private static int Count(int value, int least, string name) =>
        value >= least && value <= MaxCount ? value : throw new ArgumentOutOfRangeException(name, value, $"It is {least} to {MaxCount}.");

    private static double Number(double value, double least, string name, double most = MaxCount) =>
        value >= least && value <= most ? value : throw new ArgumentOutOfRangeException(name, value, string.Create(CultureInfo.InvariantCulture, $"It is a number from {least} to {most}."));

    private static int Integer(string part, string text) => int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out int value) ? value : throw Wrong(text);

    private static double Real(string part, string text) => double.TryParse(part, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) ? value : throw Wrong(text);

    private static bool Switch(string part, string text) => part is "0" or "1" ? part == "1" : throw Wrong(text);

    private static ArgumentException Wrong(string text) => new(
        $"A solver is \"{PaperName}\", or thirteen numbers for rounds, inner steps, ridge, penalty power, relaxation, power rounds, random starts (0 or 1), keeping the best (0 or 1), refit sweeps, first ridge (or nothing), least penalty, weighing channels (0 or 1) and flip sweeps between slashes, not \"{text}\".", nameof(text));
}
