using TensorCompress.Inference;
using TensorCompress.Models;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Calibration;

/// <summary>Adds up the moments of the inputs of one place of a block together with what the dense model has there for the same tokens.</summary>
internal sealed class PairedMomentProbe : IDisposable
{
    private readonly CalibrationPoint _point;
    private readonly int _block;
    private readonly float _residualScale;
    private readonly PlaceRecorder _compressed, _dense;
    private readonly SecondMomentAccumulator _moments;
    private readonly ComputePool _pool;
    private readonly int _residualWidth;

    /// <summary>Prepares for a run.</summary>
    /// <param name="point">The place.</param>
    /// <param name="definition">The model.</param>
    /// <param name="block">Index of the block.</param>
    /// <param name="run">The model with compressed layers before the place.</param>
    /// <param name="pool">Threads.</param>
    public PairedMomentProbe(CalibrationPoint point, ModelDefinition definition, int block, BlockwiseRun run, ComputePool pool)
    {
        _point = point;
        _pool = pool;
        _block = block;
        BlockDefinition blockDefinition = definition.Blocks[block];
        _residualScale = blockDefinition.ResidualScale;
        _residualWidth = WritesResidual(point, blockDefinition) ? definition.HiddenSize : 0;
        _compressed = new PlaceRecorder(point.Place);
        _dense = new PlaceRecorder(point.Place);
        _moments = new SecondMomentAccumulator(point.Dimension, run.TokenCount, pool, point.Dimension + _residualWidth);
    }

    /// <summary>Takes a window in.</summary>
    /// <param name="run">The model with compressed layers before the place.</param>
    /// <param name="denseRun">The dense model.</param>
    /// <param name="window">Index of the window.</param>
    public void Observe(BlockwiseRun run, BlockwiseRun denseRun, int window)
    {
        _compressed.Record(run, window, _block);
        _dense.Record(denseRun, window, _block);
        int width = _point.Dimension;
        using var joined = new Matrix<float>(_compressed.Values.Rows, 2 * width + _residualWidth);
        for (nint token = 0; token < joined.Rows; token++)
        {
            Span<float> row = joined.Row(token);
            _compressed.Values.Row(token).CopyTo(row);
            _dense.Values.Row(token).CopyTo(row[width..]);
            Span<float> lacking = row[(2 * width)..], present = _compressed.Residual.Row(token), wanted = _dense.Residual.Row(token);
            for (int i = 0; i < lacking.Length; i++) lacking[i] = (wanted[i] - present[i]) / _residualScale;
        }

        _moments.Add(joined.View);
    }

    /// <summary>What the layers of the place should do; the caller disposes it.</summary>
    /// <param name="share">Part of the way to the dense outputs that is gone.</param>
    public DenseOutputTarget Finish(double share) => new(_moments.Finish(), share, _pool);

    public void Dispose()
    {
        _compressed.Dispose();
        _dense.Dispose();
        _moments.Dispose();
    }

    /// <summary>Whether the outputs of the place's layer are added to the residual stream as they are, so that they can make good what it lacks.</summary>
    private static bool WritesResidual(CalibrationPoint point, BlockDefinition block) => !block.IsParallel && point.Place switch
    {
        ActivationPoint.AttentionMix => block.AttentionPostNorm is null,
        ActivationPoint.FeedForwardActivation => block.FeedForwardPostNorm is null,
        _ => false,
    };
}
