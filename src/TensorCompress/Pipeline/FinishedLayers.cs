using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using TensorCompress.Compression;
using TensorCompress.Models;
using TensorCompress.Storage;
using TensorCompress.Tensors;

namespace TensorCompress.Pipeline;

/// <summary>
/// Layers that took long, kept in a hidden folder beside the output until that is whole: a job that was killed goes on from them. A layer is found again by a hash of all that it was made from (weights or
/// aim, statistics, method, options, seed), so what stands there can be old but not wrong.
/// </summary>
internal sealed class FinishedLayers
{
    private const string ParametersKey = "parameters";

    private readonly string _folder;
    private readonly TimeSpan _leastTime;

    private FinishedLayers(string folder, TimeSpan leastTime) => (_folder, _leastTime) = (folder, leastTime);

    /// <summary>Those of a job with an output.</summary>
    /// <param name="output">Folder that the job makes.</param>
    /// <param name="options">Options of the job.</param>
    public static FinishedLayers Of(string output, CompressionJobOptions options)
    {
        string full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(output));
        var layers = new FinishedLayers(Path.Combine(Path.GetDirectoryName(full)!, $".{Path.GetFileName(full)}.layers"), options.LeastTimeToKeep);
        if (options.Restart) layers.Remove();
        return layers;
    }

    /// <summary>The hash of all that a compressed layer depends on.</summary>
    public static string KeyOf(LinearDefinition linear, MatrixView<float> target, MethodOptions method, ulong seed, LayerStatistics? statistics, AttentionHeads? heads)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes($"{linear.Name}\n{target.Rows} x {target.Columns}\n{method.ToText()}\n{method.Method.FormatVersion}\n{seed}\n{statistics?.TokenCount}\n{heads}\n{LayerCompression.ToolVersion}\n"));
        for (nint row = 0; row < target.Rows; row++) hash.AppendData(MemoryMarshal.AsBytes(target.Row(row)));
        for (nint row = 0; row < (statistics?.Dimension ?? 0); row++) hash.AppendData(MemoryMarshal.AsBytes(statistics!.SecondMoment.Row(row)));
        if (statistics?.OutputImportance is { } importance) hash.AppendData(MemoryMarshal.AsBytes(importance.ToArray().AsSpan()));
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>Reads a layer, if it is there and whole.</summary>
    public CompressedWeight? Find(string key, LinearDefinition linear, ICompressionMethod method)
    {
        string path = PathOf(key);
        if (!File.Exists(path)) return null;
        try
        {
            using SafetensorsFile file = SafetensorsFile.Open(path);
            JsonObject parameters = JsonNode.Parse(file.Metadata[ParametersKey])!.AsObject();
            return method.Read(new StoredWeight(linear.Name, linear.OutputDimension, linear.InputDimension, parameters, file));
        }
        catch (Exception fault) when (fault is TensorFormatException or System.Text.Json.JsonException or KeyNotFoundException)
        {
            return null; // damaged: it is made again
        }
    }

    /// <summary>Keeps a layer that took long.</summary>
    public void Keep(string key, LinearDefinition linear, CompressedWeight weight, TimeSpan elapsed)
    {
        if (elapsed < _leastTime) return;
        Directory.CreateDirectory(_folder);
        using SafetensorsWriter writer = SafetensorsWriter.Create(PathOf(key), new Dictionary<string, string> { [ParametersKey] = weight.Parameters.ToJsonString() });
        foreach (WeightPart part in weight.Parts) writer.Add(new TensorInfo(StoredParts.TensorName(linear.Name, weight.Method, part.Name), part.ElementType, part.Shape), part.Write);
        writer.Complete();
    }

    /// <summary>Removes all of them: the output is whole.</summary>
    public void Remove()
    {
        if (Directory.Exists(_folder)) Directory.Delete(_folder, recursive: true);
    }

    private string PathOf(string key) => Path.Combine(_folder, key + ".safetensors");
}
