using TensorCompress.Tensors;

namespace TensorCompress.Kernels;

/// <summary>How the bytes of a step of sixteen rows and 32 columns lie in memory.</summary>
internal enum SignLayout
{
    /// <summary>
    /// Four lanes of sixteen bytes; a lane has eight columns of all rows, so that its rows share a table of sixteen entries: for look-ups that find in one table for each lane. Rows 0 to 7 are the lower,
    /// rows 8 to 15 the upper bytes of 16-bit words, because sums of bytes grow into words.
    /// </summary>
    Lanes,

    /// <summary>Sixteen words of four bytes; a word has all 32 columns of one row, so that neighbouring bytes are added by VPMADDUBSW: for look-ups that find in any of four tables, and for products with activations of eight bits.</summary>
    Words,
}

/// <summary>
/// A matrix of signs as products read it, one bit each. Sixteen rows are a block; a block is a sequence of steps of 32 columns, 64 bytes; a byte has eight columns of one row, column c in bit c, 1 for +1.
/// So the lower and the upper half of a byte are each the number of an entry in a table of sixteen that all rows share. Rows and columns that are missing at the end are zeros: their rows are not stored,
/// their columns meet activations of 0.
/// </summary>
/// <remarks>Rows are bytes of their own, so nothing is summed across rows; one layout for vectors of 16, 32 or 64 bytes.</remarks>
internal sealed class SignBlocks : IDisposable
{
    public const int BlockRows = 16, LaneColumns = 8, LaneBytes = 16, StepColumns = 32, StepBytes = 64;

    private SignBlocks(int rows, int columns, SignLayout layout)
    {
        (Rows, Columns, Layout) = (rows, columns, layout);
        Bytes = new Matrix<byte>(Blocks, (nint)Steps * StepBytes);
    }

    /// <summary>Rows.</summary>
    public int Rows { get; }

    /// <summary>Columns.</summary>
    public int Columns { get; }

    /// <summary>Order of a step's bytes.</summary>
    public SignLayout Layout { get; }

    public int Blocks => (Rows - 1) / BlockRows + 1;

    public int Steps => (Columns - 1) / StepColumns + 1;

    /// <summary>[blocks, steps of a block].</summary>
    public Matrix<byte> Bytes { get; }

    /// <summary>Packs rows of bits.</summary>
    /// <param name="bits">[rows, columns], rows padded to whole bytes, the first column in the most significant bit, 1 for +1.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="columns">Columns.</param>
    /// <param name="layout">Order of a step's bytes.</param>
    public static SignBlocks FromRows(ReadOnlySpan<byte> bits, int rows, int columns, SignLayout layout)
    {
        var blocks = new SignBlocks(rows, columns, layout);
        int rowBytes = (columns - 1) / 8 + 1;
        for (int row = 0; row < rows; row++)
        {
            ReadOnlySpan<byte> source = bits.Slice(row * rowBytes, rowBytes);
            Span<byte> block = blocks.Bytes.Row(row / BlockRows);
            for (int octet = 0; octet < rowBytes; octet++) block[Place(layout, row, octet)] = Reversed(source[octet]);
        }

        return blocks;
    }

    /// <summary>Packs the transpose of rows of bits.</summary>
    /// <param name="bits">[columns, rows], otherwise as <see cref="FromRows"/> has it.</param>
    /// <param name="rows">Rows of the packed matrix.</param>
    /// <param name="columns">Columns of the packed matrix.</param>
    /// <param name="layout">Order of a step's bytes.</param>
    public static SignBlocks FromColumns(ReadOnlySpan<byte> bits, int rows, int columns, SignLayout layout)
    {
        var blocks = new SignBlocks(rows, columns, layout);
        int sourceBytes = (rows - 1) / 8 + 1;
        for (int column = 0; column < columns; column += LaneColumns)
        {
            for (int octet = 0; octet < sourceBytes; octet++)
            {
                // Eight by eight bits: byte c of the word is column c, its most significant bit the first row.
                ulong word = 0;
                for (int c = 0; c < Math.Min(LaneColumns, columns - column); c++) word |= (ulong)bits[(column + c) * sourceBytes + octet] << (8 * c);
                ulong turned = Transposed(word);
                Span<byte> block = blocks.Bytes.Row(octet / 2);
                for (int r = 0; r < 8; r++) block[Place(layout, 8 * octet + r, column / LaneColumns)] = (byte)(turned >> (8 * (7 - r))); // the most significant bits came out last
            }
        }

        return blocks;
    }

    /// <summary>Whether a sign is +1.</summary>
    public bool IsPositive(int row, int column) =>
        (Bytes.Row(row / BlockRows)[Place(Layout, row, column / LaneColumns)] >> (column % LaneColumns) & 1) != 0;

    public void Dispose() => Bytes.Dispose();

    /// <summary>The byte in its block that eight columns of a row have.</summary>
    /// <param name="layout">Order of a step's bytes.</param>
    /// <param name="row">Row of the matrix.</param>
    /// <param name="octet">Which eight columns.</param>
    public static int Place(SignLayout layout, int row, int octet) => layout == SignLayout.Lanes
        ? octet * LaneBytes + row % 8 * 2 + row / 8 % 2
        : octet / 4 * StepBytes + row % BlockRows * 4 + octet % 4;

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
