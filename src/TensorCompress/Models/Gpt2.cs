using TensorCompress.Layers;
using TensorCompress.Storage;

namespace TensorCompress.Models;

/// <summary>GPT-2 (Radford et al. 2019): pre-norm LayerNorm, learned positions, one matrix for queries, keys and values, biases. Matrices are stored transposed.</summary>
internal sealed class Gpt2 : IArchitecture
{
    private const string Prefix = "transformer.";

    public string ModelType => "gpt2";

    public ModelDefinition Define(ModelConfiguration configuration, IReadOnlyDictionary<string, TensorInfo> tensors)
    {
        int hidden = configuration.Dimension("n_embd", "hidden_size");
        int heads = configuration.Dimension("n_head", "num_attention_heads");
        int layers = configuration.BlockCount("n_layer", "num_hidden_layers");
        int inner = configuration.OptionalDimension("n_inner") ?? 4 * hidden;
        int vocabulary = configuration.Dimension("vocab_size");
        var epsilon = (float)configuration.PositiveNumber(1e-5, "layer_norm_epsilon");
        if (hidden % heads != 0) throw configuration.Fault(TensorFormatError.Value, $"a hidden size of {hidden} cannot be divided into {heads} heads");
        RefuseVariants(configuration);
        ActivationFunction activation = Configurations.Activation(configuration, "gelu_new", "activation_function");
        // Checkpoints of the bare model lack the prefix.
        string prefix = tensors.ContainsKey("wpe.weight") ? "" : Prefix;
        var missing = new List<string>();
        BlockDefinition[] blocks = [.. Enumerable.Range(0, layers).Select(index => Block($"{prefix}h.{index}"))];

        return new ModelDefinition
        {
            ModelType = ModelType,
            VocabularySize = vocabulary,
            HiddenSize = hidden,
            ContextLength = configuration.Dimension("n_positions", "n_ctx", "max_position_embeddings"),
            TokenEmbedding = new(prefix + "wte", vocabulary, hidden),
            PositionEmbedding = prefix + "wpe.weight",
            Blocks = blocks,
            FinalNorm = Norm(prefix + "ln_f"),
            Head = configuration.Flag("tie_word_embeddings", true) ? null : new("lm_head", vocabulary, hidden),
            HeadBias = tensors.ContainsKey("lm_head.bias") ? "lm_head.bias" : null,
            Warnings = missing.Count == 0 ? [] : [$"{missing.Count} biases are not in the file and taken as zero, first {missing[0]}: the file may be a damaged conversion"],
        };

        NormDefinition Norm(string name) => new(NormKind.Layer, name, hidden, epsilon, HasBias: true);

        BlockDefinition Block(string block)
        {
            // A bias that is not there is zero, as the reference loads it; the user is told.
            LinearDefinition Linear(string name, int output, int input)
            {
                var linear = new LinearDefinition($"{block}.{name}", output, input) { IsStoredTransposed = true };
                if (tensors.ContainsKey(linear.BiasName)) return linear with { HasBias = true };
                missing.Add(linear.BiasName);
                return linear;
            }

            return new BlockDefinition(
                new AttentionDefinition
                {
                    HeadCount = heads,
                    KeyValueHeadCount = heads,
                    HeadDimension = hidden / heads,
                    Projections = [Linear("attn.c_attn", 3 * hidden, hidden)],
                    Output = Linear("attn.c_proj", hidden, hidden),
                    Scale = configuration.Flag("scale_attn_weights", true) ? 1f / MathF.Sqrt(hidden / heads) : 1f,
                },
                new FeedForwardDefinition(null, Linear("mlp.c_fc", inner, hidden), Linear("mlp.c_proj", hidden, inner), activation))
            {
                AttentionNorm = Norm(block + ".ln_1"),
                FeedForwardNorm = Norm(block + ".ln_2"),
            };
        }
    }

    private static void RefuseVariants(ModelConfiguration configuration)
    {
        foreach (string key in new[] { "scale_attn_by_inverse_layer_idx", "reorder_and_upcast_attn", "add_cross_attention" })
        {
            if (configuration.Flag(key, false)) throw configuration.Unsupported(key, "true", "false");
        }
    }
}
