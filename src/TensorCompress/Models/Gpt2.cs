using System.Text.Json.Nodes;
using TensorCompress.Layers;
using TensorCompress.Models.Gguf;
using TensorCompress.Storage;

namespace TensorCompress.Models;

/// <summary>GPT-2 (Radford et al. 2019): pre-norm LayerNorm, learned positions, one matrix for queries, keys and values, biases. Matrices are stored transposed.</summary>
internal sealed class Gpt2 : IArchitecture, IGgufArchitecture
{
    private const string Prefix = "transformer.";

    public string ModelType => "gpt2";

    public string GgufArchitecture => "gpt2";

    public GgufNames GgufNames { get; } = new(
        Prefix + "h.",
        [new("token_embd", Prefix + "wte"), new("position_embd", Prefix + "wpe"), new("output_norm", Prefix + "ln_f"), new("output", "lm_head")],
        [
            new("attn_norm", "ln_1"), new("attn_qkv", "attn.c_attn", GgufLayout.Transposed), new("attn_output", "attn.c_proj", GgufLayout.Transposed),
            new("ffn_norm", "ln_2"), new("ffn_up", "mlp.c_fc", GgufLayout.Transposed), new("ffn_down", "mlp.c_proj", GgufLayout.Transposed),
        ],
        root: Prefix);

    public ModelDefinition Define(ModelConfiguration configuration, IReadOnlyDictionary<string, TensorInfo> tensors)
    {
        int hidden = configuration.Dimension("n_embd", "hidden_size");
        int heads = configuration.Dimension("n_head", "num_attention_heads");
        int layers = configuration.BlockCount("n_layer", "num_hidden_layers");
        int inner = configuration.OptionalDimension("n_inner") ?? 4 * hidden;
        int vocabulary = configuration.Dimension("vocab_size");
        var epsilon = (float)configuration.PositiveNumber(1e-5, "layer_norm_epsilon");
        if (hidden % heads != 0) throw configuration.Fault(TensorFormatError.Value, $"a hidden size of {hidden} cannot be divided into {heads} heads");
        Configurations.CheckHeads(configuration, heads, hidden / heads);
        if (configuration.Flag("add_cross_attention", false)) throw configuration.Unsupported("add_cross_attention", "true", "false");
        ActivationFunction activation = Configurations.Activation(configuration, "gelu_new", "activation_function");
        // Checkpoints of the bare model lack the prefix.
        string prefix = tensors.ContainsKey("wpe.weight") ? "" : Prefix;
        bool scalesByWidth = configuration.Flag("scale_attn_weights", true), scalesByLayer = configuration.Flag("scale_attn_by_inverse_layer_idx", false);
        var missing = new List<string>();
        BlockDefinition[] blocks = [.. Enumerable.Range(0, layers).Select(index => Block(index, $"{prefix}h.{index}"))];

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

        BlockDefinition Block(int index, string block)
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
                    Scale = (scalesByWidth ? 1f / MathF.Sqrt(hidden / heads) : 1f) / (scalesByLayer ? index + 1 : 1),
                },
                new FeedForwardDefinition(null, Linear("mlp.c_fc", inner, hidden), Linear("mlp.c_proj", hidden, inner), activation))
            {
                AttentionNorm = Norm(block + ".ln_1"),
                FeedForwardNorm = Norm(block + ".ln_2"),
            };
        }
    }

    public JsonObject CreateConfiguration(GgufModelMetadata metadata)
    {
        int context = metadata.Dimension("context_length");
        var configuration = new JsonObject
        {
            ["architectures"] = new JsonArray("GPT2LMHeadModel"),
            ["model_type"] = ModelType,
            ["n_embd"] = metadata.Dimension("embedding_length"),
            ["n_head"] = metadata.Dimension("attention.head_count"),
            ["n_layer"] = metadata.BlockCount,
            ["n_inner"] = metadata.Dimension("feed_forward_length"),
            ["n_positions"] = context,
            ["n_ctx"] = context,
            ["layer_norm_epsilon"] = metadata.PositiveNumber("attention.layer_norm_epsilon"),
            ["activation_function"] = "gelu_new",
            ["tie_word_embeddings"] = !metadata.HasTensor("output.weight"),
        };
        GgufVocabularies.AddSizeAndIds(metadata, configuration);
        return configuration;
    }

    public void Export(GgufExport export)
    {
        export.RequireActivation(ActivationFunction.GeluTanh);
        if (export.Definition.HeadBias is not null) throw export.Refuse("there is no place for the head's bias");
        float scale = 1f / MathF.Sqrt(export.Attention.HeadDimension);
        if (export.Definition.Blocks.Any(block => block.Attention.Scale != scale)) throw export.Refuse("readers scale scores by the size of a head in every block");
        if (export.Definition.BlockLinears.FirstOrDefault(linear => !linear.HasBias) is { } bare) throw export.Refuse($"{bare.Name} has no bias");
        export.Dimensions();
    }
}
