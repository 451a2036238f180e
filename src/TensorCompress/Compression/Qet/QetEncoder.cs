using TensorCompress.Compression.Qet.Rotated;
using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Qet;

/// <summary>
/// Rotates rows, fits codebooks stage after stage or takes those that are there, and chooses codes. Stages at the end that have no swaps are searched and fitted together where the beam is wider than one. With
/// statistics of the inputs squared errors of columns count what they cost (k-means, codes), behind swaps all alike, because swaps mix the columns (rows keep their importance); and the last codes are chosen by error feedback in the whole
/// second moment.
/// </summary>
internal sealed class QetEncoder
{
    private readonly QetPlan _plan;
    private readonly QetMetric? _metric;
    private readonly ComputePool _pool;
    private readonly CancellationToken _cancellationToken;

    private QetEncoder(QetPlan plan, QetMetric? metric, ComputePool pool, CancellationToken cancellationToken) => (_plan, _metric, _pool, _cancellationToken) = (plan, metric, pool, cancellationToken);

    /// <summary>Encodes rows.</summary>
    /// <param name="values">Of the shape of the plan; checked.</param>
    /// <param name="plan">The plan.</param>
    /// <param name="fitted">Whose codebooks and rotation; null to fit.</param>
    /// <param name="metrics">What errors count; null where all count alike.</param>
    /// <param name="pool">Threads; the result does not depend on their number.</param>
    /// <param name="cancellationToken">Looked at once per iteration of k-means.</param>
    public static QetTensor Run(MatrixView<float> values, QetPlan plan, QetTensor? fitted, QetMetrics? metrics, ComputePool pool, CancellationToken cancellationToken)
    {
        QetCodec.ThrowIfNotUsable(values);
        metrics?.Statistics.ThrowIfUnfit(values);
        using var rest = new Matrix<float>(plan.Rows, plan.Columns);
        values.CopyTo(rest.View);
        RowRotation? rotation = fitted is null ? RowRotation.Create(values, plan, pool, cancellationToken) : fitted.Rotation;
        if (rotation is not null)
        {
            rotation.Rotate(rest.View, pool);
            if (!QetCodec.AreUsable(rest.View)) throw new ArgumentException($"Rotated rows have values beyond {QetCodec.LargestMagnitude}, the largest magnitude that is supported.", nameof(values));
        }

        return new QetTensor(plan, new QetEncoder(plan, metrics?.For(rotation, plan.SubvectorLength), pool, cancellationToken).Stages(rest, fitted), rotation);
    }

    /// <summary>Codes as a file has them.</summary>
    internal static byte[] Pack(int[] codes, int bits)
    {
        byte[] packed = new byte[BitStream.Padded((long)codes.Length * bits) / 8];
        if (bits == 0) return packed;
        for (int i = 0; i < codes.Length; i++) BitStream.Write(packed, (long)i * bits, codes[i]);
        return packed;
    }

    private QetEncodedStage[] Stages(Matrix<float> rest, QetTensor? fitted)
    {
        var stages = new QetEncodedStage[_plan.Centroids.Count];
        int joint = Enumerable.Range(0, stages.Length + 1).First(first => JointStages.Allows(_plan, first)), together = stages.Length - joint;
        bool isJoint = together > 1 && _plan.Options.BeamWidth > 1, isFedBack = together > 0 && _metric is not null;
        using Matrix<float>? before = isJoint || isFedBack ? new Matrix<float>(rest.Rows, rest.Columns) : null;
        for (int i = 0; i < stages.Length; i++)
        {
            if (i == joint && before is not null) rest.View.CopyTo(before.View);
            stages[i] = Stage(i, rest, fitted?.Stages[i].Codebook);
        }

        if (before is null) return stages;
        var last = new JointStages(before.View, _plan, joint, _metric, _pool, _cancellationToken);
        QetEncodedStage[] improved = stages[joint..];
        if (isJoint) improved = fitted is null ? last.Improve(improved) : last.Encode([.. improved.Select(stage => stage.Codebook)]);
        if (_metric is not null) improved = last.FeedBack(improved, _metric);
        return [.. stages[..joint], .. improved];
    }

    private QetEncodedStage Stage(int index, Matrix<float> rest, QetCodebook? known)
    {
        using var leaves = new Matrix<float>(rest.Rows, rest.Columns);
        rest.View.CopyTo(leaves.View);
        int layers = _plan.Options.Stages[index].SwapLayers;
        byte[] swaps = ElementSwap.Split(leaves.View, layers, _pool);
        QetMetric? metric = layers == 0 ? _metric : null;
        if (metric is not null) Scale(leaves, metric);
        QetCodebook codebook = known ?? Fit(leaves.View, index, metric);
        float[] centroids = new float[codebook.Count];
        codebook.Decode(0, centroids);
        byte[] codes = Codes(leaves.View, centroids, index, metric);
        var stage = new QetEncodedStage(swaps, codes, codebook, layers, _plan.CodeBits(index), _plan.Centroids[index]);
        if (index + 1 < _plan.Centroids.Count) Subtract(stage, centroids, rest);
        return stage;
    }

    private void Scale(Matrix<float> leaves, QetMetric metric)
    {
        float[] scales = [.. Enumerable.Range(0, _plan.Options.Subspaces).SelectMany(metric.ScalesOf)];
        for (nint row = 0; row < leaves.Rows; row++)
        {
            Span<float> values = leaves.Row(row);
            for (int k = 0; k < scales.Length; k++) values[k] *= scales[k];
        }
    }

    private QetCodebook Fit(MatrixView<float> leaves, int stage, QetMetric? metric)
    {
        int length = _plan.SubvectorLength, count = _plan.Centroids[stage];
        float[] centroids = new float[(long)count * _plan.Columns];
        SeededRandom random = new SeededRandom(_plan.Options.Seed).Fork((ulong)stage);
        var options = new KMeansOptions(count, KMeansStart.RandomPoints, _plan.Options.Iterations);
        for (int group = 0; group < _plan.Options.Subspaces; group++)
        {
            using Matrix<float> fit = KMeans.Fit(leaves.ColumnRange(group * length, length), _metric?.RowWeights, options, random.Fork((ulong)group), _pool, _cancellationToken);
            Span<float> numbers = centroids.AsSpan(group * count * length, count * length);
            fit.RowSpan(0, count).CopyTo(numbers);
            if (metric is null) continue;
            float[] scales = metric.ScalesOf(group);
            for (int i = 0; i < numbers.Length; i++) numbers[i] /= scales[i % length];
        }

        return QetCodebook.Round(centroids, _plan, stage);
    }

    private byte[] Codes(MatrixView<float> leaves, float[] codebook, int stage, QetMetric? metric)
    {
        int length = _plan.SubvectorLength, subspaces = _plan.Options.Subspaces, count = _plan.Centroids[stage], bits = _plan.CodeBits(stage);
        int[] codes = new int[leaves.Rows * subspaces], nearest = new int[leaves.Rows];
        if (bits == 0) return Pack(codes, bits);
        double[] distances = new double[leaves.Rows];
        using var search = new NearestCentroid(count, _pool);
        for (int group = 0; group < subspaces; group++)
        {
            using var centroids = new Matrix<float>(count, length, codebook.AsSpan(group * count * length, count * length));
            if (metric is not null)
            {
                float[] scales = metric.ScalesOf(group);
                for (int i = 0; i < count * length; i++) centroids[i / length, i % length] *= scales[i % length];
            }

            search.Find(leaves.ColumnRange(group * length, length), centroids.View, nearest, distances);
            for (int row = 0; row < nearest.Length; row++) codes[row * subspaces + group] = nearest[row];
        }

        return Pack(codes, bits);
    }

    private void Subtract(QetEncodedStage stage, float[] centroids, Matrix<float> rest) => _pool.For(rest.Rows, 8, (first, end) =>
    {
        float[] part = new float[rest.Columns], scratch = new float[rest.Columns];
        for (nint row = first; row < end; row++)
        {
            stage.Decode(row, _plan.Options.Subspaces, centroids, part, scratch);
            Span<float> values = rest.Row(row);
            for (int k = 0; k < values.Length; k++) values[k] -= part[k];
        }
    });
}
