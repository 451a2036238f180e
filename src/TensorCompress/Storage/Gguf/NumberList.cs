using System.Buffers.Binary;

namespace TensorCompress.Storage.Gguf;

/// <summary>Numbers or truth values as they lie in the file.</summary>
internal sealed record NumberList(uint Type, int ElementSize, byte[] Bytes)
{
    /// <summary>Type of truth values.</summary>
    public const uint FlagType = 7;

    public int Count => Bytes.Length / ElementSize;

    public bool IsFloat => Type is 6 or 12;

    public bool IsInteger => Type is not (6 or 7 or 12);

    public Int128 Integer(int index)
    {
        ReadOnlySpan<byte> element = Bytes.AsSpan(index * ElementSize);
        return Type switch
        {
            0 => element[0],
            1 => (sbyte)element[0],
            2 => BinaryPrimitives.ReadUInt16LittleEndian(element),
            3 => BinaryPrimitives.ReadInt16LittleEndian(element),
            4 => BinaryPrimitives.ReadUInt32LittleEndian(element),
            5 => BinaryPrimitives.ReadInt32LittleEndian(element),
            10 => BinaryPrimitives.ReadUInt64LittleEndian(element),
            _ => BinaryPrimitives.ReadInt64LittleEndian(element),
        };
    }

    public float Single(int index) => Type == 6
        ? BinaryPrimitives.ReadSingleLittleEndian(Bytes.AsSpan(index * ElementSize))
        : (float)BinaryPrimitives.ReadDoubleLittleEndian(Bytes.AsSpan(index * ElementSize));
}
