using System.Globalization;

namespace TensorCompress.Compression.Dbf;

/// <summary>How the alternating solver of double binary factorisations runs. <see cref="ForRate"/> chooses one where none is given.</summary>
public sealed record DbfSchedule
{
    private const int MaxCount = 1_000_000;

    /// <summary>Rounds, at least 1; each updates both factors.</summary>
    public int Rounds { get; init => field = Count(value, 1, nameof(Rounds)); } = 260;

    /// <summary>Steps (solve, project, dual) of a factor's update, at least 1.</summary>
    public int InnerSteps { get; init => field = Count(value, 1, nameof(InnerSteps)); } = 3;

    /// <summary>Added to the diagonal of the Gram matrix of the fixed factor, over its mean; above 0.</summary>
    public double Ridge { get; init => field = Number(value, double.Epsilon, nameof(Ridge)); } = 0.03;

    /// <summary>Power p of the penalty <c>min(1, t / (0.99 rounds))^p</c> of the first step of round t; the other steps have penalty 1.</summary>
    public double PenaltyPower { get; init => field = Number(value, 0, nameof(PenaltyPower)); } = 3;

    /// <summary>Relaxation r: a solution V enters projection and dual as <c>r V + (1 - r) Z</c>; 1 for none.</summary>
    public double Relaxation { get; init => field = Number(value, double.Epsilon, nameof(Relaxation)); } = 1;

    /// <summary>Rounds of power iteration in a projection, at least 1.</summary>
    public int PowerRounds { get; init => field = Count(value, 1, nameof(PowerRounds)); } = 5;

    /// <summary>Whether projections start from random vectors; if not, from the vector of ones.</summary>
    public bool RandomStarts { get; init; } = true;

    /// <summary>Whether the best iterate of the second half is taken; if not, the last one.</summary>
    public bool KeepsBest { get; init; }

    /// <summary>Sweeps of the closed-form fit of the three scales; 0 for none.</summary>
    public int RefitSweeps { get; init => field = Count(value, 0, nameof(RefitSweeps)); }

    /// <summary>The published solver (Boza and Macko, arXiv 2505.11076), but for its random numbers.</summary>
    public static DbfSchedule Paper { get; } = new();

    /// <summary>Our own: about 0.6 of the operations of the published one; lower errors on Gaussian matrices, up to 3 % higher ones on structured matrices.</summary>
    /// <param name="rate">Middle dimension over the shorter side: about half the sign bits per weight of a square matrix.</param>
    public static DbfSchedule ForRate(double rate) => new()
    {
        Rounds = 200,
        InnerSteps = 2,
        Ridge = rate < 0.9 ? 0.03 : 0.06,
        Relaxation = 0.8,
        PowerRounds = 2,
        RandomStarts = false,
        KeepsBest = true,
        RefitSweeps = 3,
    };

    /// <summary>Reads what <see cref="ToText"/> wrote.</summary>
    /// <exception cref="ArgumentException">It is something else, or a value is out of its range.</exception>
    internal static DbfSchedule Parse(string text)
    {
        if (text == PaperName) return Paper;
        string[] parts = text.Split('/');
        if (parts.Length != 9) throw Wrong(text);
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
        };
    }

    /// <summary>All values in one word.</summary>
    internal string ToText() => this == Paper
        ? PaperName
        : string.Create(CultureInfo.InvariantCulture, $"{Rounds}/{InnerSteps}/{Ridge}/{PenaltyPower}/{Relaxation}/{PowerRounds}/{(RandomStarts ? 1 : 0)}/{(KeepsBest ? 1 : 0)}/{RefitSweeps}");

    private const string PaperName = "paper";

    private static int Count(int value, int least, string name) =>
        value >= least && value <= MaxCount ? value : throw new ArgumentOutOfRangeException(name, value, $"It is {least} to {MaxCount}.");

    private static double Number(double value, double least, string name) =>
        value >= least && value <= MaxCount ? value : throw new ArgumentOutOfRangeException(name, value, $"It is a number from {least} to {MaxCount}.");

    private static int Integer(string part, string text) => int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out int value) ? value : throw Wrong(text);

    private static double Real(string part, string text) => double.TryParse(part, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) ? value : throw Wrong(text);

    private static bool Switch(string part, string text) => part is "0" or "1" ? part == "1" : throw Wrong(text);

    private static ArgumentException Wrong(string text) => new(
        $"A solver is \"{PaperName}\", or nine numbers for rounds, inner steps, ridge, penalty power, relaxation, power rounds, random starts (0 or 1), keeping the best (0 or 1) and refit sweeps between slashes, not \"{text}\".", nameof(text));
}
