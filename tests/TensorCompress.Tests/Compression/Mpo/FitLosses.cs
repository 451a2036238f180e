using TensorCompress.Compression;
using TensorCompress.Compression.Mpo;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Compression.Mpo;

/// <summary>Statistics for fits, and what a fit's loss is by plain loops.</summary>
internal static class FitLosses
{
    /// <summary>Inputs with a decaying spectrum in a random basis, as those of trained models.</summary>
    public static LayerStatistics Activations(int dimension, int tokens)
    {
        using Matrix<float> mix = RandomMatrices.Gaussian(dimension, dimension, 9), noise = RandomMatrices.Gaussian(tokens, dimension, 10);
        using Matrix<float> activations = RandomMatrices.Make(tokens, dimension, (t, j) => Enumerable.Range(0, dimension).Sum(k => noise[t, k] * Math.Pow(k + 1, -0.75) * mix[k, j]));
        return LayerStatistics.FromActivations(activations.View);
    }

    /// <summary>Weights of outputs that are no product over any digits.</summary>
    public static double[] Importance(int rows) => [.. Enumerable.Range(0, rows).Select(row => row % 5 == 0 ? 9.0 : 0.2 + row * row % 7)];

    /// <summary>tr(D (W - W') H (W - W')^T) / tr(D W H W^T).</summary>
    public static double Loss(Matrix<float> weights, MatrixProductOperator chain, Matrix<double> metric, double[]? importance = null)
    {
        using var dense = new Matrix<float>(weights.Rows, weights.Columns);
        chain.ToDense(dense.View);
        double loss = 0, norm = 0;
        for (int row = 0; row < weights.Rows; row++)
        {
            double weight = importance?[row] ?? 1;
            for (int i = 0; i < weights.Columns; i++)
            {
                for (int j = 0; j < weights.Columns; j++)
                {
                    loss += weight * ((double)weights[row, i] - dense[row, i]) * metric[i, j] * ((double)weights[row, j] - dense[row, j]);
                    norm += weight * weights[row, i] * metric[i, j] * weights[row, j];
                }
            }
        }

        return loss / norm;
    }
}
