using System.Runtime.InteropServices;
using TensorCompress.Storage;
using TensorCompress.Tensors;

namespace TensorCompress.Tests.TestKit;

/// <summary>Tensors in memory, for tests that need no file.</summary>
internal sealed class MemoryTensors : ITensorSource, ITensorSink
{
    private readonly Dictionary<string, TensorInfo> _tensors = [];
    private readonly Dictionary<string, byte[]> _bytes = [];

    public IReadOnlyDictionary<string, TensorInfo> Tensors => _tensors;

    public void Add(TensorInfo tensor, Action<Stream> write)
    {
        using var stream = new MemoryStream();
        write(stream);
        Add(tensor, stream.ToArray());
    }

    public void Add(TensorInfo tensor, ReadOnlySpan<byte> bytes)
    {
        Assert.Equal(tensor.ByteLength, bytes.Length);
        _tensors.Add(tensor.Name, tensor);
        _bytes.Add(tensor.Name, bytes.ToArray());
    }

    public void Add(string name, long[] shape, ReadOnlySpan<float> values) => Add(new TensorInfo(name, ElementType.F32, shape), MemoryMarshal.AsBytes(values));

    public byte[] Bytes(string name) => _bytes[name];

    public void Replace(TensorInfo tensor, byte[] bytes) => (_tensors[tensor.Name], _bytes[tensor.Name]) = (tensor, bytes);

    public void Remove(string name)
    {
        _tensors.Remove(name);
        _bytes.Remove(name);
    }

    public void ReadBytes(string name, long offset, Span<byte> destination) => _bytes[name].AsSpan(checked((int)offset), destination.Length).CopyTo(destination);

    public void ReadSingles(string name, long firstElement, Span<float> destination)
    {
        ElementType type = _tensors[name].ElementType;
        int size = type.BitWidth() / 8;
        ElementConversion.ToSingle(type, _bytes[name].AsSpan(checked((int)firstElement * size), destination.Length * size), destination);
    }

    public void Dispose()
    {
    }
}
