using System.Text.Json.Nodes;
using TensorCompress.Layers;
using TensorCompress.Models.Gguf;
using TensorCompress.Storage;

namespace TensorCompress.Models;

/// <summary>Granite 3 (IBM 2024): LLaMA with factors on embedding, attention scores, residual additions and logits.</summary>
internal sealed class Granite : IArchitecture, IGgufArchitecture
{
    public string ModelType => "granite";

    public string GgufArchitecture => "granite";

    public GgufNames GgufNames => GgufFamily.Rotated;

    public ModelDefinition Define(ModelConfiguration configuration, IReadOnlyDictionary<string, TensorInfo> tensors)
    {
        bool bias = configuration.Flag("attention_bias", false);
        return new LlamaFamily(configuration)
        {
            QueryKeyValueBias = bias,
            OutputBias = bias,
            FeedForwardBias = configuration.Flag("mlp_bias", false),
            EmbeddingScale = (float)configuration.PositiveNumber(1.0, "embedding_multiplier"),
            Scale = (float)configuration.PositiveNumber(1.0, "attention_multiplier"),
            ResidualScale = (float)configuration.PositiveNumber(1.0, "residual_multiplier"),
            LogitScale = (float)(1.0 / configuration.PositiveNumber(1.0, "logits_scaling")),
        }.Build();
    }

    public JsonObject CreateConfiguration(GgufModelMetadata metadata)
    {
        JsonObject configuration = GgufFamily.Configuration(metadata, ModelType, "GraniteForCausalLM");
        GgufFamily.ReadBiases(metadata, configuration);
        configuration["embedding_multiplier"] = metadata.PositiveNumber("embedding_scale", 1);
        configuration["attention_multiplier"] = metadata.OptionalNumber("attention.scale") ?? 1 / Math.Sqrt(configuration["head_dim"]!.GetValue<int>());
        configuration["residual_multiplier"] = metadata.PositiveNumber("residual_scale", 1);
        configuration["logits_scaling"] = metadata.PositiveNumber("logit_scale");
        return configuration;
    }

    public void Export(GgufExport export)
    {
        export.RequireActivation(ActivationFunction.Silu);
        GgufFamily.Export(export, takesFactors: true);
        export.Number("embedding_scale", export.Definition.EmbeddingScale);
        export.Number("attention.scale", export.Attention.Scale);
        export.Number("residual_scale", export.Definition.Blocks[0].ResidualScale);
        export.Number("logit_scale", 1.0 / export.Definition.LogitScale);
    }
}
