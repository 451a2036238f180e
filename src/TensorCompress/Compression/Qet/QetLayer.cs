using System.Buffers;
using System.Numerics.Tensors;
using TensorCompress.Kernels;
using TensorCompress.Layers;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Qet;

/// <summary>
/// A quantised weight that stays packed. Stages without swaps or behind one layer of them are multiplied by look-up: a table for each column group of the products with its centroids, from which codes and
/// swap bits choose; the weight is never expanded. Stages behind more swaps become floats a few rows at a time.
/// </summary>
public sealed class QetLayer : LinearLayer
{
    /// <summary>Numbers of a codebook that are worth a thread's attention.</summary>
    private const int NumbersAtOnce = 1 << 11;

    private readonly StageRows[] _stages;
    private readonly PackedStage[] _tabled;
    private readonly QetEncodedStage[] _decoded;
    private readonly int _groups;

    internal QetLayer(QetTensor tensor)
        : base((int)tensor.Rows, (int)tensor.Columns)
    {
        _groups = tensor.Plan.Options.Subspaces;
        _stages = [.. tensor.Stages.Select((stage, index) => PackedStage.Takes(stage, tensor.Plan) ? new PackedStage(stage, tensor.Plan, index) : (StageRows)stage)];
        (_tabled, _decoded) = ([.. _stages.OfType<PackedStage>()], [.. _stages.OfType<QetEncodedStage>()]);
    }

    /// <inheritdoc/>
    public override long ResidentBytes => _tabled.Sum(stage => stage.ByteLength) + _decoded.Sum(stage => stage.StoredBytes);

    /// <summary>Quantises a matrix to a layer; swap layers, column groups, stages and codebooks are chosen by trials.</summary>
    /// <param name="weights">W, row-major; read before the call returns.</param>
    /// <param name="rows">Outputs.</param>
    /// <param name="columns">Inputs.</param>
    /// <param name="bits">All stored bits per weight.</param>
    /// <exception cref="ArgumentException">The weights are not rows x columns many, a weight is NaN or infinite, or the bits are too few.</exception>
    /// <exception cref="NotSupportedException">The matrix or a part of its result is too large.</exception>
    public static LinearLayer FromDense(ReadOnlySpan<float> weights, int rows, int columns, double bits) => FromDense(weights, rows, columns, new QetMethodOptions(bits));

    /// <summary>Quantises a matrix to a layer.</summary>
    /// <param name="weights">W, row-major; read before the call returns.</param>
    /// <param name="rows">Outputs.</param>
    /// <param name="columns">Inputs.</param>
    /// <param name="options">Budget and how it is spent.</param>
    /// <param name="statistics">Second moment of the inputs; null for the squared error of the weights.</param>
    /// <exception cref="ArgumentException">The weights are not rows x columns many, a weight is NaN or infinite, the bits are too few, or options or statistics do not fit the shape.</exception>
    /// <exception cref="NotSupportedException">The matrix or a part of its result is too large, or it has more columns than rotations are learnt of.</exception>
    /// <exception cref="ArithmeticException">The second moment is indefinite.</exception>
    public static LinearLayer FromDense(ReadOnlySpan<float> weights, int rows, int columns, QetMethodOptions options, LayerStatistics? statistics = null)
    {
        using Matrix<float> matrix = DenseSource.Copy(weights, rows, columns);
        return FromDense(matrix, options, statistics);
    }

    /// <summary>Quantises a matrix to a layer; swap layers, column groups, stages and codebooks are chosen by trials.</summary>
    /// <param name="weights">W, [output, input]; read before the call returns.</param>
    /// <param name="bits">All stored bits per weight.</param>
    /// <exception cref="ArgumentException">The weights are not a matrix, a weight is NaN or infinite, or the bits are too few.</exception>
    /// <exception cref="NotSupportedException">The matrix or a part of its result is too large.</exception>
    public static LinearLayer FromDense(in ReadOnlyTensorSpan<float> weights, double bits) => FromDense(weights, new QetMethodOptions(bits));

    /// <summary>Quantises a matrix to a layer.</summary>
    /// <param name="weights">W, [output, input]; read before the call returns.</param>
    /// <param name="options">Budget and how it is spent.</param>
    /// <param name="statistics">Second moment of the inputs; null for the squared error of the weights.</param>
    /// <exception cref="ArgumentException">The weights are not a matrix, a weight is NaN or infinite, the bits are too few, or options or statistics do not fit the shape.</exception>
    /// <exception cref="NotSupportedException">The matrix or a part of its result is too large, or it has more columns than rotations are learnt of.</exception>
    /// <exception cref="ArithmeticException">The second moment is indefinite.</exception>
    public static LinearLayer FromDense(in ReadOnlyTensorSpan<float> weights, QetMethodOptions options, LayerStatistics? statistics = null)
    {
        using Matrix<float> matrix = DenseSource.Copy(weights);
        return FromDense(matrix, options, statistics);
    }

    /// <inheritdoc/>
    protected override void Multiply(ActivationBatch input, MatrixView<float> destination, ComputeContext context)
    {
        if (_decoded.Length > 0) MultiplyDecoded(input, destination, context);
        else for (nint token = 0; token < destination.Rows; token++) destination.Row(token).Clear();
        foreach (PackedStage stage in _tabled)
        {
            if (stage.SwapLayers == 0) TableLookup.Add(stage, input.Values, destination, context);
            else if (!stage.HasPatterns) PairLookup.Add(stage, input.Values, destination, context);
            else SwappedLookup.Add(stage, input.Values, destination, context);
        }
    }

    /// <inheritdoc/>
    protected override void ReadRow(int row, Span<float> destination)
    {
        float[] scratch = ArrayPool<float>.Shared.Rent(2 * destination.Length);
        DecodeRow(_stages, row, default, destination, scratch);
        ArrayPool<float>.Shared.Return(scratch);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            foreach (PackedStage stage in _tabled) stage.Dispose();
        }

        base.Dispose(disposing);
    }

    private void MultiplyDecoded(ActivationBatch input, MatrixView<float> destination, ComputeContext context)
    {
        using ScratchLease lease = context.Rent(1, _decoded.Sum(stage => stage.Codebook.Count));
        MatrixView<float> centroids = lease.View;
        int start = 0;
        foreach (QetEncodedStage stage in _decoded)
        {
            MatrixView<float> numbers = centroids.ColumnRange(start, stage.Codebook.Count);
            context.Pool.For(numbers.Columns, NumbersAtOnce, (stage.Codebook, numbers), static (first, end, state) => state.Codebook.Decode((int)first, state.numbers.Row(0)[(int)first..(int)end]));
            start += stage.Codebook.Count;
        }

        RowBlocks.ForEach(OutputDimension, InputDimension, input.TokenCount, (layer: this, centroids, input.Values, destination), context, static (start, count, rows, state) =>
        {
            float[] scratch = ArrayPool<float>.Shared.Rent(2 * (int)rows.Columns);
            for (int i = 0; i < count; i++) state.layer.DecodeRow(state.layer._decoded, start + i, state.centroids.Row(0), rows.Row(i), scratch);
            ArrayPool<float>.Shared.Return(scratch);
            DotProducts.Multiply(rows, state.Values, state.destination.ColumnRange(start, count));
        });
    }

    // The sum of some stages; centroids of all of them, or none.
    private void DecodeRow(ReadOnlySpan<StageRows> stages, int row, ReadOnlySpan<float> centroids, Span<float> destination, Span<float> scratch)
    {
        Span<float> part = scratch[..destination.Length], room = scratch.Slice(destination.Length, destination.Length);
        for (int i = 0; i < stages.Length; i++)
        {
            stages[i].Decode(row, _groups, centroids, i == 0 ? destination : part, room);
            if (!centroids.IsEmpty) centroids = centroids[(InputDimension * stages[i].Centroids)..];
            if (i > 0) Elementwise.Add(destination, part, destination);
        }
    }

    private static LinearLayer FromDense(Matrix<float> weights, QetMethodOptions options, LayerStatistics? statistics)
    {
        var context = new CompressionContext { Pool = ComputePool.Shared, Statistics = statistics };
        using CompressedWeight weight = QetMethod.Instance.Compress(weights.View, options, context);
        return weight.CreateLayer();
    }
}
