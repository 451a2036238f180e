using TensorCompress.Compression;
using TensorCompress.Models;
using TensorCompress.Tensors;

namespace TensorCompress.Inference;

/// <summary>Looks at one layer of a checkpoint.</summary>
public static class LayerExplanation
{
    /// <summary>What the layer's weight has to say about itself.</summary>
    /// <param name="checkpoint">An open checkpoint.</param>
    /// <param name="layer">The layer's name; a trailing <c>.weight</c> is accepted.</param>
    /// <exception cref="ArgumentException">There is no such layer; the message names some that there are.</exception>
    /// <exception cref="Storage.TensorFormatException">The layer is damaged.</exception>
    public static WeightExplanation Of(ModelCheckpoint checkpoint, string layer)
    {
        using CompressedWeight weight = WeightLoader.ReadWeight(checkpoint, Find(checkpoint, layer));
        return weight.Explain();
    }

    /// <summary>The layer's weight as floats, decompressed where it is compressed.</summary>
    /// <inheritdoc cref="Of"/>
    /// <returns>[output, input].</returns>
    public static Matrix<float> ReadDense(ModelCheckpoint checkpoint, string layer)
    {
        using CompressedWeight weight = WeightLoader.ReadWeight(checkpoint, Find(checkpoint, layer));
        return weight.ToDense();
    }

    private static LinearDefinition Find(ModelCheckpoint checkpoint, string layer)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        ArgumentNullException.ThrowIfNull(layer);
        return checkpoint.Definition.Linears.FirstOrDefault(candidate => candidate.Name == layer || candidate.WeightName == layer)
            ?? throw new ArgumentException($"There is no layer \"{layer}\"; there are {string.Join(", ", checkpoint.Definition.Linears.Take(4).Select(candidate => candidate.Name))} and others.", nameof(layer));
    }
}
