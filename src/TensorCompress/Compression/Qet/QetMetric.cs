using TensorCompress.Compression.Qet.Rotated;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Qet;

/// <summary>
/// What errors of a matrix count where its inputs are known: their whole second moment H, turned with the columns, and for k-means and single codes what is left of it for each column alone,
/// <c>1 / (H^-1)_jj</c>: the cost of an error after the other columns have made good what they can.
/// </summary>
internal sealed class QetMetric : IDisposable
{
    /// <summary>Ridge of the second moment, relative to its mean diagonal.</summary>
    private const double Ridge = 0.01;

    private readonly LayerStatistics _moment, _turned;
    private readonly float[][] _scales;
    private readonly ComputePool _pool;

    private QetMetric(LayerStatistics moment, LayerStatistics untouched, int length, ComputePool pool)
    {
        (_moment, _pool) = (moment, pool);
        _turned = untouched.OutputImportance is { } importances ? moment.WithOutputImportance(importances) : moment;
        RowWeights = untouched.OutputScales() is { } scales ? [.. scales.Select(scale => (float)(scale * scale))] : null;
        Feedback = ErrorFeedback.Create(moment.SecondMoment, length, pool);
        float[] importance = Feedback.Importance();
        double mean = importance.Average();
        _scales = [.. importance.Select(value => (float)Math.Sqrt(value / mean)).Chunk(length)];
    }

    /// <summary>Feeds errors of column groups into those that follow.</summary>
    public ErrorFeedback Feedback { get; }

    /// <summary>What each row counts; null where all count alike.</summary>
    public float[]? RowWeights { get; }

    /// <summary>Turns statistics with the columns.</summary>
    /// <param name="statistics">Of the inputs as they are.</param>
    /// <param name="rotation">What columns are rotated by; null for nothing.</param>
    /// <param name="length">Columns of a group.</param>
    /// <param name="pool">Threads; the result does not depend on their number.</param>
    public static QetMetric Create(LayerStatistics statistics, RowRotation? rotation, int length, ComputePool pool)
    {
        Matrix<double> moment = statistics.Shrunk(0, Ridge);
        rotation?.RotateMetric(moment, pool);
        return new QetMetric(new LayerStatistics(moment, statistics.TokenCount), statistics, length, pool);
    }

    /// <summary>The root of what a squared error counts, for each column of a group, the mean over all columns of its square being 1.</summary>
    public float[] ScalesOf(int group) => _scales[group];

    /// <summary>The relative error of outputs.</summary>
    public double Error(MatrixView<float> values, MatrixView<float> approximation) => _turned.OutputError(values, approximation, _pool);

    /// <inheritdoc/>
    public void Dispose()
    {
        Feedback.Dispose();
        _turned.Dispose();
        _moment.Dispose();
    }
}
