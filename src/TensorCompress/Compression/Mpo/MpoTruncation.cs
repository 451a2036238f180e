
namespace TensorCompress.Compression.Mpo;

/// <summary>How far the bonds of a chain are cut. One of five ways; valid when made.</summary>
public sealed record MpoTruncation
{
    private readonly int[]? _bonds;

    private MpoTruncation(int? chi = null, int[]? bonds = null, double? tolerance = null, double? share = null, long? bytes = null)
    {
        Chi = chi;
        _bonds = bonds;
        Tolerance = tolerance;
        Share = share;
        Bytes = bytes;
    }

    /// <summary>The limit of every bond dimension, or null.</summary>
    public int? Chi { get; }

    /// <summary>The limits of the inner bonds r_1 ... r_(L-1), one by one, or null.</summary>
    public IReadOnlyList<int>? Bonds => _bonds;

    /// <summary>The relative error allowed, of W or of the layer's outputs (<see cref="ToTolerance"/>), or null.</summary>
    public double? Tolerance { get; }

    /// <summary>Elements of the cores over elements of W, an upper bound, or null.</summary>
    public double? Share { get; }

    /// <summary>Bytes of the stored cores, an upper bound, or null.</summary>
    public long? Bytes { get; }

    /// <summary>Limits every bond dimension.</summary>
    /// <param name="chi">At least 1; more than a bond can use is cut to what it can use.</param>
    /// <exception cref="ArgumentOutOfRangeException">chi is less than 1.</exception>
    public static MpoTruncation ToChi(int chi) =>
        chi >= 1 ? new MpoTruncation(chi: chi) : throw new ArgumentOutOfRangeException(nameof(chi), chi, "A bond dimension is at least 1.");

    /// <summary>Limits each inner bond.</summary>
    /// <param name="bonds">r_1 ... r_(L-1), each at least 1; more than a bond can use is cut to what it can use.</param>
    /// <exception cref="ArgumentOutOfRangeException">A bond is less than 1.</exception>
    public static MpoTruncation ToBonds(params IReadOnlyList<int> bonds)
    {
        ArgumentNullException.ThrowIfNull(bonds);
        foreach (int bond in bonds)
        {
            if (bond < 1) throw new ArgumentOutOfRangeException(nameof(bonds), bond, "A bond dimension is at least 1.");
        }

        return new MpoTruncation(bonds: [.. bonds]);
    }

    /// <summary>Takes as small bonds as keep a relative error of what the cores are fitted to.</summary>
    /// <remarks>
    /// Weights (no statistics of the layer's inputs, or <see cref="MpoFit.Weights"/>) and <see cref="MatrixProductOperator.Round"/>: the error of W, <c>||W - W'|| / ||W||</c> (Frobenius); each bond is as small as its
    /// singular values allow, and those that agree to 1e-6 are kept or dropped together. Outputs (every other fit): the error of the outputs, <see cref="LayerStatistics.OutputError"/>, measured on the fitted
    /// operator; one limit of all bonds is found by bisection, which takes a few fits. Cores that are stored with fewer bits (<see cref="CoreFormat"/>) add their rounding to either.
    /// </remarks>
    /// <param name="tolerance">0 to less than 1; 0 keeps what is more than rounding.</param>
    /// <exception cref="ArgumentOutOfRangeException">Outside.</exception>
    public static MpoTruncation ToTolerance(double tolerance) =>
        tolerance is >= 0 and < 1 ? new MpoTruncation(tolerance: tolerance) : throw new ArgumentOutOfRangeException(nameof(tolerance), tolerance, "A tolerance is at least 0 and less than 1.");

    /// <summary>Takes the largest bond dimension whose cores have at most this share of W's elements.</summary>
    /// <param name="share">Above 0, at most 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">Outside.</exception>
    public static MpoTruncation ToShare(double share) =>
        share is > 0 and <= 1 ? new MpoTruncation(share: share) : throw new ArgumentOutOfRangeException(nameof(share), share, "A share is above 0 and at most 1.");

    /// <summary>Takes the largest bond dimension whose stored cores have at most so many bytes.</summary>
    /// <param name="bytes">At least 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">Less than 1.</exception>
    public static MpoTruncation ToBytes(long bytes) =>
        bytes >= 1 ? new MpoTruncation(bytes: bytes) : throw new ArgumentOutOfRangeException(nameof(bytes), bytes, "Cores take at least one byte.");

    /// <inheritdoc/>
    public bool Equals(MpoTruncation? other) =>
        other is not null && Chi == other.Chi && Tolerance == other.Tolerance && Share == other.Share && Bytes == other.Bytes
        && (_bonds is null ? other._bonds is null : other._bonds is not null && _bonds.AsSpan().SequenceEqual(other._bonds));

    /// <inheritdoc/>
    public override int GetHashCode() => (_bonds ?? []).Aggregate(HashCode.Combine(Chi, Tolerance, Share, Bytes), HashCode.Combine);

    /// <summary>The limits r_0 = 1, ..., r_L = 1 for a shape, each at most what the bond can use.</summary>
    /// <param name="factors">The split over the sites.</param>
    /// <param name="elements">Elements of W, without padding.</param>
    /// <param name="format">How cores are stored, for a limit in bytes.</param>
    /// <exception cref="ArgumentException">The bonds are not one fewer than the sites, or not even bond dimension 1 keeps the limit; the message gives the least.</exception>
    internal int[] Limits(SiteFactors factors, long elements, CoreFormat format)
    {
        int[] useful = factors.Bonds(int.MaxValue);
        if (Chi is int chi) return factors.Bonds(chi);
        if (_bonds is not null)
        {
            if (_bonds.Length != factors.Sites - 1) throw new ArgumentException($"{factors.Sites} sites have {factors.Sites - 1} inner bonds, not {_bonds.Length}.");
            return [1, .. _bonds.Select((bond, k) => Math.Min(bond, useful[k + 1])), 1];
        }

        if (Share is double share) return Largest(factors, bonds => factors.ParameterCount(bonds) <= share * elements, least =>
            $"A share of {share} of {elements} elements is less than bond dimension 1 needs with the factors {factors}: the least is {(double)factors.ParameterCount(least) / elements:G4}.");
        if (Bytes is long bytes) return Largest(factors, bonds => format.ByteLength(factors, bonds) <= bytes, least =>
            $"{bytes} bytes are less than bond dimension 1 needs with the factors {factors}: the least is {format.ByteLength(factors, least)}.");
        return useful;
    }

    /// <summary>Whether bonds r_0 ... r_L may be: a budget leaves free how it is spread over the bonds, anything else limits each.</summary>
    /// <param name="factors">The split over the sites.</param>
    /// <param name="bonds">The bonds.</param>
    /// <param name="limits">What <see cref="Limits"/> gave.</param>
    /// <param name="elements">Elements of W, without padding.</param>
    /// <param name="format">How cores are stored.</param>
    internal bool Allows(SiteFactors factors, int[] bonds, int[] limits, long elements, CoreFormat format)
    {
        if (Share is double share) return factors.ParameterCount(bonds) <= share * elements;
        if (Bytes is long bytes) return format.ByteLength(factors, bonds) <= bytes;
        return bonds.Zip(limits).All(pair => pair.First <= pair.Second);
    }

    /// <summary>How many of the singular values of a bond are kept.</summary>
    /// <param name="values">Descending.</param>
    /// <param name="limit">At most so many.</param>
    /// <param name="allowedSquares">What may be left out, as a sum of squares; the limit alone decides where no tolerance is set.</param>
    internal int ChooseRank(ReadOnlySpan<double> values, int limit, double allowedSquares)
    {
        int rank = Math.Min(limit, values.Length);
        if (Tolerance is null) return rank;
        double left = 0;
        for (int r = rank; r < values.Length; r++) left += values[r] * values[r];
        for (; rank > 1; rank--)
        {
            left += values[rank - 1] * values[rank - 1];
            if (left > allowedSquares) break;
        }

        while (rank < Math.Min(limit, values.Length) && values[rank] >= (1 - 1e-6) * values[rank - 1]) rank++;
        return rank;
    }

    /// <summary>The bonds of the largest even bond dimension that fits.</summary>
    /// <param name="factors">The split over the sites.</param>
    /// <param name="fits">Whether bonds fit; smaller ones do wherever larger ones do.</param>
    /// <param name="refusal">What to say where not even bond dimension 1 fits, told its bonds.</param>
    /// <exception cref="ArgumentException">Not even bond dimension 1 fits.</exception>
    internal static int[] Largest(SiteFactors factors, Func<int[], bool> fits, Func<int[], string> refusal)
    {
        int[] least = factors.Bonds(1);
        if (!fits(least)) throw new ArgumentException(refusal(least));
        int low = 1, high = (int)Math.Min(int.MaxValue, factors.UsefulBonds().DefaultIfEmpty(1).Max() + 1);
        while (high - low > 1)
        {
            int middle = low + (high - low) / 2;
            if (fits(factors.Bonds(middle))) low = middle;
            else high = middle;
        }

        return factors.Bonds(low);
    }
}
