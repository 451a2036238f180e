using TensorCompress.Tensors;

namespace TensorCompress.Compression;

/// <summary>The one place where weights that are NaN or infinite are refused.</summary>
internal static class FiniteWeights
{
    /// <summary>Looks at every element.</summary>
    /// <exception cref="ArgumentException">Some are NaN or infinite; the message gives their count and the first place.</exception>
    public static void ThrowIfNot(MatrixView<float> weights, string parameterName)
    {
        long count = 0;
        (nint Row, int Column) first = default;
        for (nint i = 0; i < weights.Rows; i++)
        {
            ReadOnlySpan<float> row = weights.Row(i);
            for (int j = 0; j < row.Length; j++)
            {
                if (float.IsFinite(row[j])) continue;
                if (count++ == 0) first = (i, j);
            }
        }

        if (count == 0) return;
        string verb = count == 1 ? "weight is" : "weights are";
        throw new ArgumentException($"{count} {verb} NaN or infinite, the first at row {first.Row}, column {first.Column}: {weights.Row(first.Row)[first.Column]}.", parameterName);
    }
}
