using System.Text.Json.Nodes;
using TensorCompress.Layers;
using TensorCompress.Models.Gguf;
using TensorCompress.Storage;

namespace TensorCompress.Models;

/// <summary>GPT-NeoX and Pythia (Black et al. 2022): LayerNorm, one matrix for queries, keys and values head by head, partly turned heads, attention and feed-forward layer side by side.</summary>
internal sealed class GptNeoX : IArchitecture, IGgufArchitecture
{
    private const string Prefix = "gpt_neox.";

    public string ModelType => "gpt_neox";

    public string GgufArchitecture => "gptneox";

    public GgufNames GgufNames { get; } = new(
        Prefix + "layers.",
        [new("token_embd", Prefix + "embed_in"), new("output_norm", Prefix + "final_layer_norm"), new("output", "embed_out")],
        [
            new("attn_norm", "input_layernorm"), new("attn_qkv", "attention.query_key_value", GgufLayout.PartsTogether), new("attn_output", "attention.dense"),
            new("ffn_norm", "post_attention_layernorm"), new("ffn_up", "mlp.dense_h_to_4h"), new("ffn_down", "mlp.dense_4h_to_h"),
        ]);

    public ModelDefinition Define(ModelConfiguration configuration, IReadOnlyDictionary<string, TensorInfo> tensors)
    {
        int hidden = configuration.Dimension("hidden_size");
        int heads = configuration.Dimension("num_attention_heads");
        int inner = configuration.Dimension("intermediate_size");
        int vocabulary = configuration.Dimension("vocab_size");
        var epsilon = (float)configuration.PositiveNumber(1e-5, "layer_norm_eps");
        if (hidden % heads != 0) throw configuration.Fault(TensorFormatError.Value, $"a hidden size of {hidden} cannot be divided into {heads} heads");
        Configurations.CheckHeads(configuration, heads, hidden / heads);
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
            TokenEmbedding = new(Prefix + "embed_in", vocabulary, hidden),
            Blocks = [.. Enumerable.Range(0, configuration.BlockCount("num_hidden_layers")).Select(layer => Block($"{Prefix}layers.{layer}"))],
            FinalNorm = Norm(Prefix + "final_layer_norm"),
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

    public JsonObject CreateConfiguration(GgufModelMetadata metadata)
    {
        int hidden = metadata.Dimension("embedding_length"), heads = metadata.Dimension("attention.head_count");
        if (hidden % heads != 0) throw metadata.Fault(TensorFormatError.Value, "embedding_length", $"is {hidden}, which {heads} heads cannot share evenly");
        var configuration = new JsonObject
        {
            ["architectures"] = new JsonArray("GPTNeoXForCausalLM"),
            ["model_type"] = ModelType,
            ["hidden_size"] = hidden,
            ["intermediate_size"] = metadata.Dimension("feed_forward_length"),
            ["num_hidden_layers"] = metadata.BlockCount,
            ["num_attention_heads"] = heads,
            ["max_position_embeddings"] = metadata.Dimension("context_length"),
            ["layer_norm_eps"] = metadata.PositiveNumber("attention.layer_norm_epsilon"),
            ["use_parallel_residual"] = metadata.Flag("use_parallel_residual", true),
            ["attention_bias"] = metadata.HasTensor("blk.0.attn_qkv.bias"),
            ["hidden_act"] = "gelu",
            ["tie_word_embeddings"] = !metadata.HasTensor("output.weight"),
        };
        GgufRotary.Read(metadata, configuration, hidden / heads, isPartlyTurned: true, 10000.0);
        GgufVocabularies.AddSizeAndIds(metadata, configuration);
        return configuration;
    }

    public void Export(GgufExport export)
    {
        if (export.Definition.Blocks[0].FeedForward.Activation == ActivationFunction.GeluErf)
            export.Warnings.Add("llama.cpp computes the tanh approximation of GELU for this architecture: its logits differ by about a thousandth");
        else export.RequireActivation(ActivationFunction.GeluTanh);
        export.RepeatsTiedHead = true;
        export.Dimensions();
        export.Flag("use_parallel_residual", export.Definition.Blocks[0].IsParallel);
        GgufRotary.Write(export, takesFactors: false);
    }
}
