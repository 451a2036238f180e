namespace TensorCompress.Layers;

/// <summary>How activations enter the products of quantised weights.</summary>
public enum ActivationPrecision
{
    /// <summary>As 8-bit integers with a scale for every 32 of them where the weights' codes allow integer products, for every 1024 with universal codebooks up to three bits; elsewhere as floats.</summary>
    Int8,

    /// <summary>As they are: the product is that of the decompressed weights.</summary>
    F32,
}

/// <summary>How layers that can multiply in several ways choose one.</summary>
public enum RuntimePlan
{
    /// <summary>By the shape of the layer alone: a token has the same bits alone and in a batch.</summary>
    Default,

    /// <summary>By the number of tokens too: faster for some of them, and bits may differ between a token alone and in a batch.</summary>
    Fastest,
}

/// <summary>How activations enter products of signs (double binary factorisations).</summary>
public enum SignPrecision
{
    /// <summary>Sums of four as 16-bit integers with a scale for every 1024 columns: relative errors below 1e-4 per product.</summary>
    High,

    /// <summary>Sums of four as 8-bit integers, or, for matrices of up to sixteen rows, activations as such: about 1 % per product, and half the work, which one token of a large matrix hardly gains and a prompt does.</summary>
    Fast,

    /// <summary>As they are, added and subtracted as floats.</summary>
    Exact,
}

/// <summary>How layers are packed to run. What is measured with some options is what runs with them.</summary>
public sealed record RuntimeOptions
{
    /// <summary>The options that are used where none are given.</summary>
    public static RuntimeOptions Default { get; } = new();

    /// <summary>Options of exact products, for comparisons with the decompressed weights.</summary>
    public static RuntimeOptions Exact { get; } = new() { Activations = ActivationPrecision.F32, Signs = SignPrecision.Exact };

    /// <summary>Precision of activations.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is none of the enumeration's values.</exception>
    public ActivationPrecision Activations { get; init => field = Defined(value); }

    /// <summary>Precision of activations in products of signs; <see cref="SignPrecision.Exact"/> if <see cref="Activations"/> are floats.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is none of the enumeration's values.</exception>
    public SignPrecision Signs { get; init => field = Defined(value); }

    /// <summary>How layers choose a way to multiply: matrix product operators have several.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is none of the enumeration's values.</exception>
    public RuntimePlan Plan { get; init => field = Defined(value); }

    private static T Defined<T>(T value)
        where T : struct, Enum => Enum.IsDefined(value) ? value : throw new ArgumentOutOfRangeException(nameof(value), value, $"There is no such {typeof(T).Name}.");
}
