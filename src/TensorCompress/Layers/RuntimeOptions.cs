namespace TensorCompress.Layers;

/// <summary>How activations enter the products of quantised weights.</summary>
public enum ActivationPrecision
{
    /// <summary>As 8-bit integers with a scale for every 32 of them where the weights' codes allow integer products; elsewhere as floats.</summary>
    Int8,

    /// <summary>As they are: the product is that of the decompressed weights.</summary>
    F32,
}

/// <summary>How layers are packed to run. What is measured with some options is what runs with them.</summary>
public sealed record RuntimeOptions
{
    /// <summary>The options that are used where none are given.</summary>
    public static RuntimeOptions Default { get; } = new();

    /// <summary>Options of exact products, for comparisons with the decompressed weights.</summary>
    public static RuntimeOptions Exact { get; } = new() { Activations = ActivationPrecision.F32 };

    /// <summary>Precision of activations.</summary>
    public ActivationPrecision Activations { get; init; }
}
