using System.Runtime.InteropServices;

namespace TensorCompress.Tensors;

/// <summary>Rows of small integers in memory that was borrowed for floats.</summary>
/// <typeparam name="T">An integer of one or two bytes.</typeparam>
internal readonly struct IntegerRows<T>
    where T : unmanaged
{
    private readonly MatrixView<float> _floats;
    private readonly int _start;

    /// <param name="floats">Each is room for some integers.</param>
    public IntegerRows(MatrixView<float> floats)
        : this(floats, 0, PerFloat * (int)floats.Columns)
    {
    }

    private IntegerRows(MatrixView<float> floats, int start, int columns) => (_floats, _start, Columns) = (floats, start, columns);

    public nint Rows => _floats.Rows;

    public int Columns { get; }

    /// <summary>Integers between the starts of neighbouring rows.</summary>
    public nint Stride => PerFloat * _floats.Stride;

    /// <summary>Address of the first integer. The caller keeps the owner alive and stays inside.</summary>
    public unsafe T* Pointer => (T*)_floats.Pointer + _start;

    private static unsafe int PerFloat => sizeof(float) / sizeof(T);

    /// <summary>Floats that have room for so many integers.</summary>
    public static int Floats(int integers) => (integers - 1) / PerFloat + 1;

    /// <summary>One row.</summary>
    public Span<T> Row(nint row) => MemoryMarshal.Cast<float, T>(_floats.Row(row)).Slice(_start, Columns);

    /// <summary>The first rows, some columns of them.</summary>
    public IntegerRows<T> Part(nint rows, int start, int columns)
    {
        if (start < 0 || columns < 0 || start > Columns - columns) throw new ArgumentOutOfRangeException(nameof(start), start, $"{columns} from {start} do not lie inside {Columns}.");
        return new(_floats.RowRange(0, rows), _start + start, columns);
    }

    /// <inheritdoc cref="MatrixView{T}.KeepAlive"/>
    public void KeepAlive() => _floats.KeepAlive();
}
