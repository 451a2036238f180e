using System.Text.Json.Nodes;
using TensorCompress.Layers;
using TensorCompress.Storage;

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
        int hidden = configuration.Dimension("hidden_size");
        int intermediate = configuration.Dimension("intermediate_size");
        int layers = configuration.Dimension("num_hidden_layers");
        int heads = configuration.Dimension("num_attention_heads");
        int keyValueHeads = configuration.OptionalDimension("num_key_value_heads") ?? heads;
        int headDimension = configuration.OptionalDimension("head_dim") ?? HeadDimension(configuration, hidden, heads);
        int vocabulary = configuration.Dimension("vocab_size");
        var epsilon = (float)configuration.PositiveNumber(1e-6, "rms_norm_eps");
        if (heads % keyValueHeads != 0)
            throw configuration.Fault(TensorFormatError.Value, $"{heads} attention heads cannot share {keyValueHeads} key-value heads evenly");
        if (headDimension % 2 != 0)
            throw configuration.Fault(TensorFormatError.Value, $"rotary embedding turns pairs of channels; a head of {headDimension} has an odd number");
        RotaryDefinition rotary = Rotary(configuration);
        ActivationFunction activation = Configurations.Activation(configuration, "silu", "hidden_act");
        bool attentionBias = configuration.Flag("attention_bias", false);
        bool feedForwardBias = configuration.Flag("mlp_bias", false);

        return new ModelDefinition
        {
            ModelType = ModelType,
            VocabularySize = vocabulary,
            HiddenSize = hidden,
            ContextLength = configuration.Dimension("max_position_embeddings"),
            TokenEmbedding = new("model.embed_tokens", vocabulary, hidden),
            Blocks = [.. Enumerable.Range(0, layers).Select(index => Block($"model.layers.{index}"))],
            FinalNorm = Norm("model.norm"),
            Head = configuration.Flag("tie_word_embeddings", false) ? null : new("lm_head", vocabulary, hidden),
        };

        NormDefinition Norm(string name) => new(NormKind.RootMeanSquare, name, hidden, epsilon);

        BlockDefinition Block(string prefix)
        {
            LinearDefinition Projection(string name, int output, int input) => new($"{prefix}.self_attn.{name}", output, input) { HasBias = attentionBias };
            LinearDefinition FeedForward(string name, int output, int input) => new($"{prefix}.mlp.{name}", output, input) { HasBias = feedForwardBias };
            return new BlockDefinition(
                Norm($"{prefix}.input_layernorm"),
                new AttentionDefinition
                {
                    HeadCount = heads,
                    KeyValueHeadCount = keyValueHeads,
                    HeadDimension = headDimension,
                    Projections =
                    [
                        Projection("q_proj", heads * headDimension, hidden),
                        Projection("k_proj", keyValueHeads * headDimension, hidden),
                        Projection("v_proj", keyValueHeads * headDimension, hidden),
                    ],
                    Output = Projection("o_proj", hidden, heads * headDimension),
                    Rotary = rotary,
                    Scale = 1f / MathF.Sqrt(headDimension),
                },
                Norm($"{prefix}.post_attention_layernorm"),
                new FeedForwardDefinition(
                    FeedForward("gate_proj", intermediate, hidden), FeedForward("up_proj", intermediate, hidden), FeedForward("down_proj", hidden, intermediate), activation));
        }
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

    private static int HeadDimension(ModelConfiguration configuration, int hidden, int heads) => hidden % heads == 0
        ? hidden / heads
        : throw configuration.Fault(TensorFormatError.Value, $"a hidden size of {hidden} cannot be divided into {heads} heads, and there is no \"head_dim\"");

    // Transformers 4 writes rope_theta and rope_scaling, transformers 5 one object rope_parameters.
    private static RotaryDefinition Rotary(ModelConfiguration configuration)
    {
        ModelConfiguration? parameters = configuration.Section("rope_parameters") ?? configuration.Section("rope_scaling");
        string type = parameters?.Text("rope_type", "type") ?? "default";
        if (type != "default") throw configuration.Unsupported("rope_type", type, "default");
        double theta = parameters?.PositiveNumber(0.0, "rope_theta") ?? 0.0;
        return new RotaryDefinition(theta > 0 ? theta : configuration.PositiveNumber(10000.0, "rope_theta"));
    }
}
