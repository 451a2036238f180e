using TensorCompress.Tensors;

namespace TensorCompress.Kernels;

/// <summary>
/// A matrix of signs as products read it, one bit each. Sixteen rows are a block; a block is a sequence of steps of 32 columns; a step is four lanes of sixteen bytes; a lane holds
/// eight columns, one byte for each row, column c in bit c, 1 for +1. So the lower and the upper half of a byte are each the number of an entry in a table of sixteen that all
/// rows of the lane share. Rows 0 to 7 are the lower, rows 8 to 15 the upper bytes of 16-bit words, because sums of bytes grow into words. Rows and columns that are missing at the end are zeros: their rows are not stored, their columns meet activations of 0.
/// </summary>
/// <remarks>One layout for vectors of one, two or four lanes. Rows are bytes of a lane, so nothing is summed across rows.</remarks>
internal sealed class SignBlocks : IDisposable
{
    public const int BlockRows = 16, LaneColumns = 8, LaneBytes = 16, StepColumns = 32, StepBytes = 64;

    private SignBlocks(int rows, int columns)
    {
        (Rows, Columns) = (rows, columns);
        Bytes = new Matrix<byte>(Blocks, (nint)Steps * StepBytes);
    }

    /// <summary>Rows.</summary>
    public int Rows { get; }

    /// <summary>Columns.</summary>
    public int Columns { get; }

    public int Blocks => (Rows - 1) / BlockRows + 1;

    public int Steps => (Columns - 1) / StepColumns + 1;

    /// <summary>[blocks, steps of a block].</summary>
    public Matrix<byte> Bytes { get; }

    /// <summary>Packs rows of bits.</summary>
    /// <param name="bits">[rows, columns], rows padded to whole bytes, the first column in the most significant bit, 1 for +1.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="columns">Columns.</param>
    public static SignBlocks FromRows(ReadOnlySpan<byte> bits, int rows, int columns)
    {
        var blocks = new SignBlocks(rows, columns);
        int rowBytes = (columns - 1) / 8 + 1;
        for (int row = 0; row < rows; row++)
        {
            ReadOnlySpan<byte> source = bits.Slice(row * rowBytes, rowBytes);
            Span<byte> block = blocks.Bytes.Row(row / BlockRows);
            for (int lane = 0; lane < rowBytes; lane++) block[lane * LaneBytes + Place(row)] = Reversed(source[lane]);
        }

        return blocks;
    }

    /// <summary>Packs the transpose of rows of bits.</summary>
    /// <param name="bits">[columns, rows], otherwise as <see cref="FromRows"/> has it.</param>
    /// <param name="rows">Rows of the packed matrix.</param>
    /// <param name="columns">Columns of the packed matrix.</param>
    public static SignBlocks FromColumns(ReadOnlySpan<byte> bits, int rows, int columns)
    {
        var blocks = new SignBlocks(rows, columns);
        int sourceBytes = (rows - 1) / 8 + 1;
        for (int column = 0; column < columns; column += LaneColumns)
        {
            for (int octet = 0; octet < sourceBytes; octet++)
            {
                // Eight by eight bits: byte c of the word is column c, its most significant bit the first row.
                ulong word = 0;
                for (int c = 0; c < Math.Min(LaneColumns, columns - column); c++) word |= (ulong)bits[(column + c) * sourceBytes + octet] << (8 * c);
                ulong turned = Transposed(word);
                Span<byte> lane = blocks.Bytes.Row(octet / 2).Slice(column / LaneColumns * LaneBytes, LaneBytes);
                for (int r = 0; r < 8; r++) lane[Place(8 * octet + r)] = (byte)(turned >> (8 * (7 - r))); // the most significant bits came out last
            }
        }

        return blocks;
    }

    /// <summary>Whether a sign is +1.</summary>
    public bool IsPositive(int row, int column) =>
        (Bytes.Row(row / BlockRows)[column / LaneColumns * LaneBytes + Place(row)] >> (column % LaneColumns) & 1) != 0;

    public void Dispose() => Bytes.Dispose();

    /// <summary>The byte of a row in its lane.</summary>
    public static int Place(int row) => row % 8 * 2 + row / 8 % 2;

    private static byte Reversed(byte bits)
    {
        int b = bits;
        b = (b & 0x55) << 1 | (b >> 1 & 0x55);
        b = (b & 0x33) << 2 | (b >> 2 & 0x33);
        return (byte)(b << 4 | b >> 4);
    }

    // Bit j of byte i becomes bit i of byte j: quarters, then quarters of quarters are exchanged.
    private static ulong Transposed(ulong bits)
    {
        ulong t = (bits ^ (bits >> 7)) & 0x00AA00AA00AA00AA;
        bits ^= t ^ (t << 7);
        t = (bits ^ (bits >> 14)) & 0x0000CCCC0000CCCC;
        bits ^= t ^ (t << 14);
        t = (bits ^ (bits >> 28)) & 0x00000000F0F0F0F0;
        return bits ^ t ^ (t << 28);
    }
}
