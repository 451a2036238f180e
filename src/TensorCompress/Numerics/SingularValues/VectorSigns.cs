using TensorCompress.Tensors;

namespace TensorCompress.Numerics.SingularValues;

/// <summary>The sign that a pair of singular vectors leaves open.</summary>
internal static class VectorSigns
{
    /// <summary>Turns pairs of rows so that the first component of largest magnitude of the left one is positive.</summary>
    public static void Fix(Matrix<double> left, Matrix<double> right)
    {
        for (nint i = 0; i < left.Rows; i++)
        {
            Span<double> row = left.Row(i);
            if (row[DoubleVectors.IndexOfLargest(row)] >= 0) continue;
            DoubleVectors.Scale(-1, row);
            DoubleVectors.Scale(-1, right.Row(i));
        }
    }
}
