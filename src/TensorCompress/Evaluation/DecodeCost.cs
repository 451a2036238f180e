using TensorCompress.Inference;
using TensorCompress.Layers;
using TensorCompress.Models;

namespace TensorCompress.Evaluation;

/// <summary>What one more token costs, counted from the model and not measured: matrices and attention, which is nearly all of it.</summary>
/// <param name="Bytes">Bytes of weights and of keys and values that are read.</param>
/// <param name="Multiplications">Multiplications of numbers of any type.</param>
/// <param name="Additions">Additions.</param>
public sealed record DecodeCost(long Bytes, long Multiplications, long Additions)
{
    /// <summary>Counts.</summary>
    /// <param name="model">The model.</param>
    /// <param name="position">Positions before the token.</param>
    /// <exception cref="ArgumentOutOfRangeException">The position is negative.</exception>
    public static DecodeCost Of(LanguageModel model, int position)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentOutOfRangeException.ThrowIfNegative(position);
        ModelWeights weights = model.Weights;
        // Of an embedding that is not the head too, one row is read and nothing multiplied.
        LinearLayer[] layers = [.. weights.Layers.Where(layer => layer != weights.Embedding || layer == weights.Head)];
        long bytes = layers.Sum(layer => layer.ResidentBytes), multiplications = layers.Sum(layer => layer.MultiplicationsPerToken), additions = layers.Sum(layer => layer.AdditionsPerToken);
        if (weights.Embedding != weights.Head) bytes += weights.Embedding.ResidentBytes / weights.Embedding.OutputDimension;
        bytes += weights.Definition.Vectors.Sum(vector => vector.Length * sizeof(float));
        foreach (AttentionDefinition attention in weights.Definition.Blocks.Select(block => block.Attention))
        {
            long seen = Math.Min(position + 1, attention.Window ?? int.MaxValue);
            bytes += 2 * seen * attention.KeyValueHeadCount * attention.HeadDimension * sizeof(float);
            multiplications += 2 * seen * attention.HeadCount * attention.HeadDimension;
            additions += 2 * seen * attention.HeadCount * attention.HeadDimension;
        }

        return new DecodeCost(bytes, multiplications, additions);
    }
}
