using TensorCompress.Tensors;

namespace TensorCompress.Compression.Dbf;

/// <summary>An immutable matrix of signs, +1 and -1, one bit each: rows padded to whole bytes, the first column in the most significant bit, 1 for +1, padding 0.</summary>
public sealed class SignMatrix
{
    private readonly byte[] _bytes;

    /// <summary>Takes packed rows as files hold them.</summary>
    /// <param name="rows">Rows, at least 1.</param>
    /// <param name="columns">Columns, at least 1.</param>
    /// <param name="bytes">[rows, <see cref="RowBytes"/>]; copied.</param>
    /// <exception cref="ArgumentException">The sizes do not fit, or a bit of the padding is set.</exception>
    public SignMatrix(int rows, int columns, ReadOnlySpan<byte> bytes)
        : this(rows, columns, bytes.ToArray())
    {
    }

    private SignMatrix(int rows, int columns, byte[] bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(rows);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(columns);
        (Rows, Columns, _bytes) = (rows, columns, bytes);
        if (bytes.Length != (long)rows * RowBytes) throw new ArgumentException($"{rows} x {columns} signs take {(long)rows * RowBytes} bytes, not {bytes.Length}.", nameof(bytes));
        int padding = (1 << (RowBytes * 8 - columns)) - 1;
        for (int row = 0; row < rows; row++)
        {
            if ((Row(row)[^1] & padding) != 0) throw new ArgumentException($"The padding of row {row} is not 0.", nameof(bytes));
        }
    }

    /// <summary>Rows.</summary>
    public int Rows { get; }

    /// <summary>Columns.</summary>
    public int Columns { get; }

    /// <summary>Bytes of a row.</summary>
    public int RowBytes => (Columns - 1) / 8 + 1;

    /// <summary>All rows, <see cref="RowBytes"/> each.</summary>
    public ReadOnlySpan<byte> Bytes => _bytes;

    /// <summary>+1 or -1.</summary>
    public int this[int row, int column]
    {
        get
        {
            if ((uint)column >= (uint)Columns) throw new ArgumentOutOfRangeException(nameof(column), column, $"The matrix has {Columns} columns.");
            return (Row(row)[column / 8] & (128 >> (column % 8))) != 0 ? 1 : -1;
        }
    }

    /// <summary>The signs of numbers; zeros, of either sign, count as positive.</summary>
    /// <exception cref="ArgumentException">A number is NaN, or there are none.</exception>
    /// <exception cref="OverflowException">There are more than 2^34.</exception>
    public static SignMatrix FromSigns(MatrixView<float> values)
    {
        int rows = checked((int)values.Rows), columns = checked((int)values.Columns);
        int rowBytes = (columns + 7) / 8;
        byte[] bytes = new byte[checked(rows * rowBytes)];
        for (int row = 0; row < rows; row++)
        {
            ReadOnlySpan<float> numbers = values.Row(row);
            Span<byte> packed = bytes.AsSpan(row * rowBytes, rowBytes);
            for (int column = 0; column < columns; column++)
            {
                if (float.IsNaN(numbers[column])) throw new ArgumentException($"Element ({row}, {column}) is NaN: it has no sign.", nameof(values));
                if (numbers[column] >= 0) packed[column / 8] |= (byte)(128 >> (column % 8));
            }
        }

        return new SignMatrix(rows, columns, bytes);
    }

    /// <summary>One packed row.</summary>
    public ReadOnlySpan<byte> Row(int row)
    {
        if ((uint)row >= (uint)Rows) throw new ArgumentOutOfRangeException(nameof(row), row, $"The matrix has {Rows} rows.");
        return _bytes.AsSpan(row * RowBytes, RowBytes);
    }

    /// <summary>Writes +1 and -1 for all signs.</summary>
    /// <param name="destination">[rows, columns].</param>
    /// <exception cref="ArgumentException">The shape is another one.</exception>
    public void Decode(MatrixView<float> destination)
    {
        if (destination.Rows != Rows || destination.Columns != Columns)
            throw new ArgumentException($"{Rows} x {Columns} signs do not fill {destination.Rows} x {destination.Columns}.", nameof(destination));
        for (int row = 0; row < Rows; row++) DecodeRow(row, destination.Row(row));
    }

    /// <summary>Writes +1 and -1 for the signs of a row.</summary>
    /// <param name="row">0 to <see cref="Rows"/> - 1.</param>
    /// <param name="destination"><see cref="Columns"/> floats.</param>
    /// <exception cref="ArgumentException">The row or the length is out of range.</exception>
    public void DecodeRow(int row, Span<float> destination)
    {
        ReadOnlySpan<byte> packed = Row(row);
        if (destination.Length != Columns) throw new ArgumentException($"A row has {Columns} signs, not {destination.Length}.", nameof(destination));
        for (int column = 0; column < destination.Length; column++) destination[column] = (packed[column / 8] & (128 >> (column % 8))) != 0 ? 1 : -1;
    }
}
