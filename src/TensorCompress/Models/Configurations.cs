using TensorCompress.Layers;

namespace TensorCompress.Models;

/// <summary>Readings of configuration values that several architectures share.</summary>
internal static class Configurations
{
    // Name in configurations -> function. "gelu" is the exact one, the other spellings its tanh approximation.
    private static readonly (string Name, ActivationFunction Function)[] Activations =
    [
        ("silu", ActivationFunction.Silu), ("swish", ActivationFunction.Silu),
        ("gelu", ActivationFunction.GeluErf), ("gelu_new", ActivationFunction.GeluTanh), ("gelu_pytorch_tanh", ActivationFunction.GeluTanh), ("gelu_fast", ActivationFunction.GeluTanh),
        ("relu", ActivationFunction.Relu),
    ];

    /// <summary>The activation function; unknown names are refused.</summary>
    public static ActivationFunction Activation(ModelConfiguration configuration, string fallback, string key)
    {
        string name = configuration.Text(key) ?? fallback;
        foreach ((string known, ActivationFunction function) in Activations)
        {
            if (known == name) return function;
        }

        throw configuration.Unsupported(key, name, string.Join(", ", Activations.Select(entry => entry.Name)));
    }
}
