using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace TensorCompress.Storage.Gguf;

/// <summary>The key-value part of a GGUF file in the making. Keys are written in the order in which they are added.</summary>
internal sealed class GgufMetadataBuilder
{
    // Values in the forms in which GgufMetadata holds them.
    private readonly List<(string Key, object Value)> _values = [];
    private readonly HashSet<string> _keys = [];

    /// <summary>A 32-bit unsigned integer, the kind that readers expect of dimensions, counts and ids.</summary>
    public void Add(string key, uint value) => AddRaw(key, value);

    public void Add(string key, float value) => AddRaw(key, value);

    public void Add(string key, bool value) => AddRaw(key, value);

    public void Add(string key, string value) => AddRaw(key, Encoding.UTF8.GetBytes(value));

    public void Add(string key, IEnumerable<string> values) => AddRaw(key, values.Select(Encoding.UTF8.GetBytes).ToArray());

    public void Add(string key, ReadOnlySpan<float> values) => AddRaw(key, new NumberList(6, sizeof(float), MemoryMarshal.AsBytes(values).ToArray()));

    public void Add(string key, ReadOnlySpan<int> values) => AddRaw(key, new NumberList(5, sizeof(int), MemoryMarshal.AsBytes(values).ToArray()));

    public void Add(string key, IEnumerable<bool> values) => AddRaw(key, new NumberList(NumberList.FlagType, 1, [.. values.Select(value => (byte)(value ? 1 : 0))]));

    /// <exception cref="ArgumentException">The key is there.</exception>
    public void AddRaw(string key, object value)
    {
        if (!_keys.Add(key)) throw new ArgumentException($"The key {key} is there.", nameof(key));
        _values.Add((key, value));
    }

    public int Count => _values.Count;

    public void WriteTo(Stream stream)
    {
        foreach ((string key, object value) in _values)
        {
            WriteText(stream, Encoding.UTF8.GetBytes(key));
            WriteValue(stream, value);
        }
    }

    internal static void WriteText(Stream stream, byte[] utf8)
    {
        Write(stream, (ulong)utf8.Length);
        stream.Write(utf8);
    }

    internal static void Write(Stream stream, uint value)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        stream.Write(bytes);
    }

    internal static void Write(Stream stream, ulong value)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        stream.Write(bytes);
    }

    private static void WriteValue(Stream stream, object value)
    {
        switch (value)
        {
            case byte[] text:
                Write(stream, 8u);
                WriteText(stream, text);
                break;
            case byte[][] texts:
                Write(stream, 9u);
                Write(stream, 8u);
                Write(stream, (ulong)texts.Length);
                foreach (byte[] text in texts) WriteText(stream, text);
                break;
            case NumberList list:
                Write(stream, 9u);
                Write(stream, list.Type);
                Write(stream, (ulong)list.Count);
                stream.Write(list.Bytes);
                break;
            default:
                (uint type, byte[] bytes) = Number(value);
                Write(stream, type);
                stream.Write(bytes);
                break;
        }
    }

    private static (uint Type, byte[] Bytes) Number(object value) => value switch
    {
        byte number => (0u, [number]),
        sbyte number => (1u, [(byte)number]),
        ushort number => (2u, BitConverter.GetBytes(number)),
        short number => (3u, BitConverter.GetBytes(number)),
        uint number => (4u, BitConverter.GetBytes(number)),
        int number => (5u, BitConverter.GetBytes(number)),
        float number => (6u, BitConverter.GetBytes(number)),
        bool flag => (NumberList.FlagType, [(byte)(flag ? 1 : 0)]),
        ulong number => (10u, BitConverter.GetBytes(number)),
        long number => (11u, BitConverter.GetBytes(number)),
        double number => (12u, BitConverter.GetBytes(number)),
        _ => throw new ArgumentException($"Values of type {value.GetType().Name} are no metadata.", nameof(value)),
    };
}
