using TensorCompress.Layers;
using TensorCompress.Storage;

namespace TensorCompress.Models;

/// <summary>Where queries and keys are normalised.</summary>
internal enum QueryKeyNorm
{
    None,

    /// <summary>Each head by itself.</summary>
    Head,

    /// <summary>All heads together.</summary>
    Width,
}

/// <summary>
/// What the descendants of LLaMA share: names, RMSNorm, rotary embedding, grouped-query attention, gated feed-forward. An architecture sets only what makes it different.
/// </summary>
internal sealed class LlamaFamily
{
    private readonly ModelConfiguration _configuration;

    /// <param name="configuration">The checkpoint's configuration.</param>
    /// <param name="defaultHeadDimension">Channels of a head where the configuration has none; null to divide the hidden size.</param>
    /// <param name="defaultTheta">Base of the rotary embedding where the configuration has none.</param>
    public LlamaFamily(ModelConfiguration configuration, int? defaultHeadDimension = null, double defaultTheta = 10000.0)
    {
        _configuration = configuration;
        Hidden = configuration.Dimension("hidden_size");
        Layers = configuration.BlockCount("num_hidden_layers");
        Heads = configuration.Dimension("num_attention_heads");
        KeyValueHeads = configuration.OptionalDimension("num_key_value_heads") ?? Heads;
        HeadDimension = configuration.OptionalDimension("head_dim") ?? defaultHeadDimension ?? Divide(Hidden, Heads);
        if (Heads % KeyValueHeads != 0) throw configuration.Fault(TensorFormatError.Value, $"{Heads} attention heads cannot share {KeyValueHeads} key-value heads evenly");
        Configurations.CheckHeads(configuration, Heads, HeadDimension);
        RotaryDefinition rotary = Configurations.Rotary(configuration, HeadDimension, defaultTheta);
        Rotary = _ => rotary;
        Scale = 1f / MathF.Sqrt(HeadDimension);
        Activation = Configurations.Activation(configuration, "silu", "hidden_act");
    }

    public int Hidden { get; }

    public int Layers { get; }

    public int Heads { get; }

    public int KeyValueHeads { get; }

    public int HeadDimension { get; }

    /// <summary>The rotary embedding of a layer, or null.</summary>
    public Func<int, RotaryDefinition?> Rotary { get; set; }

    /// <summary>The window of a layer, or null.</summary>
    public Func<int, int?> Window { get; set; } = _ => null;

    public float Scale { get; set; }

    public float? ScoreCap { get; set; }

    public ActivationFunction Activation { get; set; }

    public bool QueryKeyValueBias { get; set; }

    public bool OutputBias { get; set; }

    public bool FeedForwardBias { get; set; }

    public QueryKeyNorm QueryKeyNorm { get; set; }

    /// <summary>Whether queries, keys and values are one matrix, and gate and up another.</summary>
    public bool IsFused { get; set; }

    public bool IsTiedByDefault { get; set; }

    public bool IsGainOffset { get; set; }

    /// <summary>Names of the four norms of a block; null for one that is not there.</summary>
    public (string? BeforeAttention, string? AfterAttention, string? BeforeFeedForward, string? AfterFeedForward) NormNames { get; set; } =
        ("input_layernorm", null, "post_attention_layernorm", null);

    public float EmbeddingScale { get; set; } = 1f;

    public float ResidualScale { get; set; } = 1f;

    public float LogitScale { get; set; } = 1f;

    public float? LogitCap { get; set; }

    public ModelDefinition Build()
    {
        int vocabulary = _configuration.Dimension("vocab_size");
        return new ModelDefinition
        {
            ModelType = _configuration.ModelType,
            VocabularySize = vocabulary,
            HiddenSize = Hidden,
            ContextLength = _configuration.Dimension("max_position_embeddings"),
            TokenEmbedding = new("model.embed_tokens", vocabulary, Hidden),
            EmbeddingScale = EmbeddingScale,
            Blocks = [.. Enumerable.Range(0, Layers).Select(Block)],
            FinalNorm = Norm("model.norm", Hidden),
            Head = _configuration.Flag("tie_word_embeddings", IsTiedByDefault) ? null : new("lm_head", vocabulary, Hidden),
            LogitScale = LogitScale,
            LogitCap = LogitCap,
        };
    }

    private BlockDefinition Block(int layer)
    {
        string prefix = $"model.layers.{layer}";
        return new BlockDefinition(Attention(layer, prefix + ".self_attn"), FeedForward(prefix + ".mlp"))
        {
            AttentionNorm = BlockNorm(NormNames.BeforeAttention),
            AttentionPostNorm = BlockNorm(NormNames.AfterAttention),
            FeedForwardNorm = BlockNorm(NormNames.BeforeFeedForward),
            FeedForwardPostNorm = BlockNorm(NormNames.AfterFeedForward),
            ResidualScale = ResidualScale,
        };

        NormDefinition? BlockNorm(string? name) => name is null ? null : Norm($"{prefix}.{name}", Hidden);
    }

    private AttentionDefinition Attention(int layer, string prefix)
    {
        int queryWidth = Heads * HeadDimension, keyWidth = KeyValueHeads * HeadDimension;
        LinearDefinition Projection(string name, int output) => new($"{prefix}.{name}", output, Hidden) { HasBias = QueryKeyValueBias };
        NormDefinition? ChannelNorm(string name, int width) => QueryKeyNorm switch
        {
            QueryKeyNorm.Head => Norm($"{prefix}.{name}", HeadDimension),
            QueryKeyNorm.Width => Norm($"{prefix}.{name}", width),
            _ => null,
        };
        return new AttentionDefinition
        {
            HeadCount = Heads,
            KeyValueHeadCount = KeyValueHeads,
            HeadDimension = HeadDimension,
            Projections = IsFused ? [Projection("qkv_proj", queryWidth + 2 * keyWidth)] : [Projection("q_proj", queryWidth), Projection("k_proj", keyWidth), Projection("v_proj", keyWidth)],
            QueryNorm = ChannelNorm("q_norm", queryWidth),
            KeyNorm = ChannelNorm("k_norm", keyWidth),
            Output = new($"{prefix}.o_proj", Hidden, queryWidth) { HasBias = OutputBias },
            Rotary = Rotary(layer),
            Window = Window(layer),
            Scale = Scale,
            ScoreCap = ScoreCap,
        };
    }

    private FeedForwardDefinition FeedForward(string prefix)
    {
        int inner = _configuration.Dimension("intermediate_size");
        LinearDefinition Linear(string name, int output, int input) => new($"{prefix}.{name}", output, input) { HasBias = FeedForwardBias };
        return new FeedForwardDefinition(
            IsFused ? null : Linear("gate_proj", inner, Hidden),
            IsFused ? Linear("gate_up_proj", 2 * inner, Hidden) : Linear("up_proj", inner, Hidden),
            Linear("down_proj", Hidden, inner), Activation, IsFused);
    }

    private NormDefinition Norm(string name, int dimension) =>
        new(NormKind.RootMeanSquare, name, dimension, (float)_configuration.PositiveNumber(1e-6, "rms_norm_eps")) { IsGainOffset = IsGainOffset };

    private int Divide(int hidden, int heads) => hidden % heads == 0
        ? hidden / heads
        : throw _configuration.Fault(TensorFormatError.Value, $"a hidden size of {hidden} cannot be divided into {heads} heads, and there is no \"head_dim\"");
}
