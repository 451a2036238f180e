using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Qet;

/// <summary>
/// Quantum Entanglement Trees (Wang et al., arXiv 2407.03637) for any matrix of related rows: weights, embeddings, keys and values, vectors of a store. Nothing in it is quantum: a stage swaps
/// neighbours (of rows that may be rotated first) into a local order and remembers the swaps, cuts the columns into groups, gives every row of a group its nearest centroid, and leaves the difference to the next stage.
/// </summary>
/// <remarks>The same values, plan and seed give the same bytes at any number of threads and any vector width.</remarks>
public static class QetCodec
{
    /// <summary>Values beyond are refused: differences and sums of the stages then stay far from infinity.</summary>
    internal const float LargestMagnitude = 1.2676506e30f; // 2^100

    /// <summary>From so many rows on all centroids are decoded before them.</summary>
    private const int RowsWorthAllCentroids = 16;

    /// <summary>
    /// Chooses a rotation, swap layers, column groups, stages, centroids and codebook bits for a budget by trials on the values. Plain product quantisation and two residual stages without swaps take part at every width of column
    /// groups, as <see cref="QetPlan.ForBudget"/> plans them with up to 4096 centroids; behind a learnt rotation (of up to 1024 columns, where its bytes are within the budget) so does plain product quantisation.
    /// </summary>
    /// <remarks>
    /// What is chosen is never worse than any plan that compressed the whole matrix. Of up to 196,608 elements those are all but the widths at which three iterations of k-means, with the most centroids and the finest numbers that any
    /// way to round codebooks has there, leave twice the error of the best; behind rotations with the rounding that a trial finds best. Of up to 4,194,304 all without a rotation that three iterations on the whole do not leave 1.5
    /// times behind, with three widths behind rotations; of more the best few of each kind, by trials on some columns.
    /// </remarks>
    /// <param name="values">The rows, finite and at most 2^100 in magnitude.</param>
    /// <param name="maxBytes">What may be stored at most.</param>
    /// <param name="seed">Chooses the rows that k-means begins with.</param>
    /// <param name="pool">Threads; null for the shared pool.</param>
    /// <param name="cancellationToken">Looked at between trials and within.</param>
    /// <exception cref="ArgumentException">The bytes do not suffice for one centroid (the message says how many bits per value do), or values are NaN, infinite or too large.</exception>
    public static QetPlan Plan(MatrixView<float> values, long maxBytes, ulong seed = 123, ComputePool? pool = null, CancellationToken cancellationToken = default) =>
        Compress(values, maxBytes, seed, pool, cancellationToken).Plan;

    /// <summary>Fits codebooks to the rows and encodes them.</summary>
    /// <param name="values">The rows, finite and at most 2^100 in magnitude; read before the call returns.</param>
    /// <param name="plan">A plan for their shape.</param>
    /// <param name="pool">Threads; null for the shared pool.</param>
    /// <param name="cancellationToken">Looked at once per iteration of k-means.</param>
    /// <exception cref="ArgumentException">The plan is for another shape or has more centroids than there are rows, or values are NaN, infinite or too large.</exception>
    public static QetTensor Compress(MatrixView<float> values, QetPlan plan, ComputePool? pool = null, CancellationToken cancellationToken = default) =>
        CompressInMetric(values, plan, null, pool ?? ComputePool.Shared, cancellationToken);

    /// <summary>Compresses within a budget: what <see cref="Plan"/> chooses, which has the codebooks already.</summary>
    /// <param name="values">The rows, finite and at most 2^100 in magnitude; read before the call returns.</param>
    /// <param name="maxBytes">What may be stored at most.</param>
    /// <param name="seed">Chooses the rows that k-means begins with.</param>
    /// <param name="pool">Threads; null for the shared pool.</param>
    /// <param name="cancellationToken">Looked at between trials and within.</param>
    /// <exception cref="ArgumentException">The bytes do not suffice for one centroid (the message says how many bits per value do), or values are NaN, infinite or too large.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static QetTensor Compress(MatrixView<float> values, long maxBytes, ulong seed = 123, ComputePool? pool = null, CancellationToken cancellationToken = default)
    {
        ThrowIfNotUsable(values);
        return QetPlanner.Compress(values, maxBytes, seed, null, pool ?? ComputePool.Shared, cancellationToken);
    }

    /// <summary>The same in the metric of outputs.</summary>
    /// <param name="values">The rows.</param>
    /// <param name="plan">A plan for their shape.</param>
    /// <param name="metrics">What errors count; null for the squared error of the rows.</param>
    /// <param name="pool">Threads.</param>
    /// <param name="cancellationToken">Looked at once per iteration of k-means.</param>
    internal static QetTensor CompressInMetric(MatrixView<float> values, QetPlan plan, QetMetrics? metrics, ComputePool pool, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(plan);
        if (values.Rows != plan.Rows || values.Columns != plan.Columns)
            throw new ArgumentException($"The plan is for {plan.Rows} x {plan.Columns}, not for {values.Rows} x {values.Columns}.", nameof(plan));
        if (plan.Centroids.Max() is var most && most > values.Rows) throw new ArgumentException($"{values.Rows} rows do not give {most} centroids.", nameof(plan));
        return QetEncoder.Run(values, plan, fitted: null, metrics, pool, cancellationToken);
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
        return QetEncoder.Run(values, fitted.Plan.WithRows(values.Rows), fitted, null, pool ?? ComputePool.Shared, CancellationToken.None);
    }

    /// <summary>Decodes the whole matrix.</summary>
    /// <param name="tensor">What <see cref="Compress(MatrixView{float}, QetPlan, ComputePool, CancellationToken)"/> or <see cref="Encode"/> gave.</param>
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
    /// <remarks>Behind a learnt rotation the first few rows that are decoded leave its axes as floats in memory, four bytes for each pair of columns; those after them are decoded many times as fast.</remarks>
    /// <param name="tensor">What <see cref="Compress(MatrixView{float}, QetPlan, ComputePool, CancellationToken)"/> or <see cref="Encode"/> gave.</param>
    /// <param name="start">The first row.</param>
    /// <param name="destination">As many columns.</param>
    /// <param name="pool">Threads; null for the shared pool.</param>
    /// <exception cref="ArgumentException">The rows lie outside, or the columns are not as many.</exception>
    public static void DecompressRows(QetTensor tensor, nint start, MatrixView<float> destination, ComputePool? pool = null)
    {
        ThrowIfOtherColumns(tensor, destination);
        if (start < 0 || start > tensor.Rows - destination.Rows)
            throw new ArgumentOutOfRangeException(nameof(start), start, $"{destination.Rows} rows from there do not lie inside {tensor.Rows}.");
        Decode(tensor, row => start + row, destination, pool ?? ComputePool.Shared);
    }

    /// <summary>Decodes any rows.</summary>
    /// <remarks>Behind a learnt rotation the first few rows that are decoded leave its axes as floats in memory, four bytes for each pair of columns; those after them are decoded many times as fast.</remarks>
    /// <param name="tensor">What <see cref="Compress(MatrixView{float}, QetPlan, ComputePool, CancellationToken)"/> or <see cref="Encode"/> gave, or <see cref="QetTensor.Read"/>.</param>
    /// <param name="rows">Which, in any order; the same one more than once if need be.</param>
    /// <param name="destination">As many rows as there are indexes, as many columns.</param>
    /// <param name="pool">Threads; null for the shared pool.</param>
    /// <exception cref="ArgumentException">A row lies outside, or the shape of the destination is another.</exception>
    public static void DecompressRows(QetTensor tensor, ReadOnlySpan<int> rows, MatrixView<float> destination, ComputePool? pool = null)
    {
        ThrowIfOtherColumns(tensor, destination);
        if (destination.Rows != rows.Length) throw new ArgumentException($"{rows.Length} rows do not fill {destination.Rows}.", nameof(destination));
        foreach (int row in rows)
        {
            if (row < 0 || row >= tensor.Rows) throw new ArgumentOutOfRangeException(nameof(rows), row, $"There are {tensor.Rows} rows.");
        }

        int[] indexes = rows.ToArray();
        Decode(tensor, row => indexes[row], destination, pool ?? ComputePool.Shared);
    }

    private static void ThrowIfOtherColumns(QetTensor tensor, MatrixView<float> destination)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        if (destination.Columns != tensor.Columns) throw new ArgumentException($"{tensor.Columns} columns do not fill {destination.Columns}.", nameof(destination));
    }

    private static void Decode(QetTensor tensor, Func<nint, nint> rowAt, MatrixView<float> destination, ComputePool pool)
    {
        float[] codebooks = [];
        if (destination.Rows >= RowsWorthAllCentroids)
        {
            codebooks = new float[tensor.CodebookNumbers];
            tensor.DecodeCodebooks(codebooks);
        }

        pool.For(destination.Rows, 8, (first, end) =>
        {
            float[] scratch = new float[2 * tensor.Columns];
            for (nint row = first; row < end; row++) tensor.DecodeRow(rowAt(row), codebooks, destination.Row(row), scratch);
        });
        tensor.Rotation?.Undo(destination, pool);
    }

    /// <summary>Whether no magnitude is beyond what is supported; of finite values.</summary>
    internal static bool AreUsable(MatrixView<float> values)
    {
        for (nint row = 0; row < values.Rows; row++)
        {
            if (values.Row(row).ContainsAnyExceptInRange(-LargestMagnitude, LargestMagnitude)) return false;
        }

        return true;
    }

    internal static void ThrowIfNotUsable(MatrixView<float> values)
    {
        FiniteWeights.ThrowIfNot(values, nameof(values));
        for (nint row = 0; row < values.Rows; row++)
        {
            int large = values.Row(row).IndexOfAnyExceptInRange(-LargestMagnitude, LargestMagnitude);
            if (large >= 0) throw new ArgumentException($"The value at row {row}, column {large} is {values.Row(row)[large]}; magnitudes up to {LargestMagnitude} are supported.", nameof(values));
        }
    }
}
