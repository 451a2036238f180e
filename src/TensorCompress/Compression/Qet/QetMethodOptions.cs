using System.Globalization;

namespace TensorCompress.Compression.Qet;

/// <summary>What the method makes of a weight: a budget, and, where the planner is not to choose, swap layers, column groups, stages and codebooks.</summary>
public sealed record QetMethodOptions : MethodOptions
{
    /// <summary>Bits that are used where none are given.</summary>
    public const double DefaultBits = 3;

    /// <summary>Sets the budget.</summary>
    /// <param name="bits">All stored bits per weight (codes, swaps, codebooks, scales, padding), above 0 and at most 32.</param>
    /// <param name="codec">How the bits are spent (its seed is not used: the compression has one); null to choose by trials.</param>
    /// <exception cref="ArgumentOutOfRangeException">The bits are out of their range.</exception>
    public QetMethodOptions(double bits = DefaultBits, QetOptions? codec = null)
    {
        if (!(bits > 0 && bits <= 32)) throw new ArgumentOutOfRangeException(nameof(bits), bits, "Bits per weight are above 0 and at most 32.");
        (Bits, Codec) = (bits, codec);
    }

    /// <summary>All stored bits per weight.</summary>
    public double Bits { get; }

    /// <summary>How they are spent; null to choose by trials.</summary>
    public QetOptions? Codec { get; }

    /// <inheritdoc/>
    public override ICompressionMethod Method => QetMethod.Instance;

    /// <inheritdoc/>
    public override IReadOnlyList<KeyValuePair<string, string>> ToValues()
    {
        List<KeyValuePair<string, string>> values = [OptionValues.Pair(QetMethod.BitsOption, Bits)];
        if (Codec is { } codec)
        {
            values.Add(OptionValues.Pair(QetMethod.SubspacesOption, codec.Subspaces));
            values.Add(OptionValues.Pair(QetMethod.LayersOption, string.Join(',', codec.Stages.Select(stage => stage.SwapLayers))));
            values.Add(OptionValues.Pair(QetMethod.SharesOption, string.Join(',', codec.Stages.Select(stage => stage.Share.ToString(CultureInfo.InvariantCulture)))));
            values.Add(OptionValues.Pair(QetMethod.CodebookBitsOption, codec.CodebookBits));
            if (codec.GridPerGroup) values.Add(OptionValues.Pair(QetMethod.GridPerGroupOption, "true"));
            values.Add(OptionValues.Pair(QetMethod.IterationsOption, codec.Iterations));
        }

        return values;
    }

    /// <summary>Bytes that may be stored for a matrix.</summary>
    internal long BudgetFor(nint rows, nint columns) => (long)Math.Floor(Bits * rows * columns / 8);
}
