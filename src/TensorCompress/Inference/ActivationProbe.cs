using TensorCompress.Tensors;

namespace TensorCompress.Inference;

/// <summary>Places of a forward pass that can be looked at.</summary>
public enum ActivationPoint
{
    /// <summary>Token (and position) embedding, the first residual stream.</summary>
    Embedding,

    /// <summary>Input of the attention projections.</summary>
    AttentionNorm,

    /// <summary>Queries before rotary embedding, [tokens, heads x dimension].</summary>
    Queries,

    /// <summary>Keys before rotary embedding.</summary>
    Keys,

    /// <summary>Values.</summary>
    Values,

    /// <summary>Weighted sums of values, the input of the output projection.</summary>
    AttentionMix,

    /// <summary>Result of the output projection.</summary>
    AttentionOutput,

    /// <summary>Residual stream after attention.</summary>
    AttentionResidual,

    /// <summary>Input of the feed-forward layer.</summary>
    FeedForwardNorm,

    /// <summary>Result of the up projection.</summary>
    FeedForwardUp,

    /// <summary>Input of the down projection.</summary>
    FeedForwardActivation,

    /// <summary>Result of the down projection.</summary>
    FeedForwardOutput,

    /// <summary>Residual stream after the block.</summary>
    BlockOutput,

    /// <summary>Input of the head.</summary>
    FinalNorm,
}

/// <summary>Looks at the activations of a forward pass. Views are valid during the call only.</summary>
public abstract class ActivationProbe
{
    /// <summary>Called for each place in the order of computation, once per chunk of tokens.</summary>
    /// <param name="point">The place.</param>
    /// <param name="block">Index of the transformer block, or -1 outside the blocks.</param>
    /// <param name="firstPosition">Position of the first row.</param>
    /// <param name="values">[tokens, width].</param>
    public abstract void Observe(ActivationPoint point, int block, int firstPosition, MatrixView<float> values);

    /// <summary>Called with the attention weights of one head and query over positions 0 to <paramref name="position"/>; from several threads.</summary>
    public virtual void ObserveAttention(int block, int head, int position, ReadOnlyMemory<float> weights)
    {
    }
}
