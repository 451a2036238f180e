using System.Numerics;
using TensorCompress.Compression.Qet.Rotated;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Qet;

/// <summary>Trials of plans on a few whole blocks of columns, those that swaps mix and groups share, of rows that are rotated or not; on all of them where the matrix is small.</summary>
internal sealed class QetTrials : IDisposable
{
    /// <summary>Iterations of k-means in a brief trial.</summary>
    public const int BriefIterations = 3;

    /// <summary>Columns and rows of a trial, about; more rows where the centroids are many.</summary>
    private const int Columns = 48, Rows = 4096, RowsPerCentroid = 16;

    /// <summary>Centroids of a group in a brief trial at most.</summary>
    private const int BriefCentroids = 512;

    private readonly MatrixView<float> _rows;
    private readonly Matrix<float>? _rotated;
    private readonly LayerStatistics? _statistics;
    private readonly Matrix<double>? _moment;
    private readonly Dictionary<int, QetMetrics> _metrics = [];
    private readonly ComputePool _pool;
    private readonly CancellationToken _cancellationToken;

    /// <param name="values">The rows.</param>
    /// <param name="rotation">What they are rotated by first; null for nothing.</param>
    /// <param name="statistics">Of the inputs that rows are multiplied with; null for the squared error of the rows.</param>
    /// <param name="pool">Threads; the result does not depend on their number.</param>
    /// <param name="cancellationToken">Looked at within.</param>
    public QetTrials(MatrixView<float> values, RowRotation? rotation, LayerStatistics? statistics, ComputePool pool, CancellationToken cancellationToken)
    {
        (_rows, _statistics, _pool, _cancellationToken) = (values, statistics, pool, cancellationToken);
        _moment = statistics?.Shrunk(0, 0);
        if (rotation is null) return;
        _rotated = new Matrix<float>(_rows.Rows, _rows.Columns);
        _rows.CopyTo(_rotated.View);
        rotation.Rotate(_rotated.View, pool);
        if (_moment is not null) rotation.RotateMetric(_moment, pool);
        _rows = _rotated.View;
    }

    /// <summary>Whether trials are on some of the columns however small the matrix is.</summary>
    public bool Samples { get; init; }

    /// <summary>Whether a matrix is so small that a trial takes all of it.</summary>
    public static bool IsSmall(MatrixView<float> values) => values.Rows * values.Columns <= Rows * Columns;

    private bool TakesAll => !Samples && IsSmall(_rows);

    /// <summary>The relative squared error that a plan has.</summary>
    public double Error(QetPlan plan) => Try(plan.Centroids, plan);

    /// <summary>About the error that a plan has: few iterations, stage after stage, and where centroids are many what a Gaussian source says of those that are left out.</summary>
    public double BriefError(QetPlan plan)
    {
        bool all = TakesAll || HasFewerVectors(plan);
        int[] centroids = all ? [.. plan.Centroids] : [.. plan.Centroids.Select(count => Math.Min(count, BriefCentroids))];
        double missing = plan.Centroids.Zip(centroids, (all, some) => Math.Log2((double)all / some)).Sum();
        return Try(centroids, plan.WithOptions(plan.Options with { Iterations = BriefIterations, BeamWidth = 1 })) * Math.Pow(2, -2 * missing / plan.SubvectorLength);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (QetMetrics metrics in _metrics.Values)
        {
            metrics.Statistics.Dispose();
            metrics.Dispose();
        }

        _rotated?.Dispose();
        _moment?.Dispose();
    }

    /// <summary>Whether the first group has no more different vectors than the first stage has centroids: a brief trial of fewer would not see that nothing is lost then.</summary>
    private bool HasFewerVectors(QetPlan plan)
    {
        if (plan.Options.Stages[0].SwapLayers > 0 || plan.Centroids[0] <= BriefCentroids) return false;
        var different = new HashSet<ulong>();
        for (nint row = 0; row < _rows.Rows; row++)
        {
            ulong hash = 0;
            foreach (float number in _rows.Row(row)[..plan.SubvectorLength]) hash = BitOperations.RotateLeft(hash ^ BitConverter.SingleToUInt32Bits(number), 29) * 0x9E3779B97F4A7C15;
            if (different.Add(hash) && different.Count > plan.Centroids[0]) return false;
        }

        return true;
    }

    private double Try(IReadOnlyList<int> centroids, QetPlan plan)
    {
        bool all = TakesAll;
        int layers = plan.Options.Stages[0].SwapLayers, width = plan.SubvectorLength << layers, blocks = (int)plan.Columns / width;
        int count = all ? blocks : Math.Clamp(Columns / width, 1, blocks);
        nint rows = all ? _rows.Rows : nint.Min(_rows.Rows, Math.Max(Rows, RowsPerCentroid * centroids.Max()));
        int[] columns = [.. Enumerable.Range(0, count).SelectMany(i => Enumerable.Range(i * blocks / count * width, width))];
        using var sample = new Matrix<float>(rows, columns.Length);
        for (nint row = 0; row < rows; row++)
        {
            ReadOnlySpan<float> source = _rows.Row(row * _rows.Rows / rows);
            for (int i = 0; i < columns.Length; i++) sample[row, i] = source[columns[i]];
        }

        QetMetrics? metrics = Metrics(width, columns);
        var trial = QetPlan.WithCentroids(rows, sample.Columns, centroids, plan.Options with { Subspaces = count << layers });
        return new QetError(sample.View, metrics?.Statistics, _pool).Of(QetCodec.CompressInMetric(sample.View, trial, metrics, _pool, _cancellationToken));
    }

    private QetMetrics? Metrics(int width, int[] columns)
    {
        if (_moment is null) return null;
        if (_metrics.TryGetValue(width, out QetMetrics? known)) return known;
        var block = new Matrix<double>(columns.Length, columns.Length);
        for (int i = 0; i < columns.Length; i++)
        {
            for (int j = 0; j < columns.Length; j++) block[i, j] = _moment[columns[i], columns[j]];
        }

        return _metrics[width] = new QetMetrics(new LayerStatistics(block, _statistics!.TokenCount), _pool);
    }
}
