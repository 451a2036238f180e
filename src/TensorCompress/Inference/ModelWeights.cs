using TensorCompress.Layers;
using TensorCompress.Models;

namespace TensorCompress.Inference;

/// <summary>A linear layer with its bias (empty for none).</summary>
internal sealed record BiasedLinear(LinearLayer Layer, float[] Bias);

/// <summary>The loaded parts of one transformer block.</summary>
internal sealed record BlockWeights(
    NormLayer? AttentionNorm, BiasedLinear[] Projections, NormLayer? QueryNorm, NormLayer? KeyNorm, BiasedLinear AttentionOutput, NormLayer? AttentionPostNorm,
    NormLayer? FeedForwardNorm, BiasedLinear? Gate, BiasedLinear Up, BiasedLinear Down, NormLayer? FeedForwardPostNorm)
{
    /// <summary>All its matrices.</summary>
    public IEnumerable<LinearLayer> Layers =>
        Projections.Append(AttentionOutput).Append(Gate).Append(Up).Append(Down).Where(linear => linear is not null).Select(linear => linear!.Layer);

    /// <summary>The block with another layer in place of one of its matrices.</summary>
    /// <param name="definition">The block's definition.</param>
    /// <param name="linear">Which matrix.</param>
    /// <param name="layer">What takes its place.</param>
    public BlockWeights Replace(BlockDefinition definition, LinearDefinition linear, LinearLayer layer)
    {
        BiasedLinear Exchanged(BiasedLinear old) => old with { Layer = layer };

        FeedForwardDefinition feedForward = definition.FeedForward;
        if (linear == definition.Attention.Output) return this with { AttentionOutput = Exchanged(AttentionOutput) };
        if (linear == feedForward.Gate) return this with { Gate = Exchanged(Gate!) };
        if (linear == feedForward.Up) return this with { Up = Exchanged(Up) };
        if (linear == feedForward.Down) return this with { Down = Exchanged(Down) };
        return this with { Projections = [.. Projections.Select((old, i) => linear == definition.Attention.Projections[i] ? Exchanged(old) : old)] };
    }
}

/// <summary>The loaded parts of a model. A tied head is the same object as the embedding.</summary>
internal sealed record ModelWeights(
    ModelDefinition Definition, LinearLayer Embedding, float[] Positions, BlockWeights[] Blocks, NormLayer FinalNorm, LinearLayer Head, float[] HeadBias) : IDisposable
{
    public IEnumerable<LinearLayer> Layers => Blocks.SelectMany(block => block.Layers).Prepend(Embedding).Append(Head).Distinct();

    public long ResidentBytes => Layers.Sum(layer => layer.ResidentBytes) + Definition.Vectors.Sum(vector => vector.Length * sizeof(float));

    public void Dispose()
    {
        foreach (LinearLayer layer in Layers) layer.Dispose();
    }
}
