namespace TensorCompress.Inference;

/// <summary>How far a pass is in a block: the places whose activations are the inputs of matrices, in the order of computation, and the end.</summary>
internal enum BlockStage
{
    /// <summary>Input of the attention projections.</summary>
    AttentionNorm,

    /// <summary>Input of the attention's output projection.</summary>
    AttentionMix,

    /// <summary>Input of the gate and up projections.</summary>
    FeedForwardNorm,

    /// <summary>Input of the down projection.</summary>
    FeedForwardActivation,

    /// <summary>Behind the block.</summary>
    End,
}
