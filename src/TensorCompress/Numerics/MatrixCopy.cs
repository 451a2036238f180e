using System.Numerics;
using System.Numerics.Tensors;
using TensorCompress.Tensors;

namespace TensorCompress.Numerics;

/// <summary>Copies of matrices in another order or precision.</summary>
internal static class MatrixCopy
{
    private const int Tile = 16;

    /// <summary>A^T, in tiles that stay in the first-level cache.</summary>
    public static Matrix<T> Transpose<T>(MatrixView<T> source)
        where T : unmanaged
    {
        var result = new Matrix<T>(source.Columns, source.Rows);
        Transpose(source, result.View);
        return result;
    }

    /// <summary>A^T into memory that is there, of as many rows as the source has columns.</summary>
    public static void Transpose<T>(MatrixView<T> source, MatrixView<T> destination)
        where T : unmanaged
    {
        for (nint rows = 0; rows < source.Rows; rows += Tile)
        {
            nint rowsEnd = nint.Min(rows + Tile, source.Rows);
            for (int columns = 0; columns < source.Columns; columns += Tile)
            {
                int columnsEnd = (int)nint.Min(columns + Tile, source.Columns);
                for (nint i = rows; i < rowsEnd; i++)
                {
                    ReadOnlySpan<T> row = source.Row(i);
                    for (int j = columns; j < columnsEnd; j++) destination.Row(j)[(int)i] = row[j];
                }
            }
        }
    }

    /// <summary>A copy in double precision.</summary>
    public static Matrix<double> Widen<T>(MatrixView<T> source)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var result = new Matrix<double>(source.Rows, source.Columns);
        CopyWidened(source, result.View);
        return result;
    }

    /// <summary>Copies into a double-precision view of the same shape.</summary>
    public static void CopyWidened<T>(MatrixView<T> source, MatrixView<double> destination)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        for (nint i = 0; i < source.Rows; i++) TensorPrimitives.ConvertTruncating<T, double>(source.Row(i), destination.Row(i));
    }

    /// <summary>Copies a double-precision matrix into a view of the same shape, rounded to its type.</summary>
    public static void CopyRounded<T>(MatrixView<double> source, MatrixView<T> destination)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        for (nint i = 0; i < source.Rows; i++) TensorPrimitives.ConvertTruncating<double, T>(source.Row(i), destination.Row(i));
    }

    /// <summary>The rows listed, in that order.</summary>
    public static Matrix<T> SelectRows<T>(MatrixView<T> source, ReadOnlySpan<int> order)
        where T : unmanaged
    {
        var result = new Matrix<T>(order.Length, source.Columns);
        for (int i = 0; i < order.Length; i++) source.Row(order[i]).CopyTo(result.Row(i));
        return result;
    }
}
