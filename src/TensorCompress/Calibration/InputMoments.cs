using TensorCompress.Compression;
using TensorCompress.Inference;
using TensorCompress.Models;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Calibration;

/// <summary>What a pass has seen of the inputs of layers.</summary>
/// <param name="Statistics">Second moments of the inputs x.</param>
/// <param name="Cross">E[p x^T], [partner, input], where tokens had partners p: what the dense model's input has more than x, and behind it what its residual stream has more; null otherwise.</param>
internal sealed record InputMoments(LayerStatistics Statistics, Matrix<double>? Cross) : IDisposable
{
    /// <summary>Moments of the inputs that a run stands at, without partners.</summary>
    /// <param name="run">The run, at a place that is the input of matrices.</param>
    /// <param name="pool">Threads.</param>
    public static InputMoments Of(BlockwiseRun run, ComputePool pool)
    {
        using var moments = new SecondMomentAccumulator((int)run.Inputs.Columns, run.TokenCount, pool);
        moments.Add(run.Inputs);
        return moments.Finish();
    }

    /// <summary>Moments of the inputs that a run stands at, with what the dense model has there for the same tokens.</summary>
    /// <param name="run">The model with compressed layers before the place.</param>
    /// <param name="denseRun">The dense model, at the same place.</param>
    /// <param name="point">The place.</param>
    /// <param name="block">Its block.</param>
    /// <param name="pool">Threads.</param>
    public static InputMoments Beside(BlockwiseRun run, BlockwiseRun denseRun, CalibrationPoint point, BlockDefinition block, ComputePool pool)
    {
        int width = point.Dimension, residualWidth = point.WritesResidual(block) ? (int)run.Residual.Columns : 0;
        using var moments = new SecondMomentAccumulator(width, run.TokenCount, pool, width + residualWidth);
        using var joined = new Matrix<float>(nint.Min(512, run.Inputs.Rows), 2 * width + residualWidth);
        for (nint start = 0; start < run.Inputs.Rows; start += joined.Rows)
        {
            nint count = nint.Min(joined.Rows, run.Inputs.Rows - start);
            for (nint token = 0; token < count; token++)
            {
                Span<float> row = joined.Row(token);
                ReadOnlySpan<float> present = run.Inputs.Row(start + token), wanted = denseRun.Inputs.Row(start + token);
                present.CopyTo(row);
                for (int i = 0; i < width; i++) row[width + i] = wanted[i] - present[i];
                Span<float> lacking = row[(2 * width)..];
                present = run.Residual.Row(start + token);
                wanted = denseRun.Residual.Row(start + token);
                for (int i = 0; i < lacking.Length; i++) lacking[i] = (wanted[i] - present[i]) / block.ResidualScale;
            }

            moments.Add(joined.RowRange(0, count));
        }

        return moments.Finish();
    }

    public void Dispose()
    {
        Statistics.Dispose();
        Cross?.Dispose();
    }
}
