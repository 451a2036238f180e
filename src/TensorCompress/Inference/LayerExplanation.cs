using System.Globalization;
using TensorCompress.Compression;
using TensorCompress.Models;
using TensorCompress.Tensors;

namespace TensorCompress.Inference;

/// <summary>Looks at one layer of a checkpoint.</summary>
public static class LayerExplanation
{
    /// <summary>What the layer's weight has to say about itself; of a layer that is stored with others, what their common weight has to say.</summary>
    /// <param name="checkpoint">An open checkpoint.</param>
    /// <param name="layer">The layer's name; a trailing <c>.weight</c> is accepted.</param>
    /// <exception cref="ArgumentException">There is no such layer; the message names some that there are.</exception>
    /// <exception cref="Storage.TensorFormatException">The layer is damaged.</exception>
    public static WeightExplanation Of(ModelCheckpoint checkpoint, string layer)
    {
        LinearDefinition stored = Find(checkpoint, layer).Stored;
        using CompressedWeight weight = WeightLoader.ReadWeight(checkpoint, stored);
        WeightExplanation explanation = weight.Explain();
        if (stored.Members.Count == 0) return explanation;
        IEnumerable<KeyValuePair<string, string>> members = stored.PartRows.Select(part =>
            KeyValuePair.Create(string.Create(CultureInfo.InvariantCulture, $"rows {part.FirstRow} to {part.FirstRow + part.Part.OutputDimension - 1}"), part.Part.Name));
        return explanation with { Facts = [.. explanation.Facts, .. members] };
    }

    /// <summary>The layer's weight as floats, decompressed where it is compressed.</summary>
    /// <inheritdoc cref="Of"/>
    /// <returns>[output, input].</returns>
    public static Matrix<float> ReadDense(ModelCheckpoint checkpoint, string layer) => WeightLoader.ReadDecoded(checkpoint, Find(checkpoint, layer).Part);

    private static (LinearDefinition Stored, LinearDefinition Part, int FirstRow) Find(ModelCheckpoint checkpoint, string layer)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        ArgumentNullException.ThrowIfNull(layer);
        return JointLayers.Find(checkpoint.Definition, layer)
            ?? throw new ArgumentException($"There is no layer \"{layer}\"; there are {string.Join(", ", checkpoint.Definition.Linears.Take(4).Select(candidate => candidate.Name))} and others.", nameof(layer));
    }
}
