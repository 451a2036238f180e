using TensorCompress.Numerics;
using TensorCompress.Tensors;

namespace TensorCompress.Tests.TestKit;

/// <summary>Matrices for tests, the same for the same seed.</summary>
internal static class RandomMatrices
{
    public static Matrix<float> Gaussian(int rows, int columns, ulong seed = 1, double scale = 1) => Make(rows, columns, seed, random => random.NextGaussian() * scale);

    public static Matrix<float> Constant(int rows, int columns, float value) => Make(rows, columns, 0, _ => value);

    /// <summary>Like a trained weight: Gaussian with heavy rows and a decaying spectrum.</summary>
    public static Matrix<float> Trained(int rows, int columns, ulong seed = 1)
    {
        using Matrix<float> low = LowRank(rows, columns, Math.Max(1, Math.Min(rows, columns) / 8), seed);
        Matrix<float> result = Gaussian(rows, columns, seed + 1, 0.02);
        for (nint i = 0; i < rows; i++)
        {
            for (nint j = 0; j < columns; j++) result[i, j] += 0.05f * low[i, j];
        }

        return result;
    }

    /// <summary>Rows and columns of log-normal sizes around a product of Gaussian matrices whose terms fall as j^-1/2.</summary>
    public static Matrix<float> Structured(int rows, int columns, ulong seed = 1)
    {
        int terms = Math.Min(rows, columns);
        var random = new SeededRandom(seed + 5000);
        double[] rowScales = [.. Enumerable.Range(0, rows).Select(_ => Math.Exp(0.4 * random.NextGaussian()))], columnScales = [.. Enumerable.Range(0, columns).Select(_ => Math.Exp(0.6 * random.NextGaussian()))];
        using Matrix<float> left = Gaussian(rows, terms, seed + 77), right = Gaussian(terms, columns, seed + 178);
        return Make(rows, columns, (i, j) => rowScales[i] * columnScales[j] * Enumerable.Range(0, terms).Sum(k => left[i, k] * Math.Pow(k + 1, -0.5) * right[k, j]));
    }

    public static Matrix<float> LowRank(int rows, int columns, int rank, ulong seed = 1)
    {
        using Matrix<float> left = Gaussian(rows, rank, seed), right = Gaussian(rank, columns, seed + 1);
        return Make(rows, columns, (i, j) => Enumerable.Range(0, rank).Sum(k => (double)left[i, k] * right[k, j]));
    }

    public static Matrix<float> Make(int rows, int columns, Func<int, int, double> element)
    {
        var matrix = new Matrix<float>(rows, columns);
        for (int i = 0; i < rows; i++)
        {
            for (int j = 0; j < columns; j++) matrix[i, j] = (float)element(i, j);
        }

        return matrix;
    }

    public static Matrix<double> MakeDouble(int rows, int columns, Func<int, int, double> element)
    {
        var matrix = new Matrix<double>(rows, columns);
        for (int i = 0; i < rows; i++)
        {
            for (int j = 0; j < columns; j++) matrix[i, j] = element(i, j);
        }

        return matrix;
    }

    public static Matrix<double> GaussianDouble(int rows, int columns, ulong seed = 1)
    {
        var random = new SeededRandom(seed);
        return MakeDouble(rows, columns, (_, _) => random.NextGaussian());
    }

    private static Matrix<float> Make(int rows, int columns, ulong seed, Func<SeededRandom, double> element)
    {
        var random = new SeededRandom(seed);
        return Make(rows, columns, (_, _) => element(random));
    }
}
