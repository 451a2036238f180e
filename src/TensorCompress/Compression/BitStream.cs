using System.Buffers.Binary;

namespace TensorCompress.Compression;

/// <summary>Numbers of 1 to 24 bits without gaps: bit i of a stream is bit i mod 8 of byte i / 8, the least significant bit of a number first. Bits after the last are 0.</summary>
internal static class BitStream
{
    /// <summary>Bits of the whole bytes that hold a stream.</summary>
    public static long Padded(long bits) => checked(bits + 7) & ~7L;

    /// <summary>Bytes of a stream of numbers of equal width.</summary>
    public static int ByteLength(int count, int bits) => checked((int)(Padded((long)count * bits) / 8));

    /// <summary>Writes a number over zero bits.</summary>
    public static void Write(Span<byte> stream, long firstBit, int number)
    {
        int at = (int)(firstBit >> 3), shift = (int)(firstBit & 7);
        for (uint spread = (uint)number << shift; spread != 0; spread >>= 8) stream[at++] |= (byte)spread;
    }

    /// <summary>Reads a number.</summary>
    public static int Read(ReadOnlySpan<byte> stream, long firstBit, int count)
    {
        int at = (int)(firstBit >> 3), shift = (int)(firstBit & 7);
        if (at <= stream.Length - sizeof(uint)) return (int)(BinaryPrimitives.ReadUInt32LittleEndian(stream[at..]) >> shift) & ((1 << count) - 1); // up to 24 bits and 7
        uint spread = 0;
        for (int read = 0; read < shift + count; read += 8) spread |= (uint)stream[at++] << read;
        return (int)(spread >> shift) & ((1 << count) - 1);
    }
}
