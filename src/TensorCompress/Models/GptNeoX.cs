using TensorCompress.Layers;
using TensorCompress.Storage;

namespace TensorCompress.Models;

/// <summary>GPT-NeoX and Pythia (Black et al. 2022): LayerNorm, one matrix for queries, keys and values head by head, partly turned heads, attention and feed-forward layer side by side.</summary>
internal sealed class GptNeoX : IArchitecture
{
    public string ModelType => "gpt_neox";

    public ModelDefinition Define(ModelConfiguration configuration, IReadOnlyDictionary<string, TensorInfo> tensors)
    {
        int hidden = configuration.Dimension("hidden_size");
        int heads = configuration.Dimension("num_attention_heads");
        int inner = configuration.Dimension("intermediate_size");
        int vocabulary = configuration.Dimension("vocab_size");
        var epsilon = (float)configuration.PositiveNumber(1e-5, "layer_norm_eps");
        if (hidden % heads != 0) throw configuration.Fault(TensorFormatError.Value, $"a hidden size of {hidden} cannot be divided into {heads} heads");
        int headDimension = hidden / heads;
        bool attentionBias = configuration.Flag("attention_bias", true);
        bool isParallel = configuration.Flag("use_parallel_residual", true);
        ActivationFunction activation = Configurations.Activation(configuration, "gelu", "hidden_act");
        RotaryDefinition rotary = Configurations.Rotary(configuration, headDimension);

        return new ModelDefinition
        {
            ModelType = ModelType,
            VocabularySize = vocabulary,
            HiddenSize = hidden,
            ContextLength = configuration.Dimension("max_position_embeddings"),
            TokenEmbedding = new("gpt_neox.embed_in", vocabulary, hidden),
            Blocks = [.. Enumerable.Range(0, configuration.BlockCount("num_hidden_layers")).Select(layer => Block($"gpt_neox.layers.{layer}"))],
            FinalNorm = Norm("gpt_neox.final_layer_norm"),
            Head = configuration.Flag("tie_word_embeddings", false) ? null : new("embed_out", vocabulary, hidden),
        };

        NormDefinition Norm(string name) => new(NormKind.Layer, name, hidden, epsilon, HasBias: true);

        BlockDefinition Block(string prefix) => new(
            new AttentionDefinition
            {
                HeadCount = heads,
                KeyValueHeadCount = heads,
                HeadDimension = headDimension,
                Projections = [new(prefix + ".attention.query_key_value", 3 * hidden, hidden) { HasBias = attentionBias }],
                Layout = ProjectionLayout.Heads,
                Output = new(prefix + ".attention.dense", hidden, hidden) { HasBias = attentionBias },
                Rotary = rotary,
                Scale = 1f / MathF.Sqrt(headDimension),
            },
            new FeedForwardDefinition(
                null, new(prefix + ".mlp.dense_h_to_4h", inner, hidden) { HasBias = true }, new(prefix + ".mlp.dense_4h_to_h", hidden, inner) { HasBias = true }, activation))
        {
            AttentionNorm = Norm(prefix + ".input_layernorm"),
            FeedForwardNorm = Norm(prefix + ".post_attention_layernorm"),
            IsParallel = isParallel,
        };
    }
}
