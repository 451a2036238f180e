using System.Text.Json.Nodes;
using TensorCompress.Storage;

namespace TensorCompress.Models.Gguf;

/// <summary>What the GGUF files of LLaMA's descendants share. An architecture adds only what makes it different.</summary>
internal static class GgufFamily
{
    private static readonly GgufName[] Top = [new("token_embd", "model.embed_tokens"), new("output_norm", "model.norm"), new("output", "lm_head")];

    private static readonly GgufName[] FeedForward =
    [
        new("attn_v", "self_attn.v_proj"), new("attn_output", "self_attn.o_proj"), new("ffn_gate", "mlp.gate_proj"), new("ffn_up", "mlp.up_proj"), new("ffn_down", "mlp.down_proj"),
    ];

    private static readonly GgufName[] TwoNorms = [new("attn_norm", "input_layernorm"), new("ffn_norm", "post_attention_layernorm")];

    /// <summary>Names where rows of queries and keys are stored for neighbouring-pair rotary embedding.</summary>
    public static GgufNames Rotated { get; } = Names(
        [new("attn_q", "self_attn.q_proj", GgufLayout.QueryRows), new("attn_k", "self_attn.k_proj", GgufLayout.KeyRows), .. FeedForward, .. TwoNorms]);

    /// <summary>Names where rows are in order.</summary>
    public static GgufNames InOrder { get; } = Names([.. QueryKey(), .. FeedForward, .. TwoNorms]);

    /// <summary>The names of queries, keys and their norms with rows in order, and of values, output and feed-forward layer.</summary>
    public static GgufName[] Projections { get; } = [.. QueryKey(), .. FeedForward];

    /// <summary>Names of a family member.</summary>
    public static GgufNames Names(GgufName[] block, GgufName[]? top = null) => new("model.layers.", top ?? Top, block);

    /// <summary>The configuration: dimensions, norms, rotary embedding, vocabulary.</summary>
    /// <param name="metadata">The file.</param>
    /// <param name="modelType">The checkpoint's <c>model_type</c>.</param>
    /// <param name="className">The class that Transformers loads it with.</param>
    /// <param name="isPartlyTurned">Whether heads may turn in part.</param>
    /// <param name="theta">Base of the rotary embedding where the file has none.</param>
    public static JsonObject Configuration(GgufModelMetadata metadata, string modelType, string className, bool isPartlyTurned = false, double theta = 10000.0)
    {
        int heads = metadata.Dimension("attention.head_count");
        int hidden = metadata.Dimension("embedding_length");
        int channels = metadata.OptionalDimension("attention.key_length")
            ?? (hidden % heads == 0 ? hidden / heads : throw metadata.Fault(TensorFormatError.Value, "embedding_length", $"is {hidden}, which {heads} heads cannot share evenly"));
        if (metadata.OptionalDimension("attention.value_length") is { } values && values != channels)
            throw metadata.Unsupported("attention.value_length", $"{values}", $"the key length, {channels}");
        int keyHeads = metadata.OptionalDimension("attention.head_count_kv") ?? heads;
        if (heads % keyHeads != 0) throw metadata.Fault(TensorFormatError.Value, "attention.head_count_kv", $"is {keyHeads}, which {heads} heads cannot share evenly");
        var configuration = new JsonObject
        {
            ["architectures"] = new JsonArray(className),
            ["model_type"] = modelType,
            ["hidden_size"] = hidden,
            ["intermediate_size"] = metadata.Dimension("feed_forward_length"),
            ["num_hidden_layers"] = metadata.BlockCount,
            ["num_attention_heads"] = heads,
            ["num_key_value_heads"] = keyHeads,
            ["head_dim"] = channels,
            ["max_position_embeddings"] = metadata.Dimension("context_length"),
            ["rms_norm_eps"] = metadata.PositiveNumber("attention.layer_norm_rms_epsilon"),
            ["hidden_act"] = "silu",
            ["tie_word_embeddings"] = !metadata.HasTensor("output.weight"),
        };
        GgufRotary.Read(metadata, configuration, channels, isPartlyTurned, theta);
        GgufVocabularies.AddSizeAndIds(metadata, configuration);
        return configuration;
    }

    /// <summary>Adds whether projections of attention and feed-forward layer have biases, told by the tensors.</summary>
    public static void ReadBiases(GgufModelMetadata metadata, JsonObject configuration)
    {
        configuration["attention_bias"] = metadata.HasTensor("blk.0.attn_q.bias");
        configuration["mlp_bias"] = metadata.HasTensor("blk.0.ffn_up.bias");
    }

    /// <summary>Adds the sliding window and which blocks slide.</summary>
    /// <param name="metadata">The file.</param>
    /// <param name="configuration">Receives them.</param>
    /// <param name="window">Positions; null where the file has no window.</param>
    /// <param name="period">Every how manieth block sees all positions where the file does not say; 0 for none.</param>
    /// <returns>Whether there is a window.</returns>
    public static bool ReadWindows(GgufModelMetadata metadata, JsonObject configuration, int? window, int period)
    {
        const string pattern = "attention.sliding_window_pattern";
        if (window is null) return false;
        IReadOnlyList<bool>? slides = metadata.FlagsOfBlocks(pattern);
        if (slides is null)
        {
            period = metadata.DimensionOrNone(pattern) ?? period;
            slides = [.. Enumerable.Range(0, metadata.BlockCount).Select(block => period == 0 || (block + 1) % period != 0)];
        }

        configuration["sliding_window"] = window;
        configuration["layer_types"] = new JsonArray([.. slides.Select(flag => (JsonNode)(flag ? "sliding_attention" : "full_attention"))]);
        return true;
    }

    /// <summary>Writes what <see cref="Configuration"/> reads.</summary>
    /// <param name="export">The model.</param>
    /// <param name="takesFactors">Whether readers apply a factor for each frequency.</param>
    public static void Export(GgufExport export, bool takesFactors = false)
    {
        export.Dimensions();
        GgufRotary.Write(export, takesFactors);
    }

    /// <summary>Writes the sliding window.</summary>
    /// <param name="export">The model.</param>
    /// <param name="period">Every how manieth block sees all positions where nothing is written; 0 for none.</param>
    /// <param name="isIgnored">Whether llama.cpp passes over the window of this architecture.</param>
    public static void ExportWindows(GgufExport export, int period, bool isIgnored = false)
    {
        int?[] windows = [.. export.Definition.Blocks.Select(block => block.Attention.Window)];
        if (windows.FirstOrDefault(window => window is not null) is not { } size) return;
        export.Integer("attention.sliding_window", size);
        bool[] slides = [.. windows.Select(window => window is not null)];
        if (slides.Where((flag, block) => flag != (period == 0 || (block + 1) % period != 0)).Any()) export.Flags("attention.sliding_window_pattern", slides);
        if (isIgnored && export.Definition.ContextLength > size) export.Warnings.Add($"llama.cpp lets every query of {export.Architecture} see all positions: texts of more than {size} tokens give other results there");
    }

    private static GgufName[] QueryKey() =>
        [new("attn_q", "self_attn.q_proj"), new("attn_k", "self_attn.k_proj"), new("attn_q_norm", "self_attn.q_norm"), new("attn_k_norm", "self_attn.k_norm")];
}
