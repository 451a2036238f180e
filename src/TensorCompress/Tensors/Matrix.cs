using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace TensorCompress.Tensors;

/// <summary>An owned row-major matrix in zero-initialised, 64-byte-aligned native memory. Rows are contiguous, without padding between them.</summary>
/// <remarks>Native memory, because weights pass 2 GiB and must not be moved or scanned by the garbage collector. Not thread-safe for writing.</remarks>
/// <typeparam name="T">The element: <see cref="float"/> for weights and activations, <see cref="double"/> for factorisations.</typeparam>
public sealed unsafe class Matrix<T> : IDisposable
    where T : unmanaged
{
    private const int Alignment = 64;
    private T* _pointer;

    /// <summary>Allocates a zero matrix.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A dimension is negative or the size overflows.</exception>
    /// <exception cref="OutOfMemoryException">The memory is not there.</exception>
    public Matrix(nint rows, nint columns)
        : this(rows, columns, clears: true)
    {
    }

    private Matrix(nint rows, nint columns, bool clears)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        ArgumentOutOfRangeException.ThrowIfNegative(columns);
        Rows = rows;
        Columns = columns;
        nuint bytes = checked((nuint)rows * (nuint)columns * (nuint)sizeof(T));
        if (NativePages.Serve(bytes))
        {
            _pointer = (T*)NativePages.Allocate(bytes);
        }
        else
        {
            _pointer = (T*)NativeMemory.AlignedAlloc(Math.Max(bytes, Alignment), Alignment);
            if (clears) NativeMemory.Clear(_pointer, bytes);
        }

        if (bytes > 1 << 16) GC.AddMemoryPressure((long)bytes);
    }

    /// <summary>Copies a row-major array.</summary>
    /// <exception cref="ArgumentException">The values are not rows x columns many.</exception>
    public Matrix(nint rows, nint columns, ReadOnlySpan<T> values)
        : this(rows, columns)
    {
        if (values.Length != checked(rows * columns))
            throw new ArgumentException($"A {rows} x {columns} matrix has {rows * columns} elements, not {values.Length}.", nameof(values));
        values.CopyTo(new Span<T>(_pointer, values.Length));
    }

    /// <summary>Frees the memory if <see cref="Dispose"/> was not called.</summary>
    ~Matrix() => Free();

    /// <summary>Allocates a matrix of whatever lay in the memory, for a caller that fills it at once.</summary>
    internal static Matrix<T> Uninitialized(nint rows, nint columns) => new(rows, columns, clears: false);

    /// <summary>Number of rows.</summary>
    public nint Rows { get; }

    /// <summary>Number of columns.</summary>
    public nint Columns { get; }

    /// <summary>Bytes of native memory held.</summary>
    public long ByteLength => (long)Rows * Columns * sizeof(T);

    /// <summary>The element at a row and column (checked).</summary>
    public ref T this[nint row, nint column]
    {
        get
        {
            if ((nuint)column >= (nuint)Columns) throw new ArgumentOutOfRangeException(nameof(column), column, $"The matrix has {Columns} columns.");
            return ref *(RowPointer(row) + column);
        }
    }

    /// <summary>One row. The span is valid until the matrix is disposed.</summary>
    public Span<T> Row(nint row) => new(RowPointer(row), checked((int)Columns));

    /// <summary>Consecutive rows as one span, row after row.</summary>
    internal Span<T> RowSpan(nint start, nint count)
    {
        if (start < 0 || count < 0 || start > Rows - count) throw new ArgumentOutOfRangeException(nameof(start), start, $"{count} rows from {start} leave the matrix of {Rows}.");
        return new Span<T>(Pointer + start * Columns, checked((int)(count * Columns)));
    }

    /// <summary>The whole matrix as a view.</summary>
    public MatrixView<T> View => new(this, 0, Rows, Columns, Columns);

    /// <summary>A view of consecutive rows.</summary>
    public MatrixView<T> RowRange(nint start, nint count) => View.RowRange(start, count);

    /// <summary>Address of the first element. The caller keeps the matrix alive and stays inside it.</summary>
    internal T* Pointer
    {
        get
        {
            ObjectDisposedException.ThrowIf(_pointer == null, this);
            return _pointer;
        }
    }

    /// <summary>Frees the memory. Views and spans of this matrix must not be used any more.</summary>
    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private T* RowPointer(nint row)
    {
        if ((nuint)row >= (nuint)Rows) throw new ArgumentOutOfRangeException(nameof(row), row, $"The matrix has {Rows} rows.");
        return Pointer + row * Columns;
    }

    private void Free()
    {
        if (_pointer == null) return;
        if (NativePages.Serve((nuint)ByteLength)) NativePages.Free(_pointer, (nuint)ByteLength);
        else NativeMemory.AlignedFree(_pointer);
        _pointer = null;
        if (ByteLength > 1 << 16) GC.RemoveMemoryPressure(ByteLength);
    }
}
