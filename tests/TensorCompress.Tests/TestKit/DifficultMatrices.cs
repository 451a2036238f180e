using TensorCompress.Tensors;

namespace TensorCompress.Tests.TestKit;

/// <summary>Matrices on which factorisations go wrong, by name.</summary>
internal static class DifficultMatrices
{
    public static readonly string[] Kinds =
        ["gaussian", "zero", "identity", "low rank", "equal rows", "graded", "steep", "repeated", "hilbert", "kahan", "orthogonal", "one entry", "constant", "clustered"];

    public static Matrix<double> Make(string kind, int rows, int columns)
    {
        using Matrix<double> gaussian = RandomMatrices.GaussianDouble(rows, columns, (ulong)(rows * 997 + columns)), other = RandomMatrices.GaussianDouble(rows, columns, 8);
        int rank = Math.Max(1, Math.Min(rows, columns) / 4);
        return RandomMatrices.MakeDouble(rows, columns, (i, j) => kind switch
        {
            "gaussian" => gaussian[i, j],
            "zero" => 0,
            "identity" => i == j ? 1 : 0,
            "low rank" => Enumerable.Range(0, rank).Sum(r => gaussian[i, r % columns] * other[r % rows, j]),
            "equal rows" => gaussian[i / 2, j],
            "graded" => gaussian[i, j] * Math.Pow(10, -0.2 * j),
            "steep" => gaussian[i, j] * Math.Pow(10, -8.0 * Math.Min(j, 37)),
            "repeated" => i == j ? 1 + j / 3 : 0,
            "hilbert" => 1.0 / (i + j + 1),
            "kahan" => i == j ? Math.Pow(0.9, i) : i < j ? -Math.Pow(0.9, i) * 0.43 : 0,
            "orthogonal" => Math.Sqrt(2.0 / rows) * Math.Cos(Math.PI / rows * (i + 0.5) * (j + 0.5)),
            "one entry" => i == rows / 2 && j == columns / 2 ? -3 : 0,
            "clustered" => (i == j ? 1 : 0) + 1e-9 * gaussian[i, j],
            _ => 0.7,
        });
    }
}
