namespace TensorCompress.Compression.Scalar;

/// <summary>
/// Codes of 2 to 8 bits, packed without gaps: code i takes the bits i b to i b + b - 1 of the row, bit 0 being the least significant bit of the first byte.
/// A row begins at a byte; the bits after its last code are 0.
/// </summary>
internal static class PackedCodes
{
    /// <summary>Bytes of a row.</summary>
    public static int RowBytes(int count, int bits) => checked((int)(((long)count * bits + 7) / 8));

    /// <summary>Writes a code over zero bits.</summary>
    public static void Write(Span<byte> row, int index, int bits, int code)
    {
        (int first, int shift) = Place(index, bits);
        int spread = code << shift;
        row[first] |= (byte)spread;
        if (shift + bits > 8) row[first + 1] |= (byte)(spread >> 8);
    }

    /// <summary>Reads a code.</summary>
    public static int Read(ReadOnlySpan<byte> row, int index, int bits)
    {
        (int first, int shift) = Place(index, bits);
        int spread = row[first];
        if (shift + bits > 8) spread |= row[first + 1] << 8;
        return (spread >> shift) & ((1 << bits) - 1);
    }

    private static (int First, int Shift) Place(int index, int bits)
    {
        long bit = (long)index * bits;
        return ((int)(bit >> 3), (int)(bit & 7));
    }
}
