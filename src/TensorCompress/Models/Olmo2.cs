using TensorCompress.Storage;

namespace TensorCompress.Models;

/// <summary>OLMo 2 (OLMo team 2024): norms after attention and feed-forward layer instead of before, normalised queries and keys over all heads.</summary>
internal sealed class Olmo2 : IArchitecture
{
    public string ModelType => "olmo2";

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
}
