using System.Runtime.InteropServices;
using TensorCompress.Compression;
using TensorCompress.Kernels;
using TensorCompress.Storage;
using TensorCompress.Tensors;

namespace TensorCompress.Tests.TestKit;

/// <summary>Tensors in memory instead of a file.</summary>
internal sealed class MemoryTensors : ITensorSource
{
    private readonly Dictionary<string, TensorInfo> _tensors = [];

    /// <summary>The stored bytes by name; tests may damage them.</summary>
    public Dictionary<string, byte[]> Bytes { get; } = [];

    public IReadOnlyDictionary<string, TensorInfo> Tensors => _tensors;

    /// <summary>What a file would hold of a weight, by the bytes that its parts write.</summary>
    public static MemoryTensors Of(string layer, CompressedWeight weight)
    {
        var tensors = new MemoryTensors();
        foreach (WeightPart part in weight.Parts)
        {
            using var stream = new MemoryStream();
            part.Write(stream);
            tensors.Add(new TensorInfo($"{layer}.{weight.Method.Name}.{part.Name}", part.ElementType, part.Shape), stream.ToArray());
        }

        return tensors;
    }

    public void Add(TensorInfo tensor, byte[] bytes)
    {
        _tensors[tensor.Name] = tensor;
        Bytes[tensor.Name] = bytes;
    }

    public void Add(string name, long[] shape, ReadOnlySpan<float> values) => Add(new TensorInfo(name, ElementType.F32, shape), MemoryMarshal.AsBytes(values).ToArray());

    public void Remove(string name)
    {
        _tensors.Remove(name);
        Bytes.Remove(name);
    }

    public void ReadBytes(string name, long offset, Span<byte> destination)
    {
        byte[] bytes = Bytes[name];
        if (offset < 0 || offset + destination.Length > bytes.Length) throw new ArgumentOutOfRangeException(nameof(offset), offset, $"{name} has {bytes.Length} bytes.");
        bytes.AsSpan((int)offset, destination.Length).CopyTo(destination);
    }

    public void ReadSingles(string name, long firstElement, Span<float> destination)
    {
        ElementType type = _tensors[name].ElementType;
        int size = type.BitWidth() / 8;
        ElementConversion.ToSingle(type, Bytes[name].AsSpan((int)firstElement * size, destination.Length * size), destination);
    }

    public void Dispose()
    {
    }
}
