using System.Text.Json.Nodes;
using TensorCompress.Layers;
using TensorCompress.Models.Gguf;
using TensorCompress.Storage;

namespace TensorCompress.Models;

/// <summary>Mistral (Jiang et al. 2023): LLaMA with a sliding window in every layer. In GGUF files it has LLaMA's name, and <see cref="Llama"/> reads it.</summary>
internal sealed class Mistral : IArchitecture, IGgufArchitecture
{
    private static readonly Llama Base = new();

    public string ModelType => "mistral";

    public string GgufArchitecture => Base.GgufArchitecture;

    public GgufNames GgufNames => Base.GgufNames;

    public ModelDefinition Define(ModelConfiguration configuration, IReadOnlyDictionary<string, TensorInfo> tensors)
    {
        var family = new LlamaFamily(configuration);
        int?[] windows = Configurations.Windows(configuration, family.Layers, _ => true);
        family.Window = layer => windows[layer];
        return family.Build();
    }

    public JsonObject CreateConfiguration(GgufModelMetadata metadata) => Base.CreateConfiguration(metadata);

    public void Export(GgufExport export)
    {
        export.RequireActivation(ActivationFunction.Silu);
        GgufFamily.Export(export, takesFactors: true);
        GgufFamily.ExportWindows(export, 0, isIgnored: true);
    }
}
