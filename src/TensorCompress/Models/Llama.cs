using System.Text.Json.Nodes;
using TensorCompress.Storage;
using TensorCompress.Storage.Gguf;

namespace TensorCompress.Models;

/// <summary>LLaMA (Touvron et al. 2023): pre-norm RMSNorm, rotary embedding, grouped-query attention, SwiGLU.</summary>
internal sealed class Llama : IArchitecture, IGgufArchitecture
{
    // GGUF name of a block's tensor -> Hugging Face name; rows of q and k are stored for neighbouring-pair rotary embedding.
    private static readonly Dictionary<string, GgufTensorMapping> GgufBlockTensors = new()
    {
        ["attn_norm"] = new("input_layernorm"),
        ["attn_q"] = new("self_attn.q_proj", "attention.head_count"),
        ["attn_k"] = new("self_attn.k_proj", "attention.head_count_kv"),
        ["attn_v"] = new("self_attn.v_proj"),
        ["attn_output"] = new("self_attn.o_proj"),
        ["ffn_norm"] = new("post_attention_layernorm"),
        ["ffn_gate"] = new("mlp.gate_proj"),
        ["ffn_up"] = new("mlp.up_proj"),
        ["ffn_down"] = new("mlp.down_proj"),
    };

    private static readonly Dictionary<string, string> GgufTensors = new()
    {
        ["token_embd"] = "model.embed_tokens",
        ["output_norm"] = "model.norm",
        ["output"] = "lm_head",
    };

    public string ModelType => "llama";

    public string GgufArchitecture => "llama";

    public ModelDefinition Define(ModelConfiguration configuration, IReadOnlyDictionary<string, TensorInfo> tensors)
    {
        bool attentionBias = configuration.Flag("attention_bias", false);
        return new LlamaFamily(configuration)
        {
            QueryKeyValueBias = attentionBias,
            OutputBias = attentionBias,
            FeedForwardBias = configuration.Flag("mlp_bias", false),
        }.Build();
    }

    public JsonObject CreateConfiguration(GgufFile file)
    {
        var metadata = new GgufModelMetadata(file, GgufArchitecture);
        int heads = metadata.Dimension("attention.head_count");
        int hidden = metadata.Dimension("embedding_length");
        int? headDimension = metadata.OptionalDimension("attention.key_length");
        int channels = headDimension ?? hidden / heads;
        if (metadata.OptionalDimension("rope.dimension_count") is { } turned && turned != channels)
            throw metadata.Unsupported("rope.dimension_count", $"{turned}", $"all {channels} channels of a head");
        if (metadata.Text("rope.scaling.type") is { } scaling && scaling != "none") throw metadata.Unsupported("rope.scaling.type", scaling, "none");
        var configuration = new JsonObject
        {
            ["architectures"] = new JsonArray("LlamaForCausalLM"),
            ["model_type"] = ModelType,
            ["hidden_size"] = hidden,
            ["intermediate_size"] = metadata.Dimension("feed_forward_length"),
            ["num_hidden_layers"] = metadata.Dimension("block_count"),
            ["num_attention_heads"] = heads,
            ["num_key_value_heads"] = metadata.OptionalDimension("attention.head_count_kv") ?? heads,
            ["head_dim"] = channels,
            ["max_position_embeddings"] = metadata.Dimension("context_length"),
            ["rms_norm_eps"] = metadata.PositiveNumber("attention.layer_norm_rms_epsilon"),
            ["rope_theta"] = metadata.PositiveNumber("rope.freq_base", 10000.0),
            ["hidden_act"] = "silu",
            ["attention_bias"] = false,
            ["mlp_bias"] = false,
            ["tie_word_embeddings"] = !file.Tensors.ContainsKey("output.weight"),
        };
        metadata.AddVocabulary(configuration);
        return configuration;
    }

    public GgufTensorMapping? MapTensor(string ggufName)
    {
        string[] parts = ggufName.Split('.');
        if (parts.Length == 2 && GgufTensors.TryGetValue(parts[0], out string? top)) return new GgufTensorMapping($"{top}.{parts[1]}");
        if (parts.Length != 4 || parts[0] != "blk" || !GgufBlockTensors.TryGetValue(parts[2], out GgufTensorMapping? mapping)) return null;
        return mapping with { Name = $"model.layers.{parts[1]}.{mapping.Name}.{parts[3]}" };
    }
}
