using TensorCompress.Numerics;
using TensorCompress.Tensors;

namespace TensorCompress.Comparison;

/// <summary>Matrices of independent normal numbers.</summary>
internal static class GaussianMatrix
{
    /// <summary>Draws one, row by row.</summary>
    /// <param name="rows">Rows.</param>
    /// <param name="columns">Columns.</param>
    /// <param name="seed">The same seed gives the same numbers.</param>
    /// <param name="deviation">Standard deviation.</param>
    public static Matrix<float> Draw(nint rows, nint columns, ulong seed, float deviation = 1)
    {
        var random = new SeededRandom(seed);
        var matrix = new Matrix<float>(rows, columns);
        for (nint row = 0; row < rows; row++)
        {
            foreach (ref float value in matrix.Row(row)) value = deviation * (float)random.NextGaussian();
        }

        return matrix;
    }
}
