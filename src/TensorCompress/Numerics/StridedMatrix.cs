namespace TensorCompress.Numerics;

/// <summary>Address arithmetic of an operand: element (i, j) lies at i * RowStride + j * ColumnStride. Whoever makes one keeps the memory alive.</summary>
internal readonly unsafe struct StridedMatrix<T>(T* pointer, nint rows, nint columns, nint rowStride, nint columnStride)
    where T : unmanaged
{
    public StridedMatrix(MatrixOperand<T> operand)
        : this(operand.View.Pointer, operand.Rows, operand.Columns, operand.IsTransposed ? 1 : operand.View.Stride, operand.IsTransposed ? operand.View.Stride : 1)
    {
    }

    public T* Pointer => pointer;

    public nint Rows => rows;

    public nint Columns => columns;

    public nint RowStride => rowStride;

    public nint ColumnStride => columnStride;

    public StridedMatrix<T> Transposed => new(pointer, columns, rows, columnStride, rowStride);

    /// <summary>The last row first.</summary>
    public StridedMatrix<T> RowsReversed => new(At(rows - 1, 0), rows, columns, -rowStride, columnStride);

    public StridedMatrix<T> RowRange(nint start, nint count) => new(At(start, 0), count, columns, rowStride, columnStride);

    public StridedMatrix<T> ColumnRange(nint start, nint count) => new(At(0, start), rows, count, rowStride, columnStride);

    public T* At(nint row, nint column) => pointer + row * rowStride + column * columnStride;
}
