using TensorCompress.Models.Gguf;
using TensorCompress.Storage;
using TensorCompress.Tensors;

namespace TensorCompress.Models;

/// <summary>Dense weights of a checkpoint as W [output, input], whichever way round they are stored.</summary>
public static class DenseTensors
{
    // Square tiles whose rows and columns both stay in the first-level cache.
    private const int Tile = 32;

    /// <summary>Reads a layer's dense weight as floats; members are stacked.</summary>
    /// <exception cref="TensorFormatException">The tensor is missing or has another shape.</exception>
    public static Matrix<float> Read(ModelCheckpoint checkpoint, LinearDefinition linear)
    {
        ArgumentNullException.ThrowIfNull(linear);
        if (linear.Members.Count > 0) return ReadMembers(checkpoint, linear);
        CheckShape(checkpoint, linear);
        bool hasRows = HasRows(checkpoint, linear);
        (int rows, int columns) = hasRows ? (linear.OutputDimension, linear.InputDimension) : (linear.InputDimension, linear.OutputDimension);
        var stored = Matrix<float>.Uninitialized(rows, columns);
        try
        {
            for (int row = 0; row < rows; row++)
            {
                if (hasRows) ReadRows(checkpoint, linear, row, stored.Row(row));
                else checkpoint.Tensors.ReadSingles(linear.WeightName, (long)row * columns, stored.Row(row));
            }
        }
        catch
        {
            stored.Dispose();
            throw;
        }

        if (hasRows) return stored;
        using (stored) return Transpose(stored.View);
    }

    /// <summary>Whether rows of W lie together in the file, so that they can be read some at a time.</summary>
    internal static bool HasRows(ModelCheckpoint checkpoint, LinearDefinition linear) =>
        !linear.IsStoredTransposed || (checkpoint.Tensors is GgufModelTensors gguf && gguf.HoldsOutputRows(linear.WeightName));

    /// <summary>Reads consecutive rows of W where <see cref="HasRows"/>.</summary>
    /// <param name="checkpoint">Where the tensor lies.</param>
    /// <param name="linear">The layer.</param>
    /// <param name="firstRow">First row.</param>
    /// <param name="destination">Whole rows, row after row.</param>
    internal static void ReadRows(ModelCheckpoint checkpoint, LinearDefinition linear, nint firstRow, Span<float> destination)
    {
        long first = (long)firstRow * linear.InputDimension;
        if (linear.IsStoredTransposed) ((GgufModelTensors)checkpoint.Tensors).ReadOutputRows(linear.WeightName, first, destination);
        else checkpoint.Tensors.ReadSingles(linear.WeightName, first, destination);
    }

    /// <summary>The transpose, newly allocated.</summary>
    public static Matrix<float> Transpose(MatrixView<float> matrix)
    {
        var transposed = Matrix<float>.Uninitialized(matrix.Columns, matrix.Rows);
        for (nint firstRow = 0; firstRow < matrix.Rows; firstRow += Tile)
        {
            nint rows = nint.Min(Tile, matrix.Rows - firstRow);
            for (nint firstColumn = 0; firstColumn < matrix.Columns; firstColumn += Tile)
            {
                nint columns = nint.Min(Tile, matrix.Columns - firstColumn);
                for (nint column = firstColumn; column < firstColumn + columns; column++)
                {
                    Span<float> destination = transposed.Row(column).Slice((int)firstRow, (int)rows);
                    for (int row = 0; row < destination.Length; row++) destination[row] = matrix.Row(firstRow + row)[(int)column];
                }
            }
        }

        return transposed;
    }

    private static Matrix<float> ReadMembers(ModelCheckpoint checkpoint, LinearDefinition linear)
    {
        var stacked = Matrix<float>.Uninitialized(linear.OutputDimension, linear.InputDimension);
        try
        {
            foreach ((LinearDefinition member, int firstRow) in linear.PartRows)
            {
                using Matrix<float> read = Read(checkpoint, member);
                read.View.CopyTo(stacked.RowRange(firstRow, read.Rows));
            }
        }
        catch
        {
            stacked.Dispose();
            throw;
        }

        return stacked;
    }

    private static void CheckShape(ModelCheckpoint checkpoint, LinearDefinition linear)
    {
        if (!checkpoint.Tensors.Tensors.TryGetValue(linear.WeightName, out TensorInfo? tensor))
            throw new TensorFormatException(TensorFormatError.Inconsistent, "the model needs the tensor and the file lacks it", checkpoint.Path, linear.WeightName);
        (int rows, int columns) = linear.IsStoredTransposed ? (linear.InputDimension, linear.OutputDimension) : (linear.OutputDimension, linear.InputDimension);
        if (tensor.Shape.Count != 2 || tensor.Shape[0] != rows || tensor.Shape[1] != columns)
            throw new TensorFormatException(TensorFormatError.Inconsistent, $"shape [{string.Join(", ", tensor.Shape)}]; the model needs [{rows}, {columns}]", checkpoint.Path, linear.WeightName);
    }
}
