using TensorCompress.Storage;

namespace TensorCompress.Models;

/// <summary>Mistral (Jiang et al. 2023): LLaMA with a sliding window in every layer.</summary>
internal sealed class Mistral : IArchitecture
{
    public string ModelType => "mistral";

    public ModelDefinition Define(ModelConfiguration configuration, IReadOnlyDictionary<string, TensorInfo> tensors)
    {
        var family = new LlamaFamily(configuration);
        int?[] windows = Configurations.Windows(configuration, family.Layers, _ => true);
        family.Window = layer => windows[layer];
        return family.Build();
    }
}
