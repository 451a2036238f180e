using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Qet;

/// <summary>
/// Quantum Entanglement Trees (Wang et al., arXiv 2407.03637) for any matrix of related rows: weights, embeddings, keys and values, vectors of a store. Nothing in it is quantum: a stage swaps
/// neighbours into a local order and remembers the swaps, cuts the columns into groups, gives every row of a group its nearest centroid, and leaves the difference to the next stage.
/// </summary>
/// <remarks>The same values, plan and seed give the same bytes at any number of threads and any vector width.</remarks>
public static class QetCodec
{
    /// <summary>Values beyond are refused: differences and sums of the stages then stay far from infinity.</summary>
    internal const float LargestMagnitude = 1.2676506e30f; // 2^100

    /// <summary>From so many rows on all centroids are decoded before them.</summary>
    private const int RowsWorthAllCentroids = 16;

    /// <summary>Chooses swap layers, column groups, stages, centroids and codebook bits for a budget by trials on the values; the error is never above that of plain product quantisation or residual stages without swaps.</summary>
    /// <param name="values">The rows, finite and at most 2^100 in magnitude.</param>
    /// <param name="maxBytes">What may be stored at most.</param>
    /// <param name="seed">Chooses the rows that k-means begins with.</param>
    /// <param name="pool">Threads; null for the shared pool.</param>
    /// <param name="cancellationToken">Looked at between trials and within.</param>
    /// <exception cref="ArgumentException">The bytes do not suffice for one centroid (the message says how many bits per value do), or values are NaN, infinite or too large.</exception>
    public static QetPlan Plan(MatrixView<float> values, long maxBytes, ulong seed = 123, ComputePool? pool = null, CancellationToken cancellationToken = default)
    {
        ThrowIfNotUsable(values);
        return QetPlanner.Compress(values, maxBytes, seed, pool ?? ComputePool.Shared, cancellationToken).Plan;
    }

    /// <summary>Fits codebooks to the rows and encodes them.</summary>
    /// <param name="values">The rows, finite and at most 2^100 in magnitude; read before the call returns.</param>
    /// <param name="plan">A plan for their shape.</param>
    /// <param name="pool">Threads; null for the shared pool.</param>
    /// <param name="cancellationToken">Looked at once per iteration of k-means.</param>
    /// <exception cref="ArgumentException">The plan is for another shape or has more centroids than there are rows, or values are NaN, infinite or too large.</exception>
    public static QetTensor Compress(MatrixView<float> values, QetPlan plan, ComputePool? pool = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(plan);
        if (values.Rows != plan.Rows || values.Columns != plan.Columns)
            throw new ArgumentException($"The plan is for {plan.Rows} x {plan.Columns}, not for {values.Rows} x {values.Columns}.", nameof(plan));
        if (plan.Centroids.Max() is var most && most > values.Rows) throw new ArgumentException($"{values.Rows} rows do not give {most} centroids.", nameof(plan));
        return Run(values, plan, fitted: null, pool ?? ComputePool.Shared, cancellationToken);
    }

    /// <summary>Encodes other rows with codebooks that are there.</summary>
    /// <param name="values">Rows of as many columns, finite and at most 2^100 in magnitude.</param>
    /// <param name="fitted">Whose codebooks; the result shares them.</param>
    /// <param name="pool">Threads; null for the shared pool.</param>
    /// <exception cref="ArgumentException">The columns are not as many, or values are NaN, infinite or too large.</exception>
    public static QetTensor Encode(MatrixView<float> values, QetTensor fitted, ComputePool? pool = null)
    {
        ArgumentNullException.ThrowIfNull(fitted);
        if (values.Columns != fitted.Columns) throw new ArgumentException($"The codebooks are for {fitted.Columns} columns, not for {values.Columns}.", nameof(values));
        return Run(values, fitted.Plan.WithRows(values.Rows), fitted, pool ?? ComputePool.Shared, CancellationToken.None);
    }

    /// <summary>Decodes the whole matrix.</summary>
    /// <param name="tensor">What <see cref="Compress"/> or <see cref="Encode"/> gave.</param>
    /// <param name="destination">As many rows and columns.</param>
    /// <param name="pool">Threads; null for the shared pool.</param>
    /// <exception cref="ArgumentException">The shapes differ.</exception>
    public static void Decompress(QetTensor tensor, MatrixView<float> destination, ComputePool? pool = null)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        if (destination.Rows != tensor.Rows) throw new ArgumentException($"{tensor.Rows} rows do not fill {destination.Rows}.", nameof(destination));
        DecompressRows(tensor, 0, destination, pool);
    }

    /// <summary>Decodes consecutive rows, as many as the destination has.</summary>
    /// <param name="tensor">What <see cref="Compress"/> or <see cref="Encode"/> gave.</param>
    /// <param name="start">The first row.</param>
    /// <param name="destination">As many columns.</param>
    /// <param name="pool">Threads; null for the shared pool.</param>
    /// <exception cref="ArgumentException">The rows lie outside, or the columns are not as many.</exception>
    public static void DecompressRows(QetTensor tensor, nint start, MatrixView<float> destination, ComputePool? pool = null)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        if (destination.Columns != tensor.Columns) throw new ArgumentException($"{tensor.Columns} columns do not fill {destination.Columns}.", nameof(destination));
        if (start < 0 || start > tensor.Rows - destination.Rows)
            throw new ArgumentOutOfRangeException(nameof(start), start, $"{destination.Rows} rows from there do not lie inside {tensor.Rows}.");
        float[] codebooks = [];
        if (destination.Rows >= RowsWorthAllCentroids)
        {
            codebooks = new float[tensor.CodebookNumbers];
            tensor.DecodeCodebooks(codebooks);
        }

        (pool ?? ComputePool.Shared).For(destination.Rows, 8, (first, end) =>
        {
            float[] scratch = new float[2 * tensor.Columns];
            for (nint row = first; row < end; row++) tensor.DecodeRow(start + row, codebooks, destination.Row(row), scratch);
        });
    }

    private static QetTensor Run(MatrixView<float> values, QetPlan plan, QetTensor? fitted, ComputePool pool, CancellationToken cancellationToken)
    {
        ThrowIfNotUsable(values);
        using Matrix<float> rest = new(plan.Rows, plan.Columns), leaves = new(plan.Rows, plan.Columns);
        values.CopyTo(rest.View);
        var stages = new QetEncodedStage[plan.Centroids.Count];
        for (int i = 0; i < stages.Length; i++)
        {
            rest.View.CopyTo(leaves.View);
            int layers = plan.Options.Stages[i].SwapLayers;
            byte[] swaps = ElementSwap.Split(leaves.View, layers, pool);
            QetCodebook codebook = fitted?.Stages[i].Codebook ?? Fit(leaves.View, plan, i, pool, cancellationToken);
            float[] centroids = new float[codebook.Count];
            codebook.Decode(0, centroids);
            byte[] codes = Codes(leaves.View, centroids, plan, i, pool);
            stages[i] = new QetEncodedStage(swaps, codes, codebook, layers, plan.CodeBits(i), plan.Centroids[i]);
            if (i + 1 < stages.Length) Subtract(stages[i], centroids, plan.Options.Subspaces, rest, pool);
        }

        return new QetTensor(plan, stages);
    }

    private static void ThrowIfNotUsable(MatrixView<float> values)
    {
        FiniteWeights.ThrowIfNot(values, nameof(values));
        for (nint row = 0; row < values.Rows; row++)
        {
            int large = values.Row(row).IndexOfAnyExceptInRange(-LargestMagnitude, LargestMagnitude);
            if (large >= 0) throw new ArgumentException($"The value at row {row}, column {large} is {values.Row(row)[large]}; magnitudes up to {LargestMagnitude} are supported.", nameof(values));
        }
    }

    private static QetCodebook Fit(MatrixView<float> leaves, QetPlan plan, int stage, ComputePool pool, CancellationToken cancellationToken)
    {
        int length = plan.SubvectorLength, count = plan.Centroids[stage];
        float[] centroids = new float[(long)count * plan.Columns];
        SeededRandom random = new SeededRandom(plan.Options.Seed).Fork((ulong)stage);
        var options = new KMeansOptions(count, KMeansStart.RandomPoints, plan.Options.Iterations);
        for (int group = 0; group < plan.Options.Subspaces; group++)
        {
            using Matrix<float> fit = KMeans.Fit(leaves.ColumnRange(group * length, length), null, options, random.Fork((ulong)group), pool, cancellationToken);
            fit.RowSpan(0, count).CopyTo(centroids.AsSpan(group * count * length));
        }

        return QetCodebook.Round(centroids, plan, stage);
    }

    private static byte[] Codes(MatrixView<float> leaves, float[] codebook, QetPlan plan, int stage, ComputePool pool)
    {
        int length = plan.SubvectorLength, subspaces = plan.Options.Subspaces, bits = plan.CodeBits(stage);
        byte[] codes = new byte[BitStream.Padded((long)leaves.Rows * subspaces * bits) / 8];
        if (bits == 0) return codes;
        int[] nearest = new int[leaves.Rows];
        double[] distances = new double[leaves.Rows];
        using var search = new NearestCentroid(plan.Centroids[stage], pool);
        for (int group = 0; group < subspaces; group++)
        {
            int count = plan.Centroids[stage];
            using var centroids = new Matrix<float>(count, length, codebook.AsSpan(group * count * length, count * length));
            search.Find(leaves.ColumnRange(group * length, length), centroids.View, nearest, distances);
            for (int row = 0; row < nearest.Length; row++) BitStream.Write(codes, ((long)row * subspaces + group) * bits, nearest[row]);
        }

        return codes;
    }

    private static void Subtract(QetEncodedStage stage, float[] centroids, int subspaces, Matrix<float> rest, ComputePool pool) => pool.For(rest.Rows, 8, (first, end) =>
    {
        float[] part = new float[rest.Columns], scratch = new float[rest.Columns];
        for (nint row = first; row < end; row++)
        {
            stage.Decode(row, subspaces, centroids, part, scratch);
            Span<float> values = rest.Row(row);
            for (int k = 0; k < values.Length; k++) values[k] -= part[k];
        }
    });
}
