using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Numerics;

/// <summary>
/// Clusters of weighted points by Lloyd's iteration: every point goes to its nearest centroid, every centroid to the weighted mean of its points. Distances and means are in double, and a mean is
/// summed in the order of the points, so the centroids are the same bits at any number of threads and any vector width. The weighted squared error never rises but by the rounding of centroids to floats.
/// </summary>
internal sealed class KMeans : IDisposable
{
    private const int MinimumWorkPerRange = 1 << 13;

    private readonly MatrixView<float> _points;
    private readonly float[]? _weights;
    private readonly ComputePool _pool;
    private readonly Matrix<float> _centroids;
    private readonly NearestCentroid _search;
    private readonly int[] _nearest;
    private readonly double[] _distances;

    private KMeans(MatrixView<float> points, float[]? weights, int clusters, ComputePool pool)
    {
        _points = points;
        _weights = weights;
        _pool = pool;
        _centroids = new Matrix<float>(clusters, points.Columns);
        _search = new NearestCentroid(clusters, pool);
        _nearest = new int[points.Rows];
        _distances = new double[points.Rows];
    }

    /// <summary>Finds centroids, [clusters, dimension]; the caller owns them.</summary>
    /// <param name="points">[points, dimension], finite.</param>
    /// <param name="weights">A weight for each point, 0 or more; null where all weigh alike. Points of weight 0 have no influence.</param>
    /// <param name="options">Clusters, start, iterations.</param>
    /// <param name="random">Chooses the start.</param>
    /// <param name="pool">Threads; null for the shared pool.</param>
    /// <param name="cancellationToken">Looked at once per iteration.</param>
    /// <exception cref="ArgumentException">There are fewer points than clusters, or weights that are negative, not finite or not as many as the points.</exception>
    public static Matrix<float> Fit(
        MatrixView<float> points, float[]? weights, KMeansOptions options, SeededRandom random, ComputePool? pool = null, CancellationToken cancellationToken = default)
    {
        int[] candidates = Candidates(points, weights);
        if (options.Clusters < 1 || options.Clusters > candidates.Length)
            throw new ArgumentException($"{candidates.Length} points with weight do not make {options.Clusters} clusters.", nameof(options));
        using var run = new KMeans(points, weights, options.Clusters, pool ?? ComputePool.Shared);
        if (options.Start == KMeansStart.PlusPlus) run.StartSpread(candidates, random);
        else run.StartAtRandom(candidates, random);
        run.Iterate(options.Iterations, cancellationToken);
        return run._centroids;
    }

    /// <inheritdoc/>
    public void Dispose() => _search.Dispose(); // the centroids are the result

    private static int[] Candidates(MatrixView<float> points, float[]? weights)
    {
        if (points.Rows > Array.MaxLength) throw new ArgumentException($"{points.Rows} points are more than {Array.MaxLength}.", nameof(points));
        int count = (int)points.Rows;
        if (weights == null) return [.. Enumerable.Range(0, count)];
        if (weights.Length != count) throw new ArgumentException($"{count} points do not have {weights.Length} weights.", nameof(weights));
        if (Array.FindIndex(weights, weight => !(weight >= 0 && float.IsFinite(weight))) is >= 0 and int wrong)
            throw new ArgumentException($"Weight {wrong} is {weights[wrong]}; weights are finite and not negative.", nameof(weights));
        return [.. Enumerable.Range(0, count).Where(i => weights[i] > 0)];
    }

    private double WeightOf(int point) => _weights == null ? 1 : _weights[point];

    private void StartAtRandom(int[] candidates, SeededRandom random)
    {
        for (int j = 0; j < _centroids.Rows; j++)
        {
            int other = j + random.NextInt32(candidates.Length - j);
            (candidates[j], candidates[other]) = (candidates[other], candidates[j]);
            _points.Row(candidates[j]).CopyTo(_centroids.Row(j));
        }
    }

    private void StartSpread(int[] candidates, SeededRandom random)
    {
        Array.Fill(_distances, 1);
        for (int j = 0; j < _centroids.Rows; j++)
        {
            _points.Row(Draw(candidates, random)).CopyTo(_centroids.Row(j));
            bool isFirst = j == 0;
            int newest = j;
            _pool.For(_points.Rows, 64, (start, end) =>
            {
                for (nint i = start; i < end; i++)
                {
                    double distance = SquaredDistance(_points.Row(i), _centroids.Row(newest));
                    _distances[i] = isFirst ? distance : Math.Min(_distances[i], distance);
                }
            });
        }
    }

    /// <summary>A point with a probability that is its weighted squared distance; any point where all distances are 0.</summary>
    private int Draw(int[] candidates, SeededRandom random)
    {
        double total = 0;
        foreach (int i in candidates) total += WeightOf(i) * _distances[i];
        double target = random.NextDouble() * total;
        if (total == 0) return candidates[(int)(random.NextDouble() * candidates.Length)];
        int drawn = candidates[0];
        foreach (int i in candidates)
        {
            double share = WeightOf(i) * _distances[i];
            if (share == 0) continue;
            drawn = i; // the last one with a share, where rounding leaves the target above the sum
            target -= share;
            if (target < 0) break;
        }

        return drawn;
    }

    private void Iterate(int iterations, CancellationToken cancellationToken)
    {
        int[] previous = new int[_nearest.Length];
        for (int i = 0; i < iterations; i++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            _search.Find(_points, _centroids.View, _nearest, _distances);
            FillEmptyClusters();
            if (i > 0 && _nearest.AsSpan().SequenceEqual(previous)) return;
            _nearest.CopyTo(previous, 0);
            MoveToMeans();
        }
    }

    /// <summary>
    /// Gives every cluster without points the one that is served worst, with all that are the same, out of a cluster that keeps others. With fewer different points than clusters some stay as they are.
    /// </summary>
    private void FillEmptyClusters()
    {
        int[] counts = new int[_centroids.Rows];
        for (int i = 0; i < _nearest.Length; i++)
        {
            if (WeightOf(i) > 0) counts[_nearest[i]]++;
        }

        for (int j = 0; j < counts.Length; j++)
        {
            while (counts[j] == 0)
            {
                int worst = ServedWorst(counts);
                if (worst < 0) return;
                (int from, double distance) = (_nearest[worst], _distances[worst]);
                int[] same = [.. Enumerable.Range(worst, _nearest.Length - worst).Where(i => _nearest[i] == from && _distances[i] == distance && _points.Row(i).SequenceEqual(_points.Row(worst)))];
                int weighty = same.Count(i => WeightOf(i) > 0);
                foreach (int i in same) _distances[i] = 0;
                if (weighty == counts[from]) continue; // the mean of their cluster will be they
                (counts[from], counts[j]) = (counts[from] - weighty, weighty);
                foreach (int i in same) _nearest[i] = j;
            }
        }
    }

    /// <summary>The point whose weighted error is largest in a cluster of two or more; -1 where none errs.</summary>
    private int ServedWorst(int[] counts)
    {
        int worst = -1;
        double worstError = 0;
        for (int i = 0; i < _nearest.Length; i++)
        {
            double error = WeightOf(i) * _distances[i];
            if (error <= worstError || counts[_nearest[i]] < 2) continue;
            worstError = error;
            worst = i;
        }

        return worst;
    }

    private void MoveToMeans()
    {
        (int[] starts, int[] members) = Members();
        nint grain = 1 + (nint)(MinimumWorkPerRange * (long)_centroids.Rows / ((long)_points.Rows * _points.Columns));
        _pool.For(_centroids.Rows, grain, (first, end) =>
        {
            double[] sum = new double[_points.Columns];
            for (nint cluster = first; cluster < end; cluster++)
            {
                Array.Clear(sum);
                double total = 0;
                foreach (int i in members.AsSpan(starts[cluster]..starts[cluster + 1]))
                {
                    double weight = WeightOf(i);
                    total += weight;
                    DoubleVectors.AddScaled(weight, _points.Row(i), sum);
                }

                if (total == 0) continue;
                Span<float> centroid = _centroids.Row(cluster);
                for (int k = 0; k < sum.Length; k++) centroid[k] = (float)(sum[k] / total);
            }
        });
    }

    /// <summary>The points sorted by cluster, in their order within one, and where each cluster begins.</summary>
    private (int[] Starts, int[] Members) Members()
    {
        int[] starts = new int[_centroids.Rows + 1];
        foreach (int cluster in _nearest) starts[cluster + 1]++;
        for (int j = 1; j < starts.Length; j++) starts[j] += starts[j - 1];
        int[] next = [.. starts], members = new int[_nearest.Length];
        for (int i = 0; i < _nearest.Length; i++) members[next[_nearest[i]]++] = i;
        return (starts, members);
    }

    private static double SquaredDistance(ReadOnlySpan<float> x, ReadOnlySpan<float> y)
    {
        double sum = 0;
        for (int k = 0; k < x.Length; k++)
        {
            double difference = (double)x[k] - y[k];
            sum += difference * difference;
        }

        return sum;
    }
}
