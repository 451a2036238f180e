using TensorCompress.Storage;

namespace TensorCompress.Models;

/// <summary>Gemma 3, the text model (Gemma team 2025): Gemma 2 with normalised queries and keys instead of bounded scores; sliding layers turn with a base of their own.</summary>
internal sealed class Gemma3 : IArchitecture
{
    public string ModelType => "gemma3_text";

    public ModelDefinition Define(ModelConfiguration configuration, IReadOnlyDictionary<string, TensorInfo> tensors)
    {
        LlamaFamily family = Gemma2.Begin(configuration);
        family.QueryKeyNorm = QueryKeyNorm.Head;
        int pattern = configuration.OptionalDimension("sliding_window_pattern", "_sliding_window_pattern") ?? 6;
        int?[] windows = Configurations.Windows(configuration, family.Layers, layer => (layer + 1) % pattern != 0);
        family.Window = layer => windows[layer];

        // Transformers 5 nests the rotary parameters by kind of layer; transformers 4 has a second base for the sliding layers and scales only the others.
        ModelConfiguration? parameters = configuration.Section("rope_parameters");
        RotaryDefinition full = Rotary(parameters?.Section("full_attention") ?? configuration.Section("rope_scaling"), configuration.PositiveNumber(1_000_000.0, "rope_theta"));
        RotaryDefinition sliding = Rotary(parameters?.Section("sliding_attention"), configuration.PositiveNumber(10_000.0, "rope_local_base_freq"));
        family.Rotary = layer => windows[layer] is null ? full : sliding;
        return family.Build();

        RotaryDefinition Rotary(ModelConfiguration? section, double theta) => Configurations.Rotary(configuration, section, family.HeadDimension, theta);
    }
}
