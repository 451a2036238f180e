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
        (LinearDefinition stored, _) = Find(checkpoint, layer);
        using CompressedWeight weight = WeightLoader.ReadWeight(checkpoint, stored);
        WeightExplanation explanation = weight.Explain();
        if (stored.Members.Count == 0) return explanation;
        var members = new List<KeyValuePair<string, string>>();
        int row = 0;
        foreach (LinearDefinition member in stored.Members)
        {
            members.Add(new(string.Create(CultureInfo.InvariantCulture, $"rows {row} to {row + member.OutputDimension - 1}"), member.Name));
            row += member.OutputDimension;
        }

        return explanation with { Facts = [.. explanation.Facts, .. members] };
    }

    /// <summary>The layer's weight as floats, decompressed where it is compressed.</summary>
    /// <inheritdoc cref="Of"/>
    /// <returns>[output, input].</returns>
    public static Matrix<float> ReadDense(ModelCheckpoint checkpoint, string layer) => WeightLoader.ReadDecoded(checkpoint, Find(checkpoint, layer).Part);

    private static (LinearDefinition Stored, LinearDefinition Part) Find(ModelCheckpoint checkpoint, string layer)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        ArgumentNullException.ThrowIfNull(layer);
        foreach (LinearDefinition stored in checkpoint.Definition.Linears)
        {
            LinearDefinition? part = stored.Members.Prepend(stored).FirstOrDefault(candidate => candidate.Name == layer || candidate.WeightName == layer);
            if (part is not null) return (stored, part);
        }

        throw new ArgumentException($"There is no layer \"{layer}\"; there are {string.Join(", ", checkpoint.Definition.Linears.Take(4).Select(candidate => candidate.Name))} and others.", nameof(layer));
    }
}
