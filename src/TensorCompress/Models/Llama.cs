using TensorCompress.Layers;
using TensorCompress.Storage;

namespace TensorCompress.Models;

/// <summary>LLaMA (Touvron et al. 2023): pre-norm RMSNorm, rotary embedding, grouped-query attention, SwiGLU.</summary>
internal sealed class Llama : IArchitecture
{
    public string ModelType => "llama";

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
