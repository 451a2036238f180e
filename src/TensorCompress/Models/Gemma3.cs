using System.Text.Json.Nodes;
using TensorCompress.Layers;
using TensorCompress.Models.Gguf;
using TensorCompress.Storage;

namespace TensorCompress.Models;

/// <summary>Gemma 3, the text model (Gemma team 2025): Gemma 2 with normalised queries and keys instead of bounded scores; sliding layers turn with a base of their own.</summary>
internal sealed class Gemma3 : IArchitecture, IGgufArchitecture
{
    private const int Period = 6;
    private const int BlocksOfLargest = 62;
    private const double FullTheta = 1_000_000.0;
    private const double SlidingTheta = 10_000.0;

    public string ModelType => "gemma3_text";

    public string GgufArchitecture => "gemma3";

    public GgufNames GgufNames { get; } = Gemma2.Names(QueryKeyNorm.Head);

    public ModelDefinition Define(ModelConfiguration configuration, IReadOnlyDictionary<string, TensorInfo> tensors)
    {
        LlamaFamily family = Gemma2.Begin(configuration);
        family.QueryKeyNorm = QueryKeyNorm.Head;
        int pattern = configuration.OptionalDimension("sliding_window_pattern", "_sliding_window_pattern") ?? Period;
        int?[] windows = Configurations.Windows(configuration, family.Layers, layer => (layer + 1) % pattern != 0);
        family.Window = layer => windows[layer];

        // Transformers 5 nests the rotary parameters by kind of layer; transformers 4 has a second base for the sliding layers and scales only the others.
        ModelConfiguration? parameters = configuration.Section("rope_parameters");
        RotaryDefinition full = Rotary(parameters?.Section("full_attention") ?? configuration.Section("rope_scaling"), configuration.PositiveNumber(FullTheta, "rope_theta"));
        RotaryDefinition sliding = Rotary(parameters?.Section("sliding_attention"), configuration.PositiveNumber(SlidingTheta, "rope_local_base_freq"));
        family.Rotary = layer => windows[layer] is null ? full : sliding;
        return family.Build();

        RotaryDefinition Rotary(ModelConfiguration? section, double theta) => Configurations.Rotary(configuration, section, family.HeadDimension, theta);
    }

    public JsonObject CreateConfiguration(GgufModelMetadata metadata)
    {
        JsonObject configuration = GgufFamily.Configuration(metadata, ModelType, "Gemma3ForCausalLM", theta: FullTheta);
        Gemma2.Complete(metadata, configuration, BlocksOfLargest);
        configuration["rope_local_base_freq"] = metadata.PositiveNumber("rope.freq_base_swa", SlidingTheta);
        if (metadata.OptionalNumber("final_logit_softcapping") is { } cap) configuration["final_logit_softcapping"] = cap;
        if (!GgufFamily.ReadWindows(metadata, configuration, metadata.DimensionOrNone("attention.sliding_window"), Period)) configuration["sliding_window_pattern"] = 1;
        return configuration;
    }

    public void Export(GgufExport export)
    {
        if (export.Attention.ScoreCap is not null) throw export.Refuse("readers do not bound scores");
        if (export.Definition.LogitCap is { } cap) export.Number("final_logit_softcapping", cap);
        export.RequireActivation(ActivationFunction.GeluTanh);
        GgufFamily.Export(export);
        RotaryDefinition? sliding = export.Definition.Blocks.FirstOrDefault(block => block.Attention.Window is not null)?.Attention.Rotary;
        if (sliding is { Scaling: not null }) throw export.Refuse("readers do not stretch the rotary embedding of sliding layers");
        if (sliding is not null) export.Number("rope.freq_base_swa", sliding.Theta);
        GgufFamily.ExportWindows(export, Period);
        // Behind the norm of the queries, because the norm would undo a factor before it.
        Gemma2.FoldScale(export, BlocksOfLargest, block => block.Attention.QueryNorm!.WeightName);
    }
}
