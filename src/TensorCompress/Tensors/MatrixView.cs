namespace TensorCompress.Tensors;

/// <summary>A borrowed rectangle of a <see cref="Matrix{T}"/>: rows of contiguous elements, a stride apart. It keeps the owner reachable.</summary>
/// <typeparam name="T">The element.</typeparam>
public readonly struct MatrixView<T>
    where T : unmanaged
{
    private readonly Matrix<T> _owner;
    private readonly nint _start;

    internal MatrixView(Matrix<T> owner, nint start, nint rows, nint columns, nint stride)
    {
        _owner = owner;
        _start = start;
        Rows = rows;
        Columns = columns;
        Stride = stride;
    }

    /// <summary>Number of rows.</summary>
    public nint Rows { get; }

    /// <summary>Number of columns.</summary>
    public nint Columns { get; }

    /// <summary>Distance between the starts of neighbouring rows, in elements.</summary>
    public nint Stride { get; }

    /// <summary>One row.</summary>
    public unsafe Span<T> Row(nint row)
    {
        if ((nuint)row >= (nuint)Rows) throw new ArgumentOutOfRangeException(nameof(row), row, $"The view has {Rows} rows.");
        return new Span<T>(_owner.Pointer + _start + row * Stride, checked((int)Columns));
    }

    /// <summary>Consecutive rows of this view.</summary>
    public MatrixView<T> RowRange(nint start, nint count)
    {
        ThrowIfOutside(start, count, Rows, nameof(start));
        return new(_owner, _start + start * Stride, count, Columns, Stride);
    }

    /// <summary>Consecutive columns of this view.</summary>
    public MatrixView<T> ColumnRange(nint start, nint count)
    {
        ThrowIfOutside(start, count, Columns, nameof(start));
        return new(_owner, _start + start, Rows, count, Stride);
    }

    /// <summary>The same elements in the same order as a matrix of another shape; the rows must lie one after the other, without gaps.</summary>
    internal MatrixView<T> Contiguous(nint rows, nint columns)
    {
        bool hasGaps = Rows > 1 && Stride != Columns;
        if (hasGaps || rows * columns > Rows * Columns)
            throw new ArgumentException($"A {Rows} x {Columns} view with rows {Stride} apart is not a {rows} x {columns} matrix.", nameof(rows));
        return new(_owner, _start, rows, columns, columns);
    }

    /// <summary>Copies the elements into a view of the same shape; the two must not overlap.</summary>
    public void CopyTo(MatrixView<T> destination)
    {
        if (destination.Rows != Rows || destination.Columns != Columns)
            throw new ArgumentException($"A {Rows} x {Columns} view cannot be copied into {destination.Rows} x {destination.Columns}.", nameof(destination));
        for (nint row = 0; row < Rows; row++) Row(row).CopyTo(destination.Row(row));
    }

    /// <summary>Address of the first element. The caller keeps the owner alive and stays inside the view.</summary>
    internal unsafe T* Pointer => _owner.Pointer + _start;

    /// <summary>Keeps the owner until here; handing the view itself to the garbage collector would put it into a box.</summary>
    internal void KeepAlive() => GC.KeepAlive(_owner);

    private static void ThrowIfOutside(nint start, nint count, nint limit, string name)
    {
        if (start < 0 || count < 0 || start > limit - count)
            throw new ArgumentOutOfRangeException(name, start, $"{count} from {start} does not lie inside {limit}.");
    }
}
