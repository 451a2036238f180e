using System.Text.Json.Nodes;
using TensorCompress.Layers;
using TensorCompress.Models.Gguf;
using TensorCompress.Storage;

namespace TensorCompress.Models;

/// <summary>Phi-3 (Abdin et al. 2024): LLaMA with one matrix for queries, keys and values, one for gate and up, and partly turned heads.</summary>
internal sealed class Phi3 : IArchitecture, IGgufArchitecture
{
    public string ModelType => "phi3";

    public string GgufArchitecture => "phi3";

    public GgufNames GgufNames { get; } = GgufFamily.Names(
    [
        new("attn_norm", "input_layernorm"), new("attn_qkv", "self_attn.qkv_proj"), new("attn_output", "self_attn.o_proj"),
        new("ffn_norm", "post_attention_layernorm"), new("ffn_up", "mlp.gate_up_proj"), new("ffn_down", "mlp.down_proj"),
    ]);

    public ModelDefinition Define(ModelConfiguration configuration, IReadOnlyDictionary<string, TensorInfo> tensors)
    {
        if (configuration.Flag("attention_bias", false)) throw configuration.Unsupported("attention_bias", "true", "false");
        var family = new LlamaFamily(configuration) { IsFused = true };
        int?[] windows = Configurations.Windows(configuration, family.Layers, _ => true);
        family.Window = layer => windows[layer];
        return family.Build();
    }

    public JsonObject CreateConfiguration(GgufModelMetadata metadata)
    {
        JsonObject configuration = GgufFamily.Configuration(metadata, ModelType, "Phi3ForCausalLM", isPartlyTurned: true);
        configuration["original_max_position_embeddings"] = metadata.OptionalDimension("rope.scaling.original_context_length") ?? metadata.Dimension("context_length");
        configuration["sliding_window"] = metadata.DimensionOrNone("attention.sliding_window");
        return configuration;
    }

    public void Export(GgufExport export)
    {
        export.RequireActivation(ActivationFunction.Silu);
        GgufFamily.Export(export);
        // Readers tell Phi-3 from Phi-4 by the key, not by its value.
        if (export.Attention.Window is null) export.Integer("attention.sliding_window", 0);
        GgufFamily.ExportWindows(export, 0, isIgnored: true);
    }
}
