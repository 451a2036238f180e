using System.Globalization;

namespace TensorCompress.Compression.Mpo;

/// <summary>Options of matrix product operators: how far bonds are cut, how W is split, what the cores are fitted to and how they are stored.</summary>
public sealed record MpoOptions : MethodOptions
{
    /// <summary>Sweeps and ridge that are used where none are given.</summary>
    public const int DefaultSweeps = 10;

    /// <summary>Sweeps and ridge that are used where none are given.</summary>
    public const double DefaultRidge = 1e-4;

    private readonly int _sites = 2;
    private readonly int _sweeps = DefaultSweeps;
    private readonly double _ridge = DefaultRidge;
    private readonly int? _headDimension;

    /// <summary>Sets how far bonds are cut.</summary>
    public MpoOptions(MpoTruncation truncation)
    {
        ArgumentNullException.ThrowIfNull(truncation);
        Truncation = truncation;
    }

    /// <summary>How far bonds are cut.</summary>
    public MpoTruncation Truncation { get; }

    /// <summary>Number of cores, 1 to 16. Two run fast; more are for storage. Explicit <see cref="Factors"/> bring their own number.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Not 1 to 16.</exception>
    public int Sites
    {
        get => Factors?.Sites ?? _sites;
        init => _sites = value is >= 1 and <= SiteFactors.MaxSites ? value : throw new ArgumentOutOfRangeException(nameof(value), value, $"There are 1 to {SiteFactors.MaxSites} sites.");
    }

    /// <summary>The split of rows and columns over the sites; null for a search (<see cref="Search"/>) or <see cref="SiteFactors.Balanced(int, int, int)"/>.</summary>
    public SiteFactors? Factors { get; init; }

    /// <summary>
    /// Whether orders and sizes of factors are searched for the smallest error at this truncation. Of a matrix made of attention heads (<see cref="CompressionContext.Heads"/>) those count that part no head
    /// unevenly: behind every boundary between sites there are whole heads, or an equal part of each.
    /// </summary>
    public bool Search { get; init; }

    /// <summary>Whether a <see cref="Search"/> also tries three and four sites, at as many parameters as two have; not with explicit bonds.</summary>
    public bool SearchSites { get; init; }

    /// <summary>
    /// Whether the pipeline may change the order of the neurons of feed-forward layers for a smaller error (<see cref="Mpo.NeuronOrder"/>). A checkpoint stores the order and is dense in the old one again.
    /// </summary>
    public bool NeuronOrder { get; init; }

    /// <summary>
    /// Width of an attention head in place of the one that <see cref="CompressionContext.Heads"/> tells, on the side that it tells; a divisor of that side, 1 to leave heads out of account. Given, it also
    /// counts for the balanced split. Null for the width that is told, which searches and races of splits go by; a matrix that is not said to be made of heads never minds.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">Less than 1.</exception>
    public int? HeadDimension
    {
        get => _headDimension;
        init => _headDimension = value is null or >= 1 ? value : throw new ArgumentOutOfRangeException(nameof(value), value, "A head has at least one dimension.");
    }

    /// <summary>What the cores are fitted to.</summary>
    public MpoFit Fit { get; init; }

    /// <summary>Sweeps of alternating least squares, 0 to 1000; it ends earlier where the loss stands still.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Outside.</exception>
    public int Sweeps
    {
        get => _sweeps;
        init => _sweeps = value is >= 0 and <= 1000 ? value : throw new ArgumentOutOfRangeException(nameof(value), value, "There are 0 to 1000 sweeps.");
    }

    /// <summary>Added to the diagonal of the second moment, in units of its mean: above 0, at most 1.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Outside.</exception>
    public double Ridge
    {
        get => _ridge;
        init => _ridge = value is > 0 and <= 1 ? value : throw new ArgumentOutOfRangeException(nameof(value), value, "A ridge is above 0 and at most 1.");
    }

    /// <summary>How the cores are stored.</summary>
    public CoreFormat Cores { get; init; }

    /// <inheritdoc/>
    public override ICompressionMethod Method => MpoMethod.Instance;

    /// <summary>Limits every bond dimension.</summary>
    /// <param name="chi">At least 1; more than a bond can use is cut to what it can use.</param>
    /// <exception cref="ArgumentOutOfRangeException">chi is less than 1.</exception>
    public static MpoOptions WithChi(int chi) => new(MpoTruncation.ToChi(chi));

    /// <summary>Takes the largest bond dimension whose cores have at most this share of W's elements.</summary>
    /// <param name="share">Above 0, at most 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">The share is outside (0, 1].</exception>
    public static MpoOptions WithShare(double share) => new(MpoTruncation.ToShare(share));

    /// <inheritdoc/>
    public override IReadOnlyList<KeyValuePair<string, string>> ToValues()
    {
        var values = new List<KeyValuePair<string, string>> { TruncationValue() };
        if (Factors is null)
        {
            if (!Search || !SearchSites) values.Add(OptionValues.Pair(MpoMethod.SitesOption, Sites));
        }
        else
        {
            values.Add(OptionValues.Pair(MpoMethod.OutputFactorsOption, List(Factors.Outputs)));
            values.Add(OptionValues.Pair(MpoMethod.InputFactorsOption, List(Factors.Inputs)));
        }

        if (Search) values.Add(OptionValues.Pair(MpoMethod.SearchOption, "true"));
        if (NeuronOrder) values.Add(OptionValues.Pair(MpoMethod.NeuronOrderOption, "true"));
        if (HeadDimension is int head) values.Add(OptionValues.Pair(MpoMethod.HeadOption, head));
        values.Add(OptionValues.Pair(MpoMethod.FitOption, MpoMethod.FitName(Fit)));
        if (Sweeps != DefaultSweeps) values.Add(OptionValues.Pair(MpoMethod.SweepsOption, Sweeps));
        if (Ridge != DefaultRidge) values.Add(OptionValues.Pair(MpoMethod.RidgeOption, Ridge));
        values.Add(OptionValues.Pair(MpoMethod.CoresOption, Cores.OptionName()));
        return values;
    }

    /// <inheritdoc/>
    internal override bool NeedsHeads => HeadDimension is not null;

    /// <inheritdoc/>
    internal override void ThrowIfUnfit(int rows, int columns, AttentionHeads? heads)
    {
        if (HeadDimension is not null && (Factors is not null || Sites == 1))
            throw new ArgumentException($"\"{MpoMethod.HeadOption}\" is for the choice of factors, and with given factors or one site there is none: leave it out.");
        if (SearchSites && Truncation.Bonds is not null) throw new ArgumentException("Bonds one by one are for one number of sites: give that, or another limit.");
        heads?.OfWidth(HeadDimension).ThrowIfUnfit(rows, columns);
    }

    internal override int? NeuronOrderBond(int rows, int columns)
    {
        if (!NeuronOrder) return null;
        return Truncation.Bonds is { } bonds ? bonds.DefaultIfEmpty(1).Max() : Truncation.Limits(SiteFactors.Balanced(rows, columns, 2), (long)rows * columns, Cores)[1];
    }

    private KeyValuePair<string, string> TruncationValue() => Truncation switch
    {
        { Chi: int chi } => OptionValues.Pair(MpoMethod.ChiOption, chi),
        { Share: double share } => OptionValues.Pair(MpoMethod.ShareOption, share),
        { Tolerance: double tolerance } => OptionValues.Pair(MpoMethod.ToleranceOption, tolerance),
        { Bytes: long bytes } => OptionValues.Pair(MpoMethod.BytesOption, bytes),
        _ => OptionValues.Pair(MpoMethod.BondsOption, List(Truncation.Bonds!)),
    };

    private static string List(IEnumerable<int> values) => string.Join(',', values.Select(value => value.ToString(CultureInfo.InvariantCulture)));
}
