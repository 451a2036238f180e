using System.Globalization;
using TensorCompress.Tensors;

namespace TensorCompress.Compression.Mpo;

/// <summary>Options of matrix product operators: either a bond dimension or a share of the parameters.</summary>
public sealed record MpoOptions : MethodOptions
{
    private readonly int _sites = 2;
    private readonly ElementType _type = ElementType.F32;

    private MpoOptions(int? chi, double? share)
    {
        Chi = chi;
        Share = share;
    }

    /// <summary>The limit of every bond dimension, or null where <see cref="Share"/> decides.</summary>
    public int? Chi { get; }

    /// <summary>Elements of the cores over elements of W, an upper bound; or null where <see cref="Chi"/> decides.</summary>
    public double? Share { get; }

    /// <summary>Number of cores, 1 to 16. Two run fast; more are for storage. Explicit <see cref="Factors"/> bring their own number.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Not 1 to 16.</exception>
    public int Sites
    {
        get => Factors?.Sites ?? _sites;
        init => _sites = value is >= 1 and <= SiteFactors.MaxSites ? value : throw new ArgumentOutOfRangeException(nameof(value), value, $"There are 1 to {SiteFactors.MaxSites} sites.");
    }

    /// <summary>The split of rows and columns over the sites; null for <see cref="SiteFactors.Balanced(int, int, int)"/>.</summary>
    public SiteFactors? Factors { get; init; }

    /// <summary>Type of the stored cores: F32, F16 or BF16.</summary>
    /// <exception cref="ArgumentException">Another type.</exception>
    public ElementType Type
    {
        get => _type;
        init => _type = value is ElementType.F32 or ElementType.F16 or ElementType.BF16 ? value : throw new ArgumentException($"Cores are F32, F16 or BF16, not {value.Name()}.", nameof(value));
    }

    /// <inheritdoc/>
    public override ICompressionMethod Method => MpoMethod.Instance;

    /// <summary>Limits every bond dimension.</summary>
    /// <param name="chi">At least 1; more than a bond can use is cut to what it can use.</param>
    /// <exception cref="ArgumentOutOfRangeException">chi is less than 1.</exception>
    public static MpoOptions WithChi(int chi)
    {
        if (chi < 1) throw new ArgumentOutOfRangeException(nameof(chi), chi, "A bond dimension is at least 1.");
        return new MpoOptions(chi, null);
    }

    /// <summary>Takes the largest bond dimension whose cores have at most this share of W's elements.</summary>
    /// <param name="share">Above 0, at most 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">The share is outside (0, 1].</exception>
    public static MpoOptions WithShare(double share)
    {
        if (!(share is > 0 and <= 1)) throw new ArgumentOutOfRangeException(nameof(share), share, "A share is above 0 and at most 1.");
        return new MpoOptions(null, share);
    }

    /// <inheritdoc/>
    public override IReadOnlyList<KeyValuePair<string, string>> ToValues()
    {
        var values = new List<KeyValuePair<string, string>>
        {
            Chi is int chi ? OptionValues.Pair(MpoMethod.ChiOption, chi) : OptionValues.Pair(MpoMethod.ShareOption, Share!.Value),
        };
        if (Factors is null)
        {
            values.Add(OptionValues.Pair(MpoMethod.SitesOption, Sites));
        }
        else
        {
            values.Add(OptionValues.Pair(MpoMethod.OutputFactorsOption, string.Join(',', Factors.Outputs.Select(factor => factor.ToString(CultureInfo.InvariantCulture)))));
            values.Add(OptionValues.Pair(MpoMethod.InputFactorsOption, string.Join(',', Factors.Inputs.Select(factor => factor.ToString(CultureInfo.InvariantCulture)))));
        }

        values.Add(OptionValues.Pair(MpoMethod.CoresOption, OptionValues.Name(Type)));
        return values;
    }
}
