using System.Text.Json.Nodes;
using TensorCompress.Layers;
using TensorCompress.Models.Gguf;
using TensorCompress.Storage;

namespace TensorCompress.Models;

/// <summary>LLaMA (Touvron et al. 2023): pre-norm RMSNorm, rotary embedding, grouped-query attention, SwiGLU.</summary>
internal sealed class Llama : IArchitecture, IGgufArchitecture
{
    public string ModelType => "llama";

    public string GgufArchitecture => "llama";

    public GgufNames GgufNames => GgufFamily.Rotated;

    public ModelDefinition Define(ModelConfiguration configuration, IReadOnlyDictionary<string, TensorInfo> tensors)
    {
        bool attentionBias = configuration.Flag("attention_bias", false);
        return new LlamaFamily(configuration)
        {
            QueryKeyValueBias = attentionBias,
            OutputBias = attentionBias,
            FeedForwardBias = configuration.Flag("mlp_bias", false),
        }.Build();
    }

    public JsonObject CreateConfiguration(GgufModelMetadata metadata)
    {
        // Mistral's models have LLaMA's name in GGUF; a window tells them.
        JsonObject configuration = metadata.DimensionOrNone("attention.sliding_window") is { } window
            ? GgufFamily.Configuration(metadata, "mistral", "MistralForCausalLM")
            : GgufFamily.Configuration(metadata, ModelType, "LlamaForCausalLM");
        if (metadata.OptionalDimension("expert_count") is { } experts) throw metadata.Unsupported("expert_count", $"{experts}", "none");
        if (GgufFamily.ReadWindows(metadata, configuration, metadata.DimensionOrNone("attention.sliding_window"), 0)) return configuration;
        GgufFamily.ReadBiases(metadata, configuration);
        return configuration;
    }

    public void Export(GgufExport export)
    {
        export.RequireActivation(ActivationFunction.Silu);
        GgufFamily.Export(export, takesFactors: true);
    }
}
