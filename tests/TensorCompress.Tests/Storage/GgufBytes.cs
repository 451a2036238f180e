using System.Text;

namespace TensorCompress.Tests.Storage;

/// <summary>Builds GGUF files byte by byte, right or wrong. Every part can be given raw.</summary>
internal sealed class GgufBytes
{
    private readonly List<byte[]> _keys = [];
    private readonly List<byte[]> _tensors = [];

    public uint Magic { get; init; } = 0x46554747;

    public uint Version { get; init; } = 3;

    /// <summary>Declared counts; null for the true ones.</summary>
    public ulong? KeyCount { get; init; }

    public ulong? TensorCount { get; init; }

    public int Alignment { get; init; } = 32;

    public byte[] Data { get; init; } = [];

    /// <summary>Key general.architecture, tensor a: F32 [32].</summary>
    public static GgufBytes Base() => new GgufBytes { Data = SafetensorsBytes.Data(128) }.Key("general.architecture", 8, Text("t")).Tensor("a", [32], 0, 0);

    public static byte[] Text(string text) => RawText(Encoding.UTF8.GetBytes(text));

    public static byte[] RawText(byte[] utf8) => [.. U64((ulong)utf8.Length), .. utf8];

    public static byte[] U32(uint value) => BitConverter.GetBytes(value);

    public static byte[] U64(ulong value) => BitConverter.GetBytes(value);

    /// <summary>The value of a list: element type, count, elements.</summary>
    public static byte[] List(uint type, ulong count, params byte[][] elements) => [.. U32(type), .. U64(count), .. elements.SelectMany(element => element)];

    public GgufBytes Key(string name, uint type, byte[] value) => RawKey([.. Text(name), .. U32(type), .. value]);

    public GgufBytes RawKey(byte[] bytes)
    {
        _keys.Add(bytes);
        return this;
    }

    /// <summary>A tensor with the fastest dimension first, as in the file.</summary>
    public GgufBytes Tensor(string name, ulong[] dimensions, uint type, ulong offset) =>
        RawTensor([.. Text(name), .. U32((uint)dimensions.Length), .. dimensions.SelectMany(U64), .. U32(type), .. U64(offset)]);

    public GgufBytes RawTensor(byte[] bytes)
    {
        _tensors.Add(bytes);
        return this;
    }

    public byte[] Build()
    {
        List<byte> file = [.. U32(Magic), .. U32(Version), .. U64(TensorCount ?? (ulong)_tensors.Count), .. U64(KeyCount ?? (ulong)_keys.Count)];
        foreach (byte[] part in _keys.Concat(_tensors)) file.AddRange(part);
        if (_tensors.Count > 0)
        {
            while (file.Count % Alignment != 0) file.Add(0);
        }

        file.AddRange(Data);
        return [.. file];
    }
}
