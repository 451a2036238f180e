using TensorCompress.Compression;
using TensorCompress.Models;
using TensorCompress.Storage;

namespace TensorCompress.Pipeline;

/// <summary>What a checkpoint takes on disk, with everything counted.</summary>
/// <param name="StoredBytes">Bytes of the weight files, headers included.</param>
/// <param name="ParameterCount">Parameters of the model, a tied embedding counted once.</param>
/// <param name="LinearBitsPerWeight">Stored bits over weights, over the compressed layers; over all matrices of the blocks where none is compressed.</param>
public sealed record ModelSize(long StoredBytes, long ParameterCount, double LinearBitsPerWeight)
{
    /// <summary>All stored bits over all parameters, embeddings included.</summary>
    public double BitsPerWeight => StoredBytes * 8.0 / ParameterCount;

    /// <summary>Measures a checkpoint.</summary>
    public static ModelSize Of(ModelCheckpoint checkpoint)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        CompressionManifest? manifest = checkpoint.Manifest;
        long weights = 0, bytes = 0;
        foreach (LinearDefinition linear in manifest is { Layers.Count: > 0 } ? checkpoint.Definition.Linears : checkpoint.Definition.BlockLinears)
        {
            ManifestLayer? layer = null;
            if (manifest is { Layers.Count: > 0 } && !manifest.Layers.TryGetValue(linear.Name, out layer)) continue;
            weights += (long)linear.OutputDimension * linear.InputDimension;
            bytes += layer is null ? checkpoint.StoredTensorBytes(linear.WeightName) : PartBytes(checkpoint.Tensors, $"{linear.Name}.{layer.Method}.");
        }

        return new ModelSize(checkpoint.WeightBytes, checkpoint.Definition.ParameterCount, bytes * 8.0 / weights);
    }

    private static long PartBytes(ITensorSource tensors, string prefix) =>
        tensors.Tensors.Values.Where(tensor => tensor.Name.StartsWith(prefix, StringComparison.Ordinal)).Sum(tensor => tensor.ByteLength);
}
