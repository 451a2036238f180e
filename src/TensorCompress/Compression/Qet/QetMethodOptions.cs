using System.Globalization;

namespace TensorCompress.Compression.Qet;

/// <summary>What the method makes of a weight: a budget, and, where the planner is not to choose, swap layers, column groups, stages and codebooks.</summary>
public sealed record QetMethodOptions : MethodOptions
{
    /// <summary>Bits that are used where none are given.</summary>
    public const double DefaultBits = 3;

    /// <summary>Sets the budget; how it is spent is chosen by trials.</summary>
    /// <param name="bits">All stored bits per weight (codes, swaps, codebooks, scales, padding), above 0 and at most 32.</param>
    /// <param name="form">Codebooks of the matrix's own, universal ones, or whichever is better.</param>
    /// <param name="rotation">Width of the blocks of columns that are rotated before universal codebooks, a power of two; 0 to choose, 1 for none.</param>
    /// <exception cref="ArgumentException">A value is out of its range.</exception>
    public QetMethodOptions(double bits, QetForm form, int rotation = 0)
        : this(bits)
    {
        if (!Enum.IsDefined(form)) throw new ArgumentOutOfRangeException(nameof(form), form, "There is no such form.");
        if (rotation != 0 && (rotation < 0 || int.PopCount(rotation) != 1)) throw new ArgumentOutOfRangeException(nameof(rotation), rotation, "The width of rotated blocks is a power of two, or 0.");
        if (rotation != 0 && form == QetForm.Fitted) throw new ArgumentException("Only universal codebooks rotate.", nameof(rotation));
        (Form, Rotation) = (form, rotation);
    }

    /// <summary>Sets the budget.</summary>
    /// <param name="bits">All stored bits per weight (codes, swaps, codebooks, scales, padding), above 0 and at most 32.</param>
    /// <param name="codec">How the bits are spent (its seed is not used: the compression has one); null to choose by trials.</param>
    /// <exception cref="ArgumentOutOfRangeException">The bits are out of their range.</exception>
    public QetMethodOptions(double bits = DefaultBits, QetOptions? codec = null)
    {
        if (!(bits > 0 && bits <= 32)) throw new ArgumentOutOfRangeException(nameof(bits), bits, "Bits per weight are above 0 and at most 32.");
        (Bits, Codec, Form) = (bits, codec, codec is null ? QetForm.Auto : QetForm.Fitted);
    }

    /// <summary>All stored bits per weight.</summary>
    public double Bits { get; }

    /// <summary>How they are spent; null to choose by trials.</summary>
    public QetOptions? Codec { get; }

    /// <summary>Whose codebooks.</summary>
    public QetForm Form { get; }

    /// <summary>Width of rotated blocks; 0 to choose.</summary>
    public int Rotation { get; }

    /// <summary>Whether files hold codes, swaps, codebooks and scales entropy coded where that makes them smaller. <see cref="Bits"/> then bound what is stored without; layers and what they compute are the same.</summary>
    public bool EntropyCoding { get; init; }

    /// <inheritdoc/>
    public override ICompressionMethod Method => QetMethod.Instance;

    /// <inheritdoc/>
    internal override void ThrowIfUnfit(int rows, int columns, AttentionHeads? heads)
    {
        if (Codec is not null) QetPlan.ForBudget(rows, columns, BudgetFor(rows, columns), Codec);
    }

    /// <inheritdoc/>
    public override IReadOnlyList<KeyValuePair<string, string>> ToValues()
    {
        List<KeyValuePair<string, string>> values = [OptionValues.Pair(QetMethod.BitsOption, Bits)];
        if (Codec is null && Form != QetForm.Auto) values.Add(OptionValues.Pair(QetMethod.FormOption, Form.ToString().ToLowerInvariant()));
        if (Rotation != 0) values.Add(OptionValues.Pair(QetMethod.RotationOption, Rotation));
        if (Codec is { } codec)
        {
            values.Add(OptionValues.Pair(QetMethod.SubspacesOption, codec.Subspaces));
            values.Add(OptionValues.Pair(QetMethod.LayersOption, string.Join(',', codec.Stages.Select(stage => stage.SwapLayers))));
            values.Add(OptionValues.Pair(QetMethod.SharesOption, string.Join(',', codec.Stages.Select(stage => stage.Share.ToString(CultureInfo.InvariantCulture)))));
            values.Add(OptionValues.Pair(QetMethod.CodebookBitsOption, codec.CodebookBits));
            if (codec.GridPerGroup) values.Add(OptionValues.Pair(QetMethod.GridPerGroupOption, "true"));
            values.Add(OptionValues.Pair(QetMethod.IterationsOption, codec.Iterations));
            if (codec.BeamWidth != 1) values.Add(OptionValues.Pair(QetMethod.BeamOption, codec.BeamWidth));
            if (codec.Rotation != QetRotation.None) values.Add(OptionValues.Pair(QetMethod.RotateOption, codec.Rotation.ToString().ToLowerInvariant()));
        }

        if (EntropyCoding) values.Add(OptionValues.Pair(QetMethod.EntropyCodingOption, "true"));
        return values;
    }

    /// <summary>Bytes that may be stored for a matrix.</summary>
    internal long BudgetFor(nint rows, nint columns) => BudgetFor(Bits, rows, columns);

    /// <summary>Bytes that so many bits per weight are.</summary>
    internal static long BudgetFor(double bits, nint rows, nint columns) => (long)Math.Floor(bits * rows * columns / 8);
}
