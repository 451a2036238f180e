using TensorCompress.Compression;
using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Calibration;

/// <summary>
/// What a layer behind compressed layers should do: with its inputs x come as near as it can to what the dense layer makes of its own inputs, rather than be the dense layer on inputs
/// that are not the dense ones. To first order that takes back the errors of the layers before it, and costs no byte.
/// </summary>
internal static class DenseOutputTarget
{
    /// <summary>Ridge of the fit over the second moment of each channel: directions that few tokens show keep their weights.</summary>
    private static readonly double Ridge = double.Parse(Environment.GetEnvironmentVariable("TC_R") ?? "0.01");
    private static readonly double L = double.Parse(Environment.GetEnvironmentVariable("TC_L") ?? "1");
    private static readonly double G = double.Parse(Environment.GetEnvironmentVariable("TC_G") ?? "1");

    /// <summary>The weights whose outputs on x are nearest to W p, plus what the residual stream lacks: <c>W + (W (E[p x^T] - H) + E[g x^T]) (H + ridge)^-1</c>.</summary>
    /// <param name="weights">W, [output, input].</param>
    /// <param name="moments">Moments of the inputs and of their partners: p, and behind it, where the outputs go to the residual stream, g.</param>
    /// <param name="pool">Threads.</param>
    /// <returns>[output, input].</returns>
    public static Matrix<float> Fit(MatrixView<float> weights, InputMoments moments, ComputePool pool)
    {
        Matrix<double> cross = moments.Cross ?? throw new ArgumentException("The inputs had no partners.", nameof(moments));
        nint inputs = weights.Columns;
        MatrixView<double> secondMoment = moments.Statistics.SecondMoment;
        using var dense = new Matrix<double>(weights.Rows, inputs);
        for (nint row = 0; row < dense.Rows; row++)
        {
            for (int i = 0; i < inputs; i++) dense[row, i] = weights.Row(row)[i];
        }

        using var gap = new Matrix<double>(inputs, inputs);
        for (nint row = 0; row < inputs; row++)
        {
            for (int i = 0; i < inputs; i++) gap[row, i] = L * (cross[row, i] - secondMoment.Row(row)[i]);
        }

        using var change = new Matrix<double>(weights.Rows, inputs);
        MatrixProduct.Multiply(dense, gap, change.View, pool: pool);
        if (cross.Rows > inputs)
        {
            for (nint row = 0; row < change.Rows; row++)
            {
                for (int i = 0; i < inputs; i++) change[row, i] += G * cross[inputs + row, i];
            }
        }

        using Matrix<double> metric = Ridged(moments.Statistics);
        using Cholesky factor = Cholesky.FactorizeWithRidge(metric.View, pool: pool);
        TriangularSolve.Right(factor.Lower.Transposed, Triangle.Upper, change.View, pool);
        TriangularSolve.Right(factor.Lower, Triangle.Lower, change.View, pool);
        var target = new Matrix<float>(weights.Rows, inputs);
        for (nint row = 0; row < target.Rows; row++)
        {
            for (int i = 0; i < inputs; i++) target[row, i] = (float)(dense[row, i] + change[row, i]);
        }

        return target;
    }

    private static Matrix<double> Ridged(LayerStatistics statistics)
    {
        Matrix<double> metric = statistics.Shrunk(0, 0);
        for (nint i = 0; i < metric.Rows; i++) metric[i, i] *= 1 + Ridge;
        return metric;
    }
}
