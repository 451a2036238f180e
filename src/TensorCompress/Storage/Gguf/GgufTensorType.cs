using TensorCompress.Kernels.Simd;
using TensorCompress.Tensors;

namespace TensorCompress.Storage.Gguf;

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

    /// <summary>Type of plain elements; blocks read as <see cref="ElementType.F32"/>.</summary>
    public virtual ElementType ElementType => ElementType.F32;

    /// <summary>Whether values can be turned into blocks.</summary>
    public virtual bool CanEncode => false;

    /// <summary>Turns whole blocks into floats, to the bit as ggml does.</summary>
    public void Decode(ReadOnlySpan<byte> blocks, Span<float> values) => Decode(SimdLevel.Active, blocks, values);

    /// <summary>As <see cref="Decode(ReadOnlySpan{byte}, Span{float})"/>, with vectors of a width.</summary>
    internal abstract void Decode(SimdWidth width, ReadOnlySpan<byte> blocks, Span<float> values);

    /// <summary>Turns finite floats into whole blocks, to the bit as ggml's reference does.</summary>
    public virtual void Encode(ReadOnlySpan<float> values, Span<byte> blocks) => throw new NotSupportedException($"Tensors of type {Name} are read, not written.");

    /// <summary>Bytes of a number of values, which make up whole blocks.</summary>
    public long ByteLength(long values) => checked(values / BlockValues * BlockBytes);
}
