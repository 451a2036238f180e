using TensorCompress.Layers;
using TensorCompress.Storage;

namespace TensorCompress.Models;

/// <summary>Readings of configuration values that several architectures share.</summary>
internal static class Configurations
{
    // Name in configurations -> function. "gelu" is the exact one, the other spellings its tanh approximation.
    private static readonly (string Name, ActivationFunction Function)[] Activations =
    [
        ("silu", ActivationFunction.Silu), ("swish", ActivationFunction.Silu),
        ("gelu", ActivationFunction.GeluErf), ("gelu_python", ActivationFunction.GeluErf), ("gelu_new", ActivationFunction.GeluTanh), ("gelu_pytorch_tanh", ActivationFunction.GeluTanh), ("gelu_fast", ActivationFunction.GeluTanh),
        ("gelu_accurate", ActivationFunction.GeluTanh), ("gelu_python_tanh", ActivationFunction.GeluTanh),
        ("relu", ActivationFunction.Relu),
    ];

    /// <summary>The activation function; unknown names are refused.</summary>
    public static ActivationFunction Activation(ModelConfiguration configuration, string fallback, params ReadOnlySpan<string> keys)
    {
        string name = configuration.Text(keys) ?? fallback;
        foreach ((string known, ActivationFunction function) in Activations)
        {
            if (known == name) return function;
        }

        throw configuration.Unsupported(keys[0], name, string.Join(", ", Activations.Select(entry => entry.Name)));
    }

    /// <summary>Refuses heads that no tensor could back.</summary>
    /// <exception cref="TensorFormatException">A head, or all of them together, have more channels than are believed.</exception>
    public static void CheckHeads(ModelConfiguration configuration, int heads, int headDimension)
    {
        if (headDimension > ModelConfiguration.MaxHeadDimension || (long)heads * headDimension > ModelConfiguration.MaxDimension)
            throw configuration.Fault(
                TensorFormatError.Value, $"{heads} heads of {headDimension} channels; at most {ModelConfiguration.MaxHeadDimension} a head and {ModelConfiguration.MaxDimension} together are read");
    }

    /// <summary>
    /// The rotary embedding of all layers. Transformers 4 writes <c>rope_theta</c>, <c>rope_scaling</c> and a share of turned channels side by side, transformers 5 one object
    /// <c>rope_parameters</c>.
    /// </summary>
    public static RotaryDefinition Rotary(ModelConfiguration configuration, int headDimension, double defaultTheta = 10000.0) =>
        Rotary(configuration, configuration.Section("rope_parameters") ?? configuration.Section("rope_scaling"), headDimension, configuration.PositiveNumber(defaultTheta, "rope_theta", "rotary_emb_base"));

    /// <summary>A rotary embedding by its section of the configuration.</summary>
    /// <param name="configuration">The whole configuration.</param>
    /// <param name="section">The object with type and factors; null for the plain one.</param>
    /// <param name="headDimension">Channels of a head.</param>
    /// <param name="theta">Base where the section has none.</param>
    public static RotaryDefinition Rotary(ModelConfiguration configuration, ModelConfiguration? section, int headDimension, double theta)
    {
        theta = section?.PositiveNumber(theta, "rope_theta") ?? theta;
        double share = section?.PositiveNumber(0, "partial_rotary_factor") is > 0 and { } own ? own : configuration.PositiveNumber(1.0, "partial_rotary_factor", "rotary_pct");
        var turned = (int)(headDimension * share);
        if (turned < 2 || turned > headDimension || turned % 2 != 0)
            throw configuration.Fault(TensorFormatError.Value, $"{turned} of {headDimension} channels of a head would turn; an even number from 2 is required");
        float[] plain = RotaryFrequencies.Plain(turned, theta);
        string type = section?.Text("rope_type", "type") ?? "default";
        switch (type)
        {
            case "default": return new RotaryDefinition(plain) { Theta = theta };
            case "linear":
                double stretch = Required(section!, "factor");
                return new RotaryDefinition(RotaryFrequencies.Linear(plain, stretch)) { Theta = theta, Scaling = new(type, stretch) };
            // Plain up to the context of the model; longer texts, for which it would change with the length, do not fit into a session.
            case "dynamic": return new RotaryDefinition(plain) { Theta = theta, Scaling = new(type, section!.PositiveNumber(1, "factor")) };
            case "llama3": return Llama3(configuration, section!, plain, theta);
            case "yarn": return Yarn(configuration, section!, plain, theta);
            default: throw configuration.Unsupported("rope_type", type, "default, linear, dynamic, llama3, yarn");
        }
    }

    /// <summary>The window of each layer: by <c>layer_types</c>, or by a rule of the architecture where the configuration lists none.</summary>
    /// <param name="configuration">The configuration.</param>
    /// <param name="layers">Number of layers.</param>
    /// <param name="slidesByRule">Whether a layer slides where nothing is listed.</param>
    public static int?[] Windows(ModelConfiguration configuration, int layers, Func<int, bool> slidesByRule)
    {
        int? window = configuration.OptionalDimension("sliding_window");
        IReadOnlyList<string>? types = configuration.Texts("layer_types");
        if (types is not null && types.Count != layers) throw configuration.Fault(TensorFormatError.Inconsistent, $"\"layer_types\" lists {types.Count} layers, the model has {layers}");
        return [.. Enumerable.Range(0, layers).Select(layer => Slides(layer) ? window : null)];

        bool Slides(int layer) => types is null ? slidesByRule(layer) : types[layer] switch
        {
            "sliding_attention" => true,
            "full_attention" => false,
            string other => throw configuration.Unsupported("layer_types", other, "sliding_attention, full_attention"),
        };
    }

    private static RotaryDefinition Llama3(ModelConfiguration configuration, ModelConfiguration section, float[] plain, double theta)
    {
        double factor = Required(section, "factor"), low = Required(section, "low_freq_factor"), high = Required(section, "high_freq_factor");
        if (high <= low) throw section.Fault(TensorFormatError.Value, $"\"high_freq_factor\" is {high}, not more than \"low_freq_factor\", {low}");
        double context = OriginalContext(configuration, section);
        return new RotaryDefinition(RotaryFrequencies.Llama3(plain, factor, low, high, context)) { Theta = theta, Scaling = new("llama3", factor) { OriginalContext = context } };
    }

    private static RotaryDefinition Yarn(ModelConfiguration configuration, ModelConfiguration section, float[] plain, double theta)
    {
        double original = OriginalContext(configuration, section), stated = section.PositiveNumber(0, "factor");
        // Where no factor is given it is what the context has grown by.
        var scaling = new RotaryScaling("yarn", stated > 0 ? stated : Math.Max(1, configuration.Dimension("max_position_embeddings") / original))
        {
            OriginalContext = original,
            BetaFast = section.PositiveNumber(32, "beta_fast"),
            BetaSlow = section.PositiveNumber(1, "beta_slow"),
            Truncates = section.Flag("truncate", true),
        };
        double factor = scaling.Factor;
        float[] frequencies = RotaryFrequencies.Yarn(plain, theta, factor, scaling.OriginalContext, scaling.BetaFast, scaling.BetaSlow, scaling.Truncates);
        double Magnitude(double scale) => factor <= 1 ? 1 : 0.1 * scale * Math.Log(factor) + 1;
        double given = section.PositiveNumber(0, "attention_factor"), scale = section.PositiveNumber(0, "mscale"), all = section.PositiveNumber(0, "mscale_all_dim");
        double magnitude = given > 0 ? given : scale > 0 && all > 0 ? Magnitude(scale) / Magnitude(all) : Magnitude(1);
        return new RotaryDefinition(frequencies, Magnitude: (float)magnitude) { Theta = theta, Scaling = scaling };
    }

    private static double OriginalContext(ModelConfiguration configuration, ModelConfiguration section) =>
        section.OptionalDimension("original_max_position_embeddings") ?? configuration.OptionalDimension("original_max_position_embeddings") ?? configuration.Dimension("max_position_embeddings");

    private static double Required(ModelConfiguration section, string key)
    {
        double value = section.PositiveNumber(0, key);
        return value > 0 ? value : throw section.Fault(TensorFormatError.Structure, $"\"{key}\" is missing");
    }
}
