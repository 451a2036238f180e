using System.Runtime.InteropServices;
using TensorCompress.Storage;

namespace TensorCompress.Models;

/// <summary>The tensors of a GGUF file under Hugging Face names and in Hugging Face row order.</summary>
internal sealed class GgufModelTensors : ITensorSource
{
    private readonly GgufFile _file;
    private readonly Dictionary<string, TensorInfo> _tensors = [];
    private readonly Dictionary<string, (string GgufName, int HeadDimension)> _origins = [];
    private readonly List<string> _warnings;

    public GgufModelTensors(GgufFile file, IGgufArchitecture architecture, string path)
    {
        _file = file;
        _warnings = [.. file.Warnings];
        var metadata = new GgufModelMetadata(file, architecture.GgufArchitecture);
        foreach (TensorInfo tensor in file.Tensors.Values)
        {
            if (architecture.MapTensor(tensor.Name) is not { } mapping)
            {
                _warnings.Add($"tensor {tensor.Name} is not used");
                continue;
            }

            int headDimension = 0;
            if (mapping.RotaryHeadsKey is { } key)
            {
                int heads = metadata.OptionalDimension(key) ?? metadata.Dimension("attention.head_count");
                if (tensor.Shape.Count != 2 || tensor.Shape[0] % (2 * heads) != 0)
                    throw new TensorFormatException(TensorFormatError.Inconsistent, $"shape [{string.Join(", ", tensor.Shape)}] has no even number of rows for each of {heads} heads", path, tensor.Name);
                headDimension = (int)(tensor.Shape[0] / heads);
            }

            _tensors.Add(mapping.Name, tensor with { Name = mapping.Name });
            _origins.Add(mapping.Name, (tensor.Name, headDimension));
        }

        string[] quantized = [.. file.Tensors.Keys.Where(file.IsQuantized).Select(file.StoredType).Distinct().Order(StringComparer.Ordinal)];
        if (quantized.Length > 0) _warnings.Add($"the source is quantised ({string.Join(", ", quantized)}): \"dense\" means its values, not those of the model it was made from");
    }

    public IReadOnlyDictionary<string, TensorInfo> Tensors => _tensors;

    public IReadOnlyList<string> Warnings => _warnings;

    /// <summary>Bytes that a tensor takes in the file.</summary>
    public long StoredBytes(string name) => _file.StoredBytes(Origin(name).GgufName);

    /// <summary>Name of a tensor's stored type.</summary>
    public string StoredType(string name) => _file.StoredType(Origin(name).GgufName);

    public void ReadBytes(string name, long offset, Span<byte> destination)
    {
        long first = offset / sizeof(float), end = (offset + destination.Length + sizeof(float) - 1) / sizeof(float);
        var values = new float[checked((int)(end - first))];
        ReadSingles(name, first, values);
        MemoryMarshal.AsBytes<float>(values).Slice((int)(offset - first * sizeof(float)), destination.Length).CopyTo(destination);
    }

    public void ReadSingles(string name, long firstElement, Span<float> destination)
    {
        (string ggufName, int headDimension) = Origin(name);
        if (headDimension == 0) _file.ReadSingles(ggufName, firstElement, destination);
        else RotaryRowOrder.Read(firstElement, _tensors[name].Shape[1], headDimension, destination, (first, piece) => _file.ReadSingles(ggufName, first, piece));
    }

    public void Dispose() => _file.Dispose();

    private (string GgufName, int HeadDimension) Origin(string name) =>
        _origins.TryGetValue(name, out (string, int) origin) ? origin : throw new KeyNotFoundException($"There is no tensor {name}.");
}
