using TensorCompress.Storage;

namespace TensorCompress.Models;

/// <summary>Qwen3 (Yang et al. 2025): LLaMA with normalised queries and keys, head by head.</summary>
internal sealed class Qwen3 : IArchitecture
{
    public string ModelType => "qwen3";

    public ModelDefinition Define(ModelConfiguration configuration, IReadOnlyDictionary<string, TensorInfo> tensors)
    {
        bool bias = configuration.Flag("attention_bias", false);
        var family = new LlamaFamily(configuration) { QueryKeyNorm = QueryKeyNorm.Head, QueryKeyValueBias = bias, OutputBias = bias };
        Qwen2.SetWindows(family, configuration);
        return family.Build();
    }
}
