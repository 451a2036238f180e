using TensorCompress.Tensors;

namespace TensorCompress.Compression.Dense;

/// <summary>Options of the dense method: plain weights.</summary>
public sealed record DenseOptions : MethodOptions
{
    /// <summary>Sets the element type.</summary>
    /// <param name="type"><see cref="ElementType.F32"/>, <see cref="ElementType.F16"/> or <see cref="ElementType.BF16"/>; null keeps what the source has.</param>
    /// <exception cref="ArgumentException">Another type.</exception>
    public DenseOptions(ElementType? type = null)
    {
        if (type is not (null or ElementType.F32 or ElementType.F16 or ElementType.BF16))
            throw new ArgumentException($"Dense weights are F32, F16 or BF16, not {type.Value.Name()}.", nameof(type));
        Type = type;
    }

    /// <summary>Type of the stored elements; null keeps what the source has, bit for bit (a matrix without a source is kept as F32).</summary>
    public ElementType? Type { get; }

    /// <inheritdoc/>
    public override ICompressionMethod Method => DenseMethod.Instance;

    /// <inheritdoc/>
    public override bool KeepsSource => Type is null;

    /// <inheritdoc/>
    public override IReadOnlyList<KeyValuePair<string, string>> ToValues() => Type is null ? [] : [OptionValues.Pair(DenseMethod.TypeOption, OptionValues.Name(Type.Value))];
}
