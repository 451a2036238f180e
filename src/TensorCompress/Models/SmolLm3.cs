using TensorCompress.Storage;

namespace TensorCompress.Models;

/// <summary>SmolLM3: LLaMA whose every n-th layer has no rotary embedding.</summary>
internal sealed class SmolLm3 : IArchitecture
{
    public string ModelType => "smollm3";

    public ModelDefinition Define(ModelConfiguration configuration, IReadOnlyDictionary<string, TensorInfo> tensors)
    {
        bool bias = configuration.Flag("attention_bias", false);
        var family = new LlamaFamily(configuration)
        {
            QueryKeyValueBias = bias,
            OutputBias = bias,
            FeedForwardBias = configuration.Flag("mlp_bias", false),
            IsTiedByDefault = true,
        };
        Qwen2.SetWindows(family, configuration);
        // 1 in the list means that the layer turns.
        IReadOnlyList<int>? turned = configuration.Integers("no_rope_layers");
        int interval = configuration.OptionalDimension("no_rope_layer_interval") ?? 4;
        if (turned is not null && turned.Count != family.Layers)
            throw configuration.Fault(TensorFormatError.Inconsistent, $"\"no_rope_layers\" lists {turned.Count} layers, the model has {family.Layers}");
        Func<int, RotaryDefinition?> rotary = family.Rotary;
        family.Rotary = layer => (turned is null ? (layer + 1) % interval != 0 : turned[layer] != 0) ? rotary(layer) : null;
        return family.Build();
    }
}
