using TensorCompress.Storage;

namespace TensorCompress.Models;

/// <summary>Phi-3 (Abdin et al. 2024): LLaMA with one matrix for queries, keys and values, one for gate and up, and partly turned heads.</summary>
internal sealed class Phi3 : IArchitecture
{
    public string ModelType => "phi3";

    public ModelDefinition Define(ModelConfiguration configuration, IReadOnlyDictionary<string, TensorInfo> tensors)
    {
        var family = new LlamaFamily(configuration) { IsFused = true };
        int?[] windows = Configurations.Windows(configuration, family.Layers, _ => true);
        family.Window = layer => windows[layer];
        return family.Build();
    }
}
