using TensorCompress.Storage;

namespace TensorCompress.Models;

/// <summary>Granite 3 (IBM 2024): LLaMA with factors on embedding, attention scores, residual additions and logits.</summary>
internal sealed class Granite : IArchitecture
{
    public string ModelType => "granite";

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
}
