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
}
