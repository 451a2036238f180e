using TensorCompress.Tensors;

namespace TensorCompress.Numerics.SingularValues;

/// <summary>Fills rows of a matrix so that all its rows are orthonormal.</summary>
internal static class OrthonormalCompletion
{
    /// <summary>Writes unit vectors that are orthogonal to all other rows and to each other.</summary>
    /// <param name="rows">[k, l] with k &lt;= l; the rows not listed are orthonormal.</param>
    /// <param name="missing">The rows to write.</param>
    public static void Complete(Matrix<double> rows, IReadOnlyList<int> missing)
    {
        var done = Enumerable.Range(0, (int)rows.Rows).Except(missing).ToList();
        int axis = 0;
        foreach (int index in missing)
        {
            // Of l axes, k - 1 directions are taken at most: some axis has a part of norm >= sqrt((l - k + 1) / l) outside them.
            double least = Math.Sqrt((double)(rows.Columns - done.Count) / rows.Columns) / 2;
            Span<double> row = rows.Row(index);
            double norm;
            do
            {
                row.Clear();
                row[axis] = 1;
                axis = (axis + 1) % row.Length;
                norm = RemoveParts(rows, done, row);
            }
            while (norm < least);
            DoubleVectors.Scale(1 / norm, row);
            norm = RemoveParts(rows, done, row); // twice is enough (Kahan): what the first pass left is rounding
            DoubleVectors.Scale(1 / norm, row);
            done.Add(index);
        }
    }

    private static double RemoveParts(Matrix<double> rows, List<int> basis, Span<double> row)
    {
        foreach (int other in basis) DoubleVectors.AddScaled(-DoubleVectors.Dot(rows.Row(other), row), rows.Row(other), row);
        return Math.Sqrt(DoubleVectors.Dot(row, row));
    }
}
