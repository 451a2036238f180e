using TensorCompress.Storage;

namespace TensorCompress.Models;

/// <summary>Qwen2 and Qwen2.5 (Yang et al. 2024): LLaMA with biases on queries, keys and values, and sliding windows in the upper layers where they are switched on.</summary>
internal sealed class Qwen2 : IArchitecture
{
    public string ModelType => "qwen2";

    public ModelDefinition Define(ModelConfiguration configuration, IReadOnlyDictionary<string, TensorInfo> tensors)
    {
        var family = new LlamaFamily(configuration) { QueryKeyValueBias = true };
        SetWindows(family, configuration);
        return family.Build();
    }

    /// <summary>Layers from <c>max_window_layers</c> on slide when <c>use_sliding_window</c> is set.</summary>
    internal static void SetWindows(LlamaFamily family, ModelConfiguration configuration)
    {
        if (!configuration.Flag("use_sliding_window", false)) return;
        int full = configuration.OptionalDimension("max_window_layers") ?? 28;
        int?[] windows = Configurations.Windows(configuration, family.Layers, layer => layer >= full);
        family.Window = layer => windows[layer];
    }
}
