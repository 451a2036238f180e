using System.Text.Json.Nodes;
using TensorCompress.Layers;
using TensorCompress.Models.Gguf;
using TensorCompress.Storage;

namespace TensorCompress.Models;

/// <summary>Gemma 2 (Gemma team 2024): four norms a block whose stored gain is one less, scaled embedding, bounded scores and logits, every other layer slides.</summary>
internal sealed class Gemma2 : IArchitecture, IGgufArchitecture
{
    private const int GgufPeriod = 2;

    // The model of 27 billion parameters is the one whose queries GGUF readers scale by its hidden size, not by its heads.
    private const int BlocksOfLargest = 46;

    public string ModelType => "gemma2";

    public string GgufArchitecture => "gemma2";

    public GgufNames GgufNames { get; } = Names(QueryKeyNorm.None);

    public ModelDefinition Define(ModelConfiguration configuration, IReadOnlyDictionary<string, TensorInfo> tensors)
    {
        LlamaFamily family = Begin(configuration);
        int?[] windows = Configurations.Windows(configuration, family.Layers, layer => layer % 2 == 0);
        family.Window = layer => windows[layer];
        return family.Build();
    }

    public JsonObject CreateConfiguration(GgufModelMetadata metadata)
    {
        JsonObject configuration = GgufFamily.Configuration(metadata, ModelType, "Gemma2ForCausalLM");
        Complete(metadata, configuration, BlocksOfLargest);
        configuration["attn_logit_softcapping"] = metadata.PositiveNumber("attn_logit_softcapping", 50);
        configuration["final_logit_softcapping"] = metadata.PositiveNumber("final_logit_softcapping", 30);
        GgufFamily.ReadWindows(metadata, configuration, metadata.OptionalDimension("attention.sliding_window") ?? 4096, GgufPeriod);
        return configuration;
    }

    public void Export(GgufExport export)
    {
        if (export.Definition.Head is not null) throw export.Refuse("readers take the embedding for the head, the model has a head of its own");
        if (export.Attention.ScoreCap is not { } scores || export.Definition.LogitCap is not { } logits) throw export.Refuse("readers bound scores and logits, the model does not");
        export.RequireActivation(ActivationFunction.GeluTanh);
        GgufFamily.Export(export);
        export.Number("attn_logit_softcapping", scores);
        export.Number("final_logit_softcapping", logits);
        GgufFamily.ExportWindows(export, GgufPeriod);
        FoldScale(export, BlocksOfLargest, block => block.Attention.Projections[0].WeightName);
    }

    /// <summary>What Gemma 2 and 3 share.</summary>
    internal static LlamaFamily Begin(ModelConfiguration configuration)
    {
        bool bias = configuration.Flag("attention_bias", false);
        if (configuration.Flag("use_bidirectional_attention", false)) throw configuration.Unsupported("use_bidirectional_attention", "true", "false");
        var family = new LlamaFamily(configuration, defaultHeadDimension: 256)
        {
            QueryKeyValueBias = bias,
            OutputBias = bias,
            Activation = Configurations.Activation(configuration, "gelu_pytorch_tanh", "hidden_activation"),
            IsGainOffset = true,
            IsTiedByDefault = true,
            NormNames = ("input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm", "post_feedforward_layernorm"),
            ScoreCap = OptionalNumber(configuration, "attn_logit_softcapping"),
            LogitCap = OptionalNumber(configuration, "final_logit_softcapping"),
        };
        family.EmbeddingScale = MathF.Sqrt(family.Hidden);
        family.Scale = 1f / MathF.Sqrt((float)configuration.PositiveNumber(256, "query_pre_attn_scalar"));
        return family;
    }

    /// <summary>GGUF names of Gemma 2 and 3: gains are stored as the factors themselves.</summary>
    internal static GgufNames Names(QueryKeyNorm norms) => GgufFamily.Names(
    [
        .. GgufFamily.Projections.Where(name => norms != QueryKeyNorm.None || !IsNorm(name)).Select(name => IsNorm(name) ? name with { Layout = GgufLayout.GainPlusOne } : name),
        new("attn_norm", "input_layernorm", GgufLayout.GainPlusOne),
        new("post_attention_norm", "post_attention_layernorm", GgufLayout.GainPlusOne),
        new("ffn_norm", "pre_feedforward_layernorm", GgufLayout.GainPlusOne),
        new("post_ffw_norm", "post_feedforward_layernorm", GgufLayout.GainPlusOne),
    ], [new("token_embd", "model.embed_tokens"), new("output_norm", "model.norm", GgufLayout.GainPlusOne), new("output", "lm_head")]);

    /// <summary>Adds to a configuration what Gemma 2 and 3 share.</summary>
    internal static void Complete(GgufModelMetadata metadata, JsonObject configuration, int blocksOfLargest)
    {
        configuration.Remove("hidden_act");
        configuration["hidden_activation"] = "gelu_pytorch_tanh";
        int heads = metadata.Dimension("attention.head_count");
        configuration["query_pre_attn_scalar"] = metadata.BlockCount == blocksOfLargest
            ? metadata.Dimension("embedding_length") / heads
            : configuration["head_dim"]!.GetValue<int>();
    }

    /// <summary>GGUF readers scale queries by the size of a head; another scale becomes part of the weights.</summary>
    internal static void FoldScale(GgufExport export, int blocksOfLargest, Func<BlockDefinition, string> weight)
    {
        AttentionDefinition attention = export.Attention;
        int taken = export.Definition.Blocks.Count == blocksOfLargest ? export.Definition.HiddenSize / attention.HeadCount : attention.HeadDimension;
        float factor = attention.Scale * MathF.Sqrt(taken);
        if (MathF.Abs(factor - 1f) < 1e-6f) return;
        foreach (BlockDefinition block in export.Definition.Blocks) export.Factors[weight(block)] = factor;
        export.Warnings.Add($"GGUF files of {export.Architecture} have no place for the scale of queries: its ratio to what readers take, {factor}, is multiplied into the weights");
    }

    private static bool IsNorm(GgufName name) => name.Gguf.EndsWith("_norm", StringComparison.Ordinal);

    private static float? OptionalNumber(ModelConfiguration configuration, string key)
    {
        double value = configuration.PositiveNumber(0, key);
        return value > 0 ? (float)value : null;
    }
}
