using TensorCompress.Compression;
using TensorCompress.Storage;

namespace TensorCompress.Models;

/// <summary>
/// Layers with the same input that are one matrix, stacked by rows: queries, keys and values, or gate and up. To the executor they are the fused projections that some checkpoints have anyway, so their product is
/// computed once; whatever compresses, stores and counts them sees one layer.
/// </summary>
internal static class JointLayers
{
    /// <summary>The model with neighbours in one matrix.</summary>
    /// <param name="definition">The model.</param>
    /// <param name="belongTogether">Whether two layers with the same input, of which the second follows the first, are in one matrix.</param>
    public static ModelDefinition Join(ModelDefinition definition, Func<LinearDefinition, LinearDefinition, bool> belongTogether) => definition with
    {
        Blocks =
        [
            .. definition.Blocks.Select(block => block with
            {
                Attention = block.Attention with { Projections = Join(block.Attention.Projections, belongTogether) },
                FeedForward = block.FeedForward is { Gate: { } gate, Up: var up } && belongTogether(gate, up)
                    ? block.FeedForward with { Gate = null, Up = Stack([gate, up]), IsGateFused = true }
                    : block.FeedForward,
            }),
        ],
    };

    /// <summary>The model with every layer of the checkpoint by itself: undoes <see cref="Join(ModelDefinition, Func{LinearDefinition, LinearDefinition, bool})"/>.</summary>
    public static ModelDefinition Separate(ModelDefinition definition) => definition with
    {
        Blocks =
        [
            .. definition.Blocks.Select(block => block with
            {
                Attention = block.Attention with { Projections = [.. block.Attention.Projections.SelectMany(projection => projection.Parts)] },
                FeedForward = block.FeedForward.Up.Members is [var gate, var up] ? block.FeedForward with { Gate = gate, Up = up, IsGateFused = false } : block.FeedForward,
            }),
        ],
    };

    /// <summary>The model as a compressed checkpoint holds it.</summary>
    /// <param name="definition">The model of the configuration.</param>
    /// <param name="manifest">Says which layers are joined; may be null.</param>
    /// <param name="path">The checkpoint, for messages.</param>
    /// <exception cref="TensorFormatException">The manifest joins layers that are not there, have other rows, or have not the same input.</exception>
    public static ModelDefinition Read(ModelDefinition definition, CompressionManifest? manifest, string path)
    {
        if (manifest is null || manifest.Layers.Values.All(layer => layer.Members.Count == 0)) return definition;
        var jointOf = new Dictionary<string, string>();
        foreach ((string joint, ManifestLayer layer) in manifest.Layers)
        {
            foreach (ManifestMember member in layer.Members)
            {
                if (manifest.Layers.ContainsKey(member.Name) || !jointOf.TryAdd(member.Name, joint))
                    throw new TensorFormatException(TensorFormatError.Inconsistent, "the manifest has the layer twice", path, member.Name);
            }
        }

        ModelDefinition joined = Join(definition, (one, next) => jointOf.TryGetValue(one.Name, out string? joint) && jointOf.GetValueOrDefault(next.Name) == joint);
        Dictionary<string, LinearDefinition> stacks = joined.BlockLinears.Where(linear => linear.Members.Count > 0).ToDictionary(linear => linear.Name);
        foreach ((string name, ManifestLayer layer) in manifest.Layers.Where(entry => entry.Value.Members.Count > 0))
        {
            if (stacks.TryGetValue(name, out LinearDefinition? stack) && stack.Members.Select(member => (member.Name, member.OutputDimension)).SequenceEqual(layer.Members.Select(member => (member.Name, member.RowCount)))) continue;
            string rows = string.Join(", ", layer.Members.Select(member => $"{member.RowCount} rows of {member.Name}"));
            throw new TensorFormatException(TensorFormatError.Inconsistent, $"the manifest joins {rows}; the model has no such neighbours of the same input", path, name);
        }

        return joined;
    }

    /// <summary>Where the rows of a layer are.</summary>
    /// <param name="definition">The model, with or without joint layers.</param>
    /// <param name="name">Name of a layer or of a member of one; a trailing <c>.weight</c> is accepted.</param>
    /// <returns>The layer that is stored, the one of the name, and its first row there; null where there is none of the name.</returns>
    public static (LinearDefinition Stored, LinearDefinition Part, int FirstRow)? Find(ModelDefinition definition, string name)
    {
        foreach (LinearDefinition stored in definition.Linears)
        {
            foreach ((LinearDefinition part, int firstRow) in stored.PartRows.Prepend((stored, 0)))
            {
                if (part.Name == name || part.WeightName == name) return (stored, part, firstRow);
            }
        }

        return null;
    }

    private static LinearDefinition[] Join(IReadOnlyList<LinearDefinition> neighbours, Func<LinearDefinition, LinearDefinition, bool> belongTogether)
    {
        var joined = new List<LinearDefinition>();
        for (int start = 0, end; start < neighbours.Count; start = end)
        {
            for (end = start + 1; end < neighbours.Count && belongTogether(neighbours[end - 1], neighbours[end]);) end++;
            joined.Add(end == start + 1 ? neighbours[start] : Stack([.. neighbours.Skip(start).Take(end - start)]));
        }

        return [.. joined];
    }

    /// <summary>One layer of several, with a name of theirs: <c>model.layers.0.self_attn.q_proj+k_proj+v_proj</c>.</summary>
    private static LinearDefinition Stack(IReadOnlyList<LinearDefinition> members)
    {
        string first = members[0].Name, name = first + string.Concat(members.Skip(1).Select(member => "+" + member.Name[(member.Name.LastIndexOf('.') + 1)..]));
        return new LinearDefinition(name, members.Sum(member => member.OutputDimension), members[0].InputDimension) { HasBias = members.Any(member => member.HasBias), Members = members };
    }
}
