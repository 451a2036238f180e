using TensorCompress.Kernels;

namespace TensorCompress.Layers;

/// <summary>The non-linear function of a feed-forward layer.</summary>
public enum ActivationFunction
{
    /// <summary>x / (1 + e^-x).</summary>
    Silu,

    /// <summary>GELU by its tanh approximation.</summary>
    GeluTanh,

    /// <summary>GELU by the error function.</summary>
    GeluErf,

    /// <summary>max(x, 0).</summary>
    Relu,
}

/// <summary>Runs an <see cref="ActivationFunction"/>.</summary>
public static class ActivationFunctions
{
    /// <summary>Applies the function in place.</summary>
    public static void Apply(this ActivationFunction function, Span<float> values)
    {
        switch (function)
        {
            case ActivationFunction.Silu: Elementwise.Map<Silu>(values, values); break;
            case ActivationFunction.GeluTanh: Elementwise.Map<GeluTanh>(values, values); break;
            case ActivationFunction.GeluErf: Elementwise.Map<GeluErf>(values, values); break;
            case ActivationFunction.Relu: Elementwise.Map<Relu>(values, values); break;
            default: throw new ArgumentOutOfRangeException(nameof(function), function, null);
        }
    }

    /// <summary>Replaces values by <c>f(gate) value</c>: the gated units of feed-forward layers (Shazeer 2020).</summary>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public static void ApplyGate(this ActivationFunction function, ReadOnlySpan<float> gate, Span<float> values)
    {
        switch (function)
        {
            case ActivationFunction.Silu: Elementwise.Combine<GatedProduct<Silu>>(gate, values, values); break;
            case ActivationFunction.GeluTanh: Elementwise.Combine<GatedProduct<GeluTanh>>(gate, values, values); break;
            case ActivationFunction.GeluErf: Elementwise.Combine<GatedProduct<GeluErf>>(gate, values, values); break;
            case ActivationFunction.Relu: Elementwise.Combine<GatedProduct<Relu>>(gate, values, values); break;
            default: throw new ArgumentOutOfRangeException(nameof(function), function, null);
        }
    }
}
