using System.Buffers;
using System.Numerics.Tensors;
using TensorCompress.Layers;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Qet;

/// <summary>A quantised weight that stays packed: a product makes floats of the codebooks, once, and of a few rows at a time.</summary>
public sealed class QetLayer : LinearLayer
{
    private QetTensor? _tensor;

    internal QetLayer(QetTensor tensor)
        : base((int)tensor.Rows, (int)tensor.Columns) => _tensor = tensor;

    /// <inheritdoc/>
    public override long ResidentBytes => _tensor?.StoredBytes ?? 0;

    /// <summary>Quantises a matrix to a layer; swap layers, column groups, stages and codebooks are chosen by trials.</summary>
    /// <param name="weights">W, row-major; read before the call returns.</param>
    /// <param name="rows">Outputs.</param>
    /// <param name="columns">Inputs.</param>
    /// <param name="bits">All stored bits per weight.</param>
    /// <exception cref="ArgumentException">The weights are not rows x columns many, a weight is NaN or infinite, or the bits are too few.</exception>
    public static LinearLayer FromDense(ReadOnlySpan<float> weights, int rows, int columns, double bits) => FromDense(weights, rows, columns, new QetMethodOptions(bits));

    /// <inheritdoc cref="FromDense(ReadOnlySpan{float}, int, int, double)"/>
    /// <param name="weights">W, row-major; read before the call returns.</param>
    /// <param name="rows">Outputs.</param>
    /// <param name="columns">Inputs.</param>
    /// <param name="options">Budget and how it is spent.</param>
    /// <param name="statistics">Second moment of the inputs; null for the squared error of the weights.</param>
    public static LinearLayer FromDense(ReadOnlySpan<float> weights, int rows, int columns, QetMethodOptions options, LayerStatistics? statistics = null)
    {
        using Matrix<float> matrix = DenseSource.Copy(weights, rows, columns);
        return FromDense(matrix, options, statistics);
    }

    /// <summary>Quantises a matrix to a layer.</summary>
    /// <param name="weights">W, [output, input]; read before the call returns.</param>
    /// <param name="options">Budget and how it is spent.</param>
    /// <param name="statistics">Second moment of the inputs; null for the squared error of the weights.</param>
    /// <exception cref="ArgumentException">The weights are not a matrix, a weight is NaN or infinite, or the bits are too few.</exception>
    public static LinearLayer FromDense(in ReadOnlyTensorSpan<float> weights, QetMethodOptions options, LayerStatistics? statistics = null)
    {
        using Matrix<float> matrix = DenseSource.Copy(weights);
        return FromDense(matrix, options, statistics);
    }

    private QetTensor Tensor => _tensor ?? throw new ObjectDisposedException(nameof(QetLayer));

    /// <inheritdoc/>
    protected override void Multiply(ActivationBatch input, MatrixView<float> destination, ComputeContext context)
    {
        using ScratchLease lease = context.Rent(1, Tensor.CodebookNumbers);
        MatrixView<float> codebooks = lease.View;
        Tensor.DecodeCodebooks(codebooks.Row(0));
        RowDecodedLayer.Multiply((row, values) => Decode(row, codebooks.Row(0), values), input, destination, context);
    }

    /// <inheritdoc/>
    protected override void ReadRow(int row, Span<float> destination) => Decode(row, [], destination);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        _tensor = null;
        base.Dispose(disposing);
    }

    private void Decode(int row, ReadOnlySpan<float> codebooks, Span<float> destination)
    {
        float[] scratch = ArrayPool<float>.Shared.Rent(2 * destination.Length);
        Tensor.DecodeRow(row, codebooks, destination, scratch.AsSpan(0, 2 * destination.Length));
        ArrayPool<float>.Shared.Return(scratch);
    }

    private static LinearLayer FromDense(Matrix<float> weights, QetMethodOptions options, LayerStatistics? statistics)
    {
        var context = new CompressionContext { Pool = ComputePool.Shared, Statistics = statistics };
        using CompressedWeight weight = QetMethod.Instance.Compress(weights.View, options, context);
        return weight.CreateLayer();
    }
}
