using System.Text.Json.Nodes;
using TensorCompress.Layers;
using TensorCompress.Models.Gguf;
using TensorCompress.Storage;

namespace TensorCompress.Models;

/// <summary>Qwen3 (Yang et al. 2025): LLaMA with normalised queries and keys, head by head.</summary>
internal sealed class Qwen3 : IArchitecture, IGgufArchitecture
{
    public string ModelType => "qwen3";

    public string GgufArchitecture => "qwen3";

    public GgufNames GgufNames => GgufFamily.InOrder;

    public ModelDefinition Define(ModelConfiguration configuration, IReadOnlyDictionary<string, TensorInfo> tensors)
    {
        bool bias = configuration.Flag("attention_bias", false);
        var family = new LlamaFamily(configuration, defaultHeadDimension: 128) { QueryKeyNorm = QueryKeyNorm.Head, QueryKeyValueBias = bias, OutputBias = bias };
        Qwen2.SetWindows(family, configuration);
        return family.Build();
    }

    public JsonObject CreateConfiguration(GgufModelMetadata metadata)
    {
        JsonObject configuration = GgufFamily.Configuration(metadata, ModelType, "Qwen3ForCausalLM");
        GgufFamily.ReadBiases(metadata, configuration);
        Qwen2.ReadWindows(metadata, configuration);
        return configuration;
    }

    public void Export(GgufExport export)
    {
        export.RequireActivation(ActivationFunction.Silu);
        GgufFamily.Export(export);
        GgufFamily.ExportWindows(export, 0, isIgnored: true);
    }
}
