using TensorCompress.Tensors;

namespace TensorCompress.Compression.Scalar;

/// <summary>Options of round-to-nearest quantisation in groups.</summary>
public sealed record ScalarOptions : MethodOptions
{
    /// <summary>Bits, group and scale type that are used where none are given.</summary>
    public const int DefaultBits = 4, DefaultGroup = 64;

    /// <summary>Sets bits and group.</summary>
    /// <param name="bits">Bits of a code, 2 to 8.</param>
    /// <param name="group">Neighbouring weights of a row that share a scale, at least 1; the last group of a row may be shorter.</param>
    /// <param name="symmetric">Levels -L..L with L = 2^(bits - 1) - 1 instead of a range with a zero point.</param>
    /// <param name="scales">F16 or F32.</param>
    /// <exception cref="ArgumentException">A value is out of its range.</exception>
    public ScalarOptions(int bits = DefaultBits, int group = DefaultGroup, bool symmetric = false, ElementType scales = ElementType.F16)
    {
        if (bits is < 2 or > 8) throw new ArgumentOutOfRangeException(nameof(bits), bits, "Codes have 2 to 8 bits.");
        if (group < 1) throw new ArgumentOutOfRangeException(nameof(group), group, "A group has at least one weight.");
        if (scales is not (ElementType.F16 or ElementType.F32)) throw new ArgumentException($"Scales are F16 or F32, not {scales.Name()}.", nameof(scales));
        Bits = bits;
        Group = group;
        Symmetric = symmetric;
        Scales = scales;
    }

    /// <summary>Bits of a code.</summary>
    public int Bits { get; }

    /// <summary>Weights of a row that share a scale.</summary>
    public int Group { get; }

    /// <summary>Whether the levels are symmetric about 0, without a zero point.</summary>
    public bool Symmetric { get; }

    /// <summary>Type of the scales.</summary>
    public ElementType Scales { get; }

    /// <summary>Levels of a group less one: codes 0 to 2^b - 1, or 1 to 2^b - 1 where they are symmetric.</summary>
    internal int Steps => (1 << Bits) - (Symmetric ? 2 : 1);

    /// <summary>The smallest level of a symmetric grid; of others it depends on the group, and this is the one with the zero in the middle.</summary>
    internal int LeastLevel => Symmetric ? -((1 << (Bits - 1)) - 1) : -(1 << (Bits - 1));

    /// <inheritdoc/>
    public override ICompressionMethod Method => ScalarMethod.Instance;

    /// <inheritdoc/>
    public override IReadOnlyList<KeyValuePair<string, string>> ToValues() =>
    [
        OptionValues.Pair(ScalarMethod.BitsOption, Bits),
        OptionValues.Pair(ScalarMethod.GroupOption, Group),
        OptionValues.Pair(ScalarMethod.SymmetricOption, Symmetric ? "true" : "false"),
        OptionValues.Pair(ScalarMethod.ScalesOption, OptionValues.Name(Scales)),
    ];
}
