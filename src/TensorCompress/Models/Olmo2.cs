using System.Text.Json.Nodes;
using TensorCompress.Layers;
using TensorCompress.Models.Gguf;
using TensorCompress.Storage;

namespace TensorCompress.Models;

/// <summary>OLMo 2 (OLMo team 2024): norms after attention and feed-forward layer instead of before, normalised queries and keys over all heads.</summary>
internal sealed class Olmo2 : IArchitecture, IGgufArchitecture
{
    public string ModelType => "olmo2";

    public string GgufArchitecture => "olmo2";

    public GgufNames GgufNames { get; } = GgufFamily.Names(
        [.. GgufFamily.Projections, new("post_attention_norm", "post_attention_layernorm"), new("post_ffw_norm", "post_feedforward_layernorm")]);

    public ModelDefinition Define(ModelConfiguration configuration, IReadOnlyDictionary<string, TensorInfo> tensors)
    {
        bool bias = configuration.Flag("attention_bias", false);
        return new LlamaFamily(configuration)
        {
            QueryKeyValueBias = bias,
            OutputBias = bias,
            QueryKeyNorm = QueryKeyNorm.Width,
            NormNames = (null, "post_attention_layernorm", null, "post_feedforward_layernorm"),
        }.Build();
    }

    public JsonObject CreateConfiguration(GgufModelMetadata metadata)
    {
        if (metadata.DimensionOrNone("attention.sliding_window") is { } window) throw metadata.Unsupported("attention.sliding_window", $"{window}", "none (OLMo 2; OLMo 3 has windows)");
        JsonObject configuration = GgufFamily.Configuration(metadata, ModelType, "Olmo2ForCausalLM");
        configuration["attention_bias"] = metadata.HasTensor("blk.0.attn_q.bias");
        return configuration;
    }

    public void Export(GgufExport export)
    {
        export.RequireActivation(ActivationFunction.Silu);
        export.RepeatsTiedHead = true;
        GgufFamily.Export(export);
    }
}
