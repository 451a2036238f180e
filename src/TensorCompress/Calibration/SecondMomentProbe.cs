using TensorCompress.Compression;
using TensorCompress.Inference;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Calibration;

/// <summary>Adds up the second moments of chosen places of a block, and ends the block behind the last of them.</summary>
internal sealed class SecondMomentProbe : ActivationProbe, IDisposable
{
    private readonly Dictionary<ActivationPoint, SecondMomentAccumulator> _moments;
    private readonly ActivationPoint _last;
    private bool _isDone;

    /// <summary>Prepares for a run.</summary>
    /// <param name="points">The places, in the order of computation.</param>
    /// <param name="tokenCount">Tokens of the run.</param>
    /// <param name="pool">Threads.</param>
    public SecondMomentProbe(IReadOnlyList<CalibrationPoint> points, long tokenCount, ComputePool pool)
    {
        _moments = points.ToDictionary(point => point.Place, point => new SecondMomentAccumulator(point.Dimension, tokenCount, pool));
        _last = points[^1].Place;
    }

    internal override bool IsDone => _isDone;

    public override void Observe(ActivationPoint point, int block, int firstPosition, MatrixView<float> values)
    {
        if (_moments.TryGetValue(point, out SecondMomentAccumulator? moment)) moment.Add(values);
        _isDone = point == _last;
    }

    /// <summary>The statistics of a place; the caller disposes them.</summary>
    public LayerStatistics Finish(ActivationPoint point) => _moments[point].Finish().Statistics;

    public void Dispose()
    {
        foreach (SecondMomentAccumulator moment in _moments.Values) moment.Dispose();
    }
}
