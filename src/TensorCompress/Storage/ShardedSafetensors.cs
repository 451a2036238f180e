using System.Text.Json;

namespace TensorCompress.Storage;

/// <summary>A model in several safetensors files with an index that says which tensor lies in which.</summary>
public sealed class ShardedSafetensors : ITensorSource
{
    /// <summary>Metadata key under which this library marks the shards of one run.</summary>
    public const string RunKey = "tensorcompress.run";

    private const int MaxShards = 10_000;
    private const long MaxIndexBytes = 256L << 20;

    private readonly Dictionary<string, SafetensorsFile> _shards = [];
    private readonly Dictionary<string, SafetensorsFile> _shardOf = [];
    private readonly Dictionary<string, TensorInfo> _tensors = [];
    private readonly List<string> _warnings = [];

    private ShardedSafetensors()
    {
    }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, TensorInfo> Tensors => _tensors;

    /// <summary>Paths of the shards.</summary>
    public IReadOnlyList<string> Files { get; private set; } = [];

    /// <summary>Oddities that do no harm.</summary>
    public IReadOnlyList<string> Warnings => _warnings;

    /// <summary>Opens the index and all shards that it names.</summary>
    /// <param name="indexPath">Path of <c>model.safetensors.index.json</c>.</param>
    /// <exception cref="TensorFormatException">The index or a shard is damaged, or they contradict each other.</exception>
    public static ShardedSafetensors Open(string indexPath)
    {
        var model = new ShardedSafetensors();
        try
        {
            model.Read(indexPath);
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void ReadBytes(string name, long offset, Span<byte> destination) => ShardOf(name).ReadBytes(name, offset, destination);

    /// <inheritdoc/>
    public void ReadSingles(string name, long firstElement, Span<float> destination) => ShardOf(name).ReadSingles(name, firstElement, destination);

    /// <summary>Closes the shards.</summary>
    public void Dispose()
    {
        foreach (SafetensorsFile shard in _shards.Values) shard.Dispose();
    }

    private SafetensorsFile ShardOf(string name) => _shardOf.TryGetValue(name, out SafetensorsFile? shard) ? shard : throw new KeyNotFoundException($"There is no tensor {name}.");

    private void Read(string indexPath)
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(indexPath))!;
        using JsonDocument index = JsonDocuments.Read(indexPath, MaxIndexBytes);
        if (!index.RootElement.TryGetProperty("weight_map", out JsonElement map) || map.ValueKind != JsonValueKind.Object)
            throw new TensorFormatException(TensorFormatError.Structure, "\"weight_map\" is missing or not an object", indexPath);
        Dictionary<string, string> shardNames = [];
        foreach (JsonProperty entry in map.EnumerateObject())
        {
            if (entry.Value.ValueKind != JsonValueKind.String) throw new TensorFormatException(TensorFormatError.Structure, "its shard is not a text", indexPath, entry.Name);
            shardNames.Add(entry.Name, CheckShardName(entry.Value.GetString()!, indexPath));
        }

        string[] names = [.. shardNames.Values.Distinct().Order(StringComparer.Ordinal)];
        if (names.Length > MaxShards) throw new TensorFormatException(TensorFormatError.Limit, $"{names.Length} shards; at most {MaxShards} are read", indexPath);
        foreach (string name in names) OpenShard(name, Path.Combine(folder, name), indexPath);
        Files = [.. names.Select(name => Path.Combine(folder, name))];
        foreach ((string tensor, string shard) in shardNames)
        {
            if (!_shards[shard].Tensors.ContainsKey(tensor)) throw new TensorFormatException(TensorFormatError.Inconsistent, $"the index places it in {shard}, which lacks it", indexPath, tensor);
        }

        Collect(shardNames, indexPath);
        CheckTotalSize(index.RootElement);
        CheckRun(indexPath);
    }

    private static string CheckShardName(string name, string indexPath)
    {
        bool isPlain = name.Length > 0 && name is not ("." or "..") && name.IndexOfAny(['/', '\\', ':']) < 0 && !name.Any(char.IsControl)
            && name.EndsWith(".safetensors", StringComparison.Ordinal) && Path.GetFileName(name) == name && !IsDeviceName(name);
        return isPlain ? name : throw new TensorFormatException(TensorFormatError.UnsafePath, $"the shard name \"{name}\" is not a plain *.safetensors file name", indexPath);
    }

    // Windows takes these names for devices whatever extension follows; a model must be readable on every system.
    private static bool IsDeviceName(string name)
    {
        ReadOnlySpan<char> stem = name.AsSpan(0, name.IndexOf('.', StringComparison.Ordinal)).TrimEnd(' ');
        foreach (string device in new[] { "CON", "PRN", "AUX", "NUL" })
        {
            if (stem.Equals(device, StringComparison.OrdinalIgnoreCase)) return true;
        }

        return stem.Length == 4 && char.IsAsciiDigit(stem[3])
            && (stem.StartsWith("COM", StringComparison.OrdinalIgnoreCase) || stem.StartsWith("LPT", StringComparison.OrdinalIgnoreCase));
    }

    private void OpenShard(string name, string path, string indexPath)
    {
        if (!File.Exists(path)) throw new TensorFormatException(TensorFormatError.Inconsistent, $"the shard {name} is not there", indexPath);
        _shards.Add(name, SafetensorsFile.Open(path));
    }

    private void Collect(Dictionary<string, string> shardNames, string indexPath)
    {
        foreach ((string shardName, SafetensorsFile shard) in _shards)
        {
            foreach (TensorInfo tensor in shard.Tensors.Values)
            {
                if (_shardOf.ContainsKey(tensor.Name)) throw new TensorFormatException(TensorFormatError.Duplicate, "the tensor lies in two shards", indexPath, tensor.Name);
                _shardOf.Add(tensor.Name, shard);
                _tensors.Add(tensor.Name, tensor);
                if (!shardNames.ContainsKey(tensor.Name)) _warnings.Add($"tensor {tensor.Name} of {shardName} is not in the index");
            }
        }
    }

    private void CheckTotalSize(JsonElement root)
    {
        if (!root.TryGetProperty("metadata", out JsonElement metadata) || metadata.ValueKind != JsonValueKind.Object
            || !metadata.TryGetProperty("total_size", out JsonElement total) || total.ValueKind != JsonValueKind.Number) return;
        long actual = _tensors.Values.Sum(tensor => tensor.ByteLength);
        if (!total.TryGetInt64(out long declared) || declared != actual) _warnings.Add($"the index declares {total.GetRawText()} bytes of tensors, there are {actual}");
    }

    private void CheckRun(string indexPath)
    {
        string?[] runs = [.. _shards.Values.Select(shard => shard.Metadata.GetValueOrDefault(RunKey)).Distinct()];
        if (runs.Length > 1) throw new TensorFormatException(TensorFormatError.Inconsistent, "the shards are of different runs", indexPath);
    }
}
