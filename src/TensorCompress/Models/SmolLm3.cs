using System.Text.Json.Nodes;
using TensorCompress.Layers;
using TensorCompress.Models.Gguf;
using TensorCompress.Storage;

namespace TensorCompress.Models;

/// <summary>SmolLM3: LLaMA whose every n-th layer has no rotary embedding.</summary>
internal sealed class SmolLm3 : IArchitecture, IGgufArchitecture
{
    private const int UsualInterval = 4;
    private const string GgufPattern = "attention.rope_pattern";

    public string ModelType => "smollm3";

    public string GgufArchitecture => "smollm3";

    public GgufNames GgufNames => GgufFamily.Rotated;

    public ModelDefinition Define(ModelConfiguration configuration, IReadOnlyDictionary<string, TensorInfo> tensors)
    {
        bool bias = configuration.Flag("attention_bias", false);
        var family = new LlamaFamily(configuration, defaultTheta: 2_000_000.0)
        {
            QueryKeyValueBias = bias,
            OutputBias = bias,
            FeedForwardBias = configuration.Flag("mlp_bias", false),
            IsTiedByDefault = true,
        };
        Qwen2.SetWindows(family, configuration);
        // 1 in the list means that the layer turns.
        IReadOnlyList<int>? turned = configuration.Integers("no_rope_layers");
        int interval = configuration.OptionalDimension("no_rope_layer_interval") ?? UsualInterval;
        if (turned is not null && turned.Count != family.Layers)
            throw configuration.Fault(TensorFormatError.Inconsistent, $"\"no_rope_layers\" lists {turned.Count} layers, the model has {family.Layers}");
        Func<int, RotaryDefinition?> rotary = family.Rotary;
        family.Rotary = layer => (turned is null ? (layer + 1) % interval != 0 : turned[layer] != 0) ? rotary(layer) : null;
        return family.Build();
    }

    public JsonObject CreateConfiguration(GgufModelMetadata metadata)
    {
        JsonObject configuration = GgufFamily.Configuration(metadata, ModelType, "SmolLM3ForCausalLM");
        GgufFamily.ReadBiases(metadata, configuration);
        Qwen2.ReadWindows(metadata, configuration);
        IEnumerable<bool> turned = metadata.FlagsOfBlocks(GgufPattern) ?? Enumerable.Range(0, metadata.BlockCount).Select(TurnsUsually);
        configuration["no_rope_layers"] = new JsonArray([.. turned.Select(flag => (JsonNode)(flag ? 1 : 0))]);
        return configuration;
    }

    public void Export(GgufExport export)
    {
        export.RequireActivation(ActivationFunction.Silu);
        GgufFamily.Export(export);
        GgufFamily.ExportWindows(export, 0, isIgnored: true);
        bool[] turned = [.. export.Definition.Blocks.Select(block => block.Attention.Rotary is not null)];
        if (turned.Where((flag, block) => flag == TurnsUsually(block)).Count() == turned.Length) return;
        export.Flags(GgufPattern, turned);
        export.Warnings.Add($"llama.cpp leaves the rotary embedding out in every block {UsualInterval}, whatever the file says; this model leaves it out in others, and gives other results there");
    }

    private static bool TurnsUsually(int block) => (block + 1) % UsualInterval != 0;
}
