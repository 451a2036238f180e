using TensorCompress.Compression;
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

    /// <summary>Factor of the token embedding on its way in.</summary>
    public float EmbeddingScale { get; init; } = 1f;

    /// <summary>Factor of the logits.</summary>
    public float LogitScale { get; init; } = 1f;

    /// <summary>Smooth bound of the logits, <c>cap tanh(logit / cap)</c>; null for none.</summary>
    public float? LogitCap { get; init; }

    /// <summary>The transformer blocks, first to last.</summary>
    public required IReadOnlyList<BlockDefinition> Blocks { get; init; }

    /// <summary>Normalisation before the head.</summary>
    public required NormDefinition FinalNorm { get; init; }

    /// <summary>The head [vocabulary, hidden], or null where the token embedding serves (tied).</summary>
    public LinearDefinition? Head { get; init; }

    /// <summary>Name of the head's bias, or null. A tied head may have one too.</summary>
    public string? HeadBias { get; init; }

    /// <summary>What is odd about the checkpoint, for people: for instance tensors that are missing and taken as zero.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];

    /// <summary>The linear layers of the blocks, in the order of computation.</summary>
    public IEnumerable<LinearDefinition> BlockLinears => Blocks.SelectMany(block => block.Linears);

    /// <summary>Every matrix: embedding, blocks, head.</summary>
    public IEnumerable<LinearDefinition> Linears => Head is null ? [TokenEmbedding, .. BlockLinears] : [TokenEmbedding, .. BlockLinears, Head];

    /// <summary>The attention heads that a matrix of the model is made of: rows of queries, keys and values, separate, fused or joint, columns of output projections; null for any other.</summary>
    internal AttentionHeads? HeadsOf(LinearDefinition linear) => Blocks.Select(block => block.Attention.HeadsOf(linear)).FirstOrDefault(heads => heads is not null);

    /// <summary>All normalisations.</summary>
    public IEnumerable<NormDefinition> Norms => [.. Blocks.SelectMany(block => block.Norms), FinalNorm];

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

            foreach (LinearDefinition linear in BlockLinears.SelectMany(linear => linear.Parts).Where(linear => linear.HasBias)) yield return (linear.BiasName, linear.OutputDimension);
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

    /// <summary>The layers of the checkpoint that this one holds, stacked by rows (<see cref="JointLayers"/>); empty where it is a layer of the checkpoint itself.</summary>
    public IReadOnlyList<LinearDefinition> Members { get; init; } = [];

    /// <summary>The layers of the checkpoint: the members, or the layer itself.</summary>
    internal IReadOnlyList<LinearDefinition> Parts => Members.Count > 0 ? Members : [this];

    /// <summary>The parts, each with the first of its rows.</summary>
    internal IEnumerable<(LinearDefinition Part, int FirstRow)> PartRows
    {
        get
        {
            int row = 0;
            foreach (LinearDefinition part in Parts)
            {
                yield return (part, row);
                row += part.OutputDimension;
            }
        }
    }

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
    /// <summary>Whether the stored gain is one less than the factor (Gemma).</summary>
    public bool IsGainOffset { get; init; }

    /// <summary>Name of the gain tensor.</summary>
    public string WeightName => Name + ".weight";

    /// <summary>Name of the bias tensor.</summary>
    public string BiasName => Name + ".bias";
}

/// <summary>Rotary position embedding of queries and keys.</summary>
/// <param name="InverseFrequencies">One per pair of channels; channels behind the last pair are not turned.</param>
/// <param name="Pairs">Which channels are turned together.</param>
/// <param name="Magnitude">Factor of cosines and sines.</param>
public sealed record RotaryDefinition(IReadOnlyList<float> InverseFrequencies, RotaryPairs Pairs = RotaryPairs.Halves, float Magnitude = 1f)
{
    /// <summary>Base of the plain frequencies.</summary>
    public double Theta { get; init; } = 10000.0;

    /// <summary>How the plain frequencies were stretched; null where they were not.</summary>
    public RotaryScaling? Scaling { get; init; }
}

/// <summary>A rule by which rotary frequencies are stretched to longer contexts, as configurations name it.</summary>
/// <param name="Kind"><c>linear</c>, <c>dynamic</c>, <c>llama3</c> or <c>yarn</c>.</param>
/// <param name="Factor">Stretch of the context.</param>
public sealed record RotaryScaling(string Kind, double Factor)
{
    /// <summary>Context that the model was trained with before (llama3, yarn).</summary>
    public double OriginalContext { get; init; }

    /// <summary>Turns in the original context from which a frequency stays (yarn).</summary>
    public double BetaFast { get; init; } = 32;

    /// <summary>Turns below which it is divided (yarn).</summary>
    public double BetaSlow { get; init; } = 1;

    /// <summary>Whether the ends of the ramp between them are rounded outwards to whole pairs (yarn).</summary>
    public bool Truncates { get; init; } = true;
}

/// <summary>Order of the output rows of one projection for queries, keys and values.</summary>
public enum ProjectionLayout
{
    /// <summary>All queries, then all keys, then all values; also for separate projections.</summary>
    Blocks,

    /// <summary>Head by head: its query, its key, its value.</summary>
    Heads,
}

/// <summary>Self-attention.</summary>
public sealed record AttentionDefinition
{
    /// <summary>Query heads.</summary>
    public required int HeadCount { get; init; }

    /// <summary>Key-value heads; divides the query heads.</summary>
    public required int KeyValueHeadCount { get; init; }

    /// <summary>Channels of a head.</summary>
    public required int HeadDimension { get; init; }

    /// <summary>Query, key and value projections; or one for all three.</summary>
    public required IReadOnlyList<LinearDefinition> Projections { get; init; }

    /// <summary>Row order of a single projection.</summary>
    public ProjectionLayout Layout { get; init; }

    /// <summary>Normalisation of queries, of each head or of all heads together by its dimension; null for none.</summary>
    public NormDefinition? QueryNorm { get; init; }

    /// <summary>Normalisation of keys, likewise.</summary>
    public NormDefinition? KeyNorm { get; init; }

    /// <summary>Positions that a query sees, its own included; null for all before it.</summary>
    public int? Window { get; init; }

    /// <summary>Smooth bound of the scores; null for none.</summary>
    public float? ScoreCap { get; init; }

    /// <summary>Output projection.</summary>
    public required LinearDefinition Output { get; init; }

    /// <summary>Rotary embedding, or null where positions are learned.</summary>
    public RotaryDefinition? Rotary { get; init; }

    /// <summary>Factor of the scores.</summary>
    public required float Scale { get; init; }

    /// <summary>The heads that a matrix of this layer is made of; null for a matrix of none.</summary>
    internal AttentionHeads? HeadsOf(LinearDefinition linear)
    {
        if (linear.Name == Output.Name) return new AttentionHeads(MatrixSide.Columns, HeadDimension);
        return Projections.Any(projection => projection.Name == linear.Name) ? new AttentionHeads(MatrixSide.Rows, HeadDimension) : null;
    }
}

/// <summary>Feed-forward layer: <c>down(f(gate x) * up x)</c>, or <c>down(f(up x))</c> without a gate.</summary>
/// <param name="Gate">Gate projection or null.</param>
/// <param name="Up">Up projection; with <paramref name="IsGateFused"/> its first half of rows is the gate.</param>
/// <param name="Down">Down projection.</param>
/// <param name="Activation">f.</param>
/// <param name="IsGateFused">Whether one matrix holds gate and up.</param>
public sealed record FeedForwardDefinition(LinearDefinition? Gate, LinearDefinition Up, LinearDefinition Down, ActivationFunction Activation, bool IsGateFused = false);

/// <summary>
/// A transformer block: <c>x += s postNorm(attention(norm x))</c>, <c>x += s postNorm(feedForward(norm x))</c>; norms that are null are left out.
/// In a parallel block both read the same x.
/// </summary>
/// <param name="Attention">Self-attention.</param>
/// <param name="FeedForward">Feed-forward layer.</param>
public sealed record BlockDefinition(AttentionDefinition Attention, FeedForwardDefinition FeedForward)
{
    /// <summary>Norm before attention.</summary>
    public NormDefinition? AttentionNorm { get; init; }

    /// <summary>Norm of the attention's result.</summary>
    public NormDefinition? AttentionPostNorm { get; init; }

    /// <summary>Norm before the feed-forward layer.</summary>
    public NormDefinition? FeedForwardNorm { get; init; }

    /// <summary>Norm of the feed-forward layer's result.</summary>
    public NormDefinition? FeedForwardPostNorm { get; init; }

    /// <summary>Whether attention and feed-forward layer read the same input.</summary>
    public bool IsParallel { get; init; }

    /// <summary>s, the factor of what is added to the residual stream.</summary>
    public float ResidualScale { get; init; } = 1f;

    /// <summary>The block's norms.</summary>
    public IEnumerable<NormDefinition> Norms =>
        new[] { AttentionNorm, Attention.QueryNorm, Attention.KeyNorm, AttentionPostNorm, FeedForwardNorm, FeedForwardPostNorm }.OfType<NormDefinition>();

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
