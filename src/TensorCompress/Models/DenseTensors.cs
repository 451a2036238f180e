using TensorCompress.Storage;
using TensorCompress.Tensors;

namespace TensorCompress.Models;

/// <summary>Dense weights of a checkpoint as W [output, input], whichever way round they are stored.</summary>
public static class DenseTensors
{
    /// <summary>Reads a layer's dense weight as floats.</summary>
    /// <exception cref="TensorFormatException">The tensor is missing or has another shape.</exception>
    public static Matrix<float> Read(ModelCheckpoint checkpoint, LinearDefinition linear)
    {
        if (!checkpoint.Tensors.Tensors.TryGetValue(linear.WeightName, out TensorInfo? tensor))
            throw new TensorFormatException(TensorFormatError.Inconsistent, "the model needs the tensor and the file lacks it", checkpoint.Path, linear.WeightName);
        (int rows, int columns) = linear.IsStoredTransposed ? (linear.InputDimension, linear.OutputDimension) : (linear.OutputDimension, linear.InputDimension);
        if (tensor.Shape.Count != 2 || tensor.Shape[0] != rows || tensor.Shape[1] != columns)
            throw new TensorFormatException(TensorFormatError.Inconsistent, $"shape [{string.Join(", ", tensor.Shape)}]; the model needs [{rows}, {columns}]", checkpoint.Path, linear.WeightName);
        var stored = new Matrix<float>(rows, columns);
        for (int row = 0; row < rows; row++) checkpoint.Tensors.ReadSingles(linear.WeightName, (long)row * columns, stored.Row(row));
        if (!linear.IsStoredTransposed) return stored;
        using (stored) return Transpose(stored);
    }

    /// <summary>The transpose, newly allocated.</summary>
    public static Matrix<float> Transpose(Matrix<float> matrix)
    {
        var transposed = new Matrix<float>(matrix.Columns, matrix.Rows);
        for (nint row = 0; row < matrix.Rows; row++)
        {
            Span<float> source = matrix.Row(row);
            for (int column = 0; column < source.Length; column++) transposed[column, row] = source[column];
        }

        return transposed;
    }
}
