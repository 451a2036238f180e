using System.Text.Json.Nodes;
using TensorCompress.Layers;
using TensorCompress.Models.Gguf;
using TensorCompress.Storage;

namespace TensorCompress.Models;

/// <summary>Qwen2 and Qwen2.5 (Yang et al. 2024): LLaMA with biases on queries, keys and values, and sliding windows in the upper layers where they are switched on.</summary>
internal sealed class Qwen2 : IArchitecture, IGgufArchitecture
{
    public string ModelType => "qwen2";

    public string GgufArchitecture => "qwen2";

    public GgufNames GgufNames => GgufFamily.InOrder;

    public ModelDefinition Define(ModelConfiguration configuration, IReadOnlyDictionary<string, TensorInfo> tensors)
    {
        var family = new LlamaFamily(configuration) { QueryKeyValueBias = true };
        SetWindows(family, configuration);
        return family.Build();
    }

    public JsonObject CreateConfiguration(GgufModelMetadata metadata)
    {
        JsonObject configuration = GgufFamily.Configuration(metadata, ModelType, "Qwen2ForCausalLM");
        ReadWindows(metadata, configuration);
        return configuration;
    }

    public void Export(GgufExport export)
    {
        export.RequireActivation(ActivationFunction.Silu);
        GgufFamily.Export(export);
        GgufFamily.ExportWindows(export, 0, isIgnored: true);
    }

    /// <summary>Layers from <c>max_window_layers</c> on slide when <c>use_sliding_window</c> is set.</summary>
    internal static void SetWindows(LlamaFamily family, ModelConfiguration configuration)
    {
        if (!configuration.Flag("use_sliding_window", false)) return;
        int full = configuration.OptionalCount("max_window_layers") ?? 28;
        int?[] windows = Configurations.Windows(configuration, family.Layers, layer => layer >= full);
        family.Window = layer => windows[layer];
    }

    /// <summary>The same from GGUF metadata.</summary>
    internal static void ReadWindows(GgufModelMetadata metadata, JsonObject configuration) =>
        configuration["use_sliding_window"] = GgufFamily.ReadWindows(metadata, configuration, metadata.DimensionOrNone("attention.sliding_window"), 0);
}
