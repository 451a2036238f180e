using TensorCompress.Layers;

namespace TensorCompress.Models;

/// <summary>An architecture as data: what the model computes and under which names its tensors lie. It runs nothing; executors run it.</summary>
public sealed record ModelDefinition
{
    /// <summary>The checkpoint's <c>model_type</c>.</summary>
    public required string ModelType { get; init; }

    /// <summary>Rows of the token embedding.</summary>
    public required int VocabularySize { get; init; }

    /// <summary>Width of the residual stream.</summary>
    public required int HiddenSize { get; init; }

    /// <summary>Positions that the model was made for.</summary>
    public required int ContextLength { get; init; }

    /// <summary>Token embedding, [vocabulary, hidden].</summary>
    public required LinearDefinition TokenEmbedding { get; init; }

    /// <summary>Name of the learned position embedding [context, hidden], or null.</summary>
    public string? PositionEmbedding { get; init; }

    /// <summary>The transformer blocks, first to last.</summary>
    public required IReadOnlyList<BlockDefinition> Blocks { get; init; }

    /// <summary>Normalisation before the head.</summary>
    public required NormDefinition FinalNorm { get; init; }

    /// <summary>The head [vocabulary, hidden], or null where the token embedding serves (tied).</summary>
    public LinearDefinition? Head { get; init; }

    /// <summary>Name of the head's bias, or null. A tied head may have one too.</summary>
    public string? HeadBias { get; init; }

    /// <summary>The linear layers of the blocks, in the order of computation.</summary>
    public IEnumerable<LinearDefinition> BlockLinears => Blocks.SelectMany(block => block.Linears);

    /// <summary>Every matrix: embedding, blocks, head.</summary>
    public IEnumerable<LinearDefinition> Linears => Head is null ? [TokenEmbedding, .. BlockLinears] : [TokenEmbedding, .. BlockLinears, Head];

    /// <summary>All normalisations.</summary>
    public IEnumerable<NormDefinition> Norms => [.. Blocks.SelectMany(block => new[] { block.AttentionNorm, block.FeedForwardNorm }), FinalNorm];

    /// <summary>Names and lengths of all other tensors: norms, biases, positions.</summary>
    public IEnumerable<(string Name, long Length)> Vectors
    {
        get
        {
            foreach (NormDefinition norm in Norms)
            {
                yield return (norm.WeightName, norm.Dimension);
                if (norm.HasBias) yield return (norm.BiasName, norm.Dimension);
            }

            foreach (LinearDefinition linear in BlockLinears.Where(linear => linear.HasBias)) yield return (linear.BiasName, linear.OutputDimension);
            if (PositionEmbedding is not null) yield return (PositionEmbedding, (long)ContextLength * HiddenSize);
            if (HeadBias is not null) yield return (HeadBias, VocabularySize);
        }
    }

    /// <summary>Number of parameters, a tied embedding counted once.</summary>
    public long ParameterCount => Linears.Sum(linear => (long)linear.OutputDimension * linear.InputDimension) + Vectors.Sum(vector => vector.Length);
}

/// <summary>A matrix W [output, input] of the model.</summary>
/// <param name="Name">The layer's name in Hugging Face spelling, without <c>.weight</c>.</param>
/// <param name="OutputDimension">Rows of W.</param>
/// <param name="InputDimension">Columns of W.</param>
public sealed record LinearDefinition(string Name, int OutputDimension, int InputDimension)
{
    /// <summary>Whether the layer adds a bias.</summary>
    public bool HasBias { get; init; }

    /// <summary>Whether the checkpoint stores the transpose, [input, output] (GPT-2's convolution layout).</summary>
    public bool IsStoredTransposed { get; init; }

    /// <summary>Name of the dense tensor.</summary>
    public string WeightName => Name + ".weight";

    /// <summary>Name of the bias tensor.</summary>
    public string BiasName => Name + ".bias";
}

/// <summary>Kinds of normalisation.</summary>
public enum NormKind
{
    /// <summary><see cref="RmsNorm"/>.</summary>
    RootMeanSquare,

    /// <summary><see cref="LayerNorm"/>.</summary>
    Layer,
}

/// <summary>A normalisation.</summary>
/// <param name="Kind">Its formula.</param>
/// <param name="Name">Its name without <c>.weight</c>.</param>
/// <param name="Dimension">Channels.</param>
/// <param name="Epsilon">Added under the root.</param>
/// <param name="HasBias">Whether it adds a bias.</param>
public sealed record NormDefinition(NormKind Kind, string Name, int Dimension, float Epsilon, bool HasBias = false)
{
    /// <summary>Name of the gain tensor.</summary>
    public string WeightName => Name + ".weight";

    /// <summary>Name of the bias tensor.</summary>
    public string BiasName => Name + ".bias";
}

/// <summary>Rotary position embedding of queries and keys.</summary>
/// <param name="Theta">Base of the frequencies.</param>
/// <param name="Pairs">Which channels are turned together.</param>
public sealed record RotaryDefinition(double Theta, RotaryPairs Pairs = RotaryPairs.Halves);

/// <summary>Self-attention.</summary>
public sealed record AttentionDefinition
{
    /// <summary>Query heads.</summary>
    public required int HeadCount { get; init; }

    /// <summary>Key-value heads; divides the query heads.</summary>
    public required int KeyValueHeadCount { get; init; }

    /// <summary>Channels of a head.</summary>
    public required int HeadDimension { get; init; }

    /// <summary>Query, key and value projections; or one whose output rows are all queries, then all keys, then all values.</summary>
    public required IReadOnlyList<LinearDefinition> Projections { get; init; }

    /// <summary>Output projection.</summary>
    public required LinearDefinition Output { get; init; }

    /// <summary>Rotary embedding, or null where positions are learned.</summary>
    public RotaryDefinition? Rotary { get; init; }

    /// <summary>Factor of the scores.</summary>
    public required float Scale { get; init; }
}

/// <summary>Feed-forward layer: <c>down(f(gate x) * up x)</c>, or <c>down(f(up x))</c> without a gate.</summary>
/// <param name="Gate">Gate projection or null.</param>
/// <param name="Up">Up projection.</param>
/// <param name="Down">Down projection.</param>
/// <param name="Activation">f.</param>
public sealed record FeedForwardDefinition(LinearDefinition? Gate, LinearDefinition Up, LinearDefinition Down, ActivationFunction Activation);

/// <summary>A pre-norm transformer block: <c>x += attention(norm x)</c>, <c>x += feedForward(norm x)</c>.</summary>
/// <param name="AttentionNorm">Norm before attention.</param>
/// <param name="Attention">Self-attention.</param>
/// <param name="FeedForwardNorm">Norm before the feed-forward layer.</param>
/// <param name="FeedForward">Feed-forward layer.</param>
public sealed record BlockDefinition(NormDefinition AttentionNorm, AttentionDefinition Attention, NormDefinition FeedForwardNorm, FeedForwardDefinition FeedForward)
{
    /// <summary>The block's matrices in the order of computation.</summary>
    public IEnumerable<LinearDefinition> Linears
    {
        get
        {
            foreach (LinearDefinition projection in Attention.Projections) yield return projection;
            yield return Attention.Output;
            if (FeedForward.Gate is not null) yield return FeedForward.Gate;
            yield return FeedForward.Up;
            yield return FeedForward.Down;
        }
    }
}
