namespace TensorCompress.Numerics;

/// <summary>How many singular triplets are wanted, and how a randomised search for them runs. Valid when made.</summary>
public sealed record SvdTruncation
{
    private readonly int _powerSteps = 2;

    private SvdTruncation(int? rank, double? tolerance)
    {
        Rank = rank;
        Tolerance = tolerance;
    }

    /// <summary>Triplets wanted; null where a tolerance decides. A rank is a budget: it may cut a cluster of equal values.</summary>
    public int? Rank { get; }

    /// <summary>Relative error allowed, <c>||A - A_k|| / ||A||</c> (Frobenius); null where a rank decides. Values that agree to 1e-6 are kept or dropped together.</summary>
    public double? Tolerance { get; }

    /// <summary>
    /// The work of the randomised search: that of so many power iterations, 0 to 10; it is spent on a Krylov space. With two the error is a tenth of a percent above the
    /// least on flat spectra and next to nothing on decaying ones.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">Not 0 to 10.</exception>
    public int PowerSteps
    {
        get => _powerSteps;
        init
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(value, 10);
            _powerSteps = value;
        }
    }

    /// <summary>Seed of the sketch. The same seed gives the same bits.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>The largest triplets, so many.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The rank is negative.</exception>
    public static SvdTruncation ToRank(int rank)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(rank);
        return new SvdTruncation(rank, null);
    }

    /// <summary>As few triplets as meet a relative error.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Not 0 to 1.</exception>
    public static SvdTruncation ToError(double tolerance)
    {
        if (!(tolerance is >= 0 and <= 1)) throw new ArgumentOutOfRangeException(nameof(tolerance), tolerance, "A relative error is 0 to 1.");
        return new SvdTruncation(null, tolerance);
    }
}
