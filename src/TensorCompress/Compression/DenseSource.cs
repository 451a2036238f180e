using System.Buffers;
using System.Numerics.Tensors;
using TensorCompress.Tensors;

namespace TensorCompress.Compression;

/// <summary>Takes weights from the forms that callers have into a matrix.</summary>
internal static class DenseSource
{
    /// <summary>Copies a row-major span.</summary>
    /// <exception cref="ArgumentException">A dimension is not positive, or the weights are not rows x columns many.</exception>
    public static Matrix<float> Copy(ReadOnlySpan<float> weights, int rows, int columns)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(rows);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(columns);
        if (weights.Length != (long)rows * columns) throw new ArgumentException($"Weights of shape [{rows}, {columns}] are {(long)rows * columns} numbers, not {weights.Length}.", nameof(weights));
        return new Matrix<float>(rows, columns, weights);
    }

    /// <summary>Copies a tensor of two dimensions, contiguous or not.</summary>
    /// <exception cref="ArgumentException">The tensor has not two dimensions, or one of them is 0.</exception>
    public static Matrix<float> Copy(in ReadOnlyTensorSpan<float> weights)
    {
        if (weights.Rank != 2) throw new ArgumentException($"Weights are a matrix [output, input], not a tensor of {weights.Rank} dimensions.", nameof(weights));
        if (weights.FlattenedLength == 0) throw new ArgumentException($"Weights of shape [{weights.Lengths[0]}, {weights.Lengths[1]}] are empty.", nameof(weights));
        var matrix = new Matrix<float>(weights.Lengths[0], weights.Lengths[1]);
        for (nint row = 0; row < matrix.Rows; row++)
            weights.Slice([new NRange(new NIndex(row), new NIndex(row + 1)), NRange.All]).FlattenTo(matrix.Row(row));
        return matrix;
    }
}
