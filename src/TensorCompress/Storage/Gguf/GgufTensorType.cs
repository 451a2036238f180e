namespace TensorCompress.Storage;

/// <summary>How GGUF stores values of one tensor type: blocks of a fixed number of values in a fixed number of bytes.</summary>
internal abstract class GgufTensorType(uint id, string name, int blockValues, int blockBytes)
{
    /// <summary>Number in the file.</summary>
    public uint Id { get; } = id;

    /// <summary>Name as ggml prints it.</summary>
    public string Name { get; } = name;

    /// <summary>Values of a block.</summary>
    public int BlockValues { get; } = blockValues;

    /// <summary>Bytes of a block.</summary>
    public int BlockBytes { get; } = blockBytes;

    /// <summary>Whether the values were rounded to a few levels when the file was made.</summary>
    public bool IsQuantized => BlockValues > 1;

    /// <summary>Turns whole blocks into floats, to the bit as ggml does.</summary>
    public abstract void Decode(ReadOnlySpan<byte> blocks, Span<float> values);
}

/// <summary>The one list of GGUF tensor types that can be read.</summary>
internal static class GgufTensorTypes
{
    public static IReadOnlyList<GgufTensorType> All { get; } = [new GgufFloat32(), new GgufFloat16(), new GgufQ4_1(), new GgufQ8_0(), new GgufBfloat16()];

    public static GgufTensorType? Find(uint id) => All.FirstOrDefault(type => type.Id == id);
}
