using TensorCompress.Compression.Qet.Rotated;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Qet;

/// <summary>The metrics of one layer for rotations and widths of column groups, each factorised once; of learnt rotations, which are all different, the last.</summary>
/// <param name="statistics">Of the inputs that rows are multiplied with; not owned.</param>
/// <param name="pool">Threads; the result does not depend on their number.</param>
internal sealed class QetMetrics(LayerStatistics statistics, ComputePool pool) : IDisposable
{
    private readonly Dictionary<(QetRotation Rotation, int Length), QetMetric> _known = [];
    private QetMetric? _learnt;

    /// <summary>What they come from.</summary>
    public LayerStatistics Statistics => statistics;

    /// <summary>The metric for a rotation and a width, valid until the next call with another learnt rotation.</summary>
    public QetMetric For(RowRotation? rotation, int length)
    {
        if (rotation?.Kind == QetRotation.Learnt)
        {
            _learnt?.Dispose();
            return _learnt = QetMetric.Create(statistics, rotation, length, pool);
        }

        (QetRotation, int) key = (rotation?.Kind ?? QetRotation.None, length);
        if (!_known.TryGetValue(key, out QetMetric? metric)) _known.Add(key, metric = QetMetric.Create(statistics, rotation, length, pool));
        return metric;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _learnt?.Dispose();
        foreach (QetMetric metric in _known.Values) metric.Dispose();
    }
}
