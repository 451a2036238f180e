using System.Numerics.Tensors;
using TensorCompress.Layers;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.BlockTensorTrain;

/// <summary>Two steps of small dense products with a permutation between them: every stored weight is multiplied once per token.</summary>
/// <remarks>First <c>z[i1, (j2, r)] = R[i1] x[i1]</c>, then <c>y[j1, j2] = L[j2] z[., j2, .]</c>.</remarks>
public sealed class BlockTensorTrainLayer : LinearLayer
{
    private readonly BlockShape _shape;
    private readonly int _rank;
    private readonly StoredFactor _left;
    private readonly StoredFactor _right;

    internal BlockTensorTrainLayer(BlockShape shape, int rank, StoredFactor left, StoredFactor right)
        : base(shape.Rows, shape.Columns)
    {
        _shape = shape;
        _rank = rank;
        _left = left;
        _right = right;
    }

    /// <inheritdoc/>
    public override long MultiplicationsPerToken => _rank * _shape.ParametersPerRank;

    /// <inheritdoc/>
    public override long ResidentBytes => _left.ByteLength + _right.ByteLength;

    /// <summary>Factorises a matrix to a layer.</summary>
    /// <param name="weights">W, row-major; read before the call returns.</param>
    /// <param name="rows">Outputs.</param>
    /// <param name="columns">Inputs.</param>
    /// <param name="options">Rank or share, type of the factors.</param>
    /// <param name="statistics">Second moment of the inputs; null for the Frobenius norm.</param>
    /// <exception cref="ArgumentException">The weights are not rows x columns many, a weight is NaN or infinite, or the share is too small.</exception>
    public static BlockTensorTrainLayer FromDense(ReadOnlySpan<float> weights, int rows, int columns, BlockTensorTrainOptions options, LayerStatistics? statistics = null)
    {
        using Matrix<float> matrix = DenseSource.Copy(weights, rows, columns);
        return FromDense(matrix, options, statistics);
    }

    /// <inheritdoc cref="FromDense(ReadOnlySpan{float}, int, int, BlockTensorTrainOptions, LayerStatistics?)"/>
    /// <param name="weights">W, [output, input]; read before the call returns.</param>
    /// <param name="options">Rank or share, type of the factors.</param>
    /// <param name="statistics">Second moment of the inputs; null for the Frobenius norm.</param>
    public static BlockTensorTrainLayer FromDense(in ReadOnlyTensorSpan<float> weights, BlockTensorTrainOptions options, LayerStatistics? statistics = null)
    {
        using Matrix<float> matrix = DenseSource.Copy(weights);
        return FromDense(matrix, options, statistics);
    }

    /// <inheritdoc/>
    protected override void Multiply(ActivationBatch input, MatrixView<float> destination, ComputeContext context)
    {
        int tokens = input.TokenCount, inner = _shape.Rows2 * _rank, depth = _shape.Columns1 * _rank;
        using ScratchLease first = context.Rent(tokens, (nint)_shape.Columns1 * inner);
        using ScratchLease turned = context.Rent(tokens, (nint)_shape.Rows2 * depth);
        using ScratchLease second = context.Rent(tokens, OutputDimension);
        (MatrixView<float> z, MatrixView<float> byRow, MatrixView<float> y) = (first.View, turned.View, second.View);
        for (int i = 0; i < _shape.Columns1; i++)
            _right.Multiply((nint)i * inner, inner, input.Values.ColumnRange((nint)i * _shape.Columns2, _shape.Columns2), z.ColumnRange((nint)i * inner, inner), context.Pool);
        for (int token = 0; token < tokens; token++)
        {
            ReadOnlySpan<float> source = z.Row(token);
            Span<float> row = byRow.Row(token);
            for (int i = 0; i < _shape.Columns1; i++)
            {
                for (int j = 0; j < _shape.Rows2; j++) source.Slice(i * inner + j * _rank, _rank).CopyTo(row[(j * depth + i * _rank)..]);
            }
        }

        for (int j = 0; j < _shape.Rows2; j++)
            _left.Multiply((nint)j * _shape.Rows1, _shape.Rows1, byRow.ColumnRange((nint)j * depth, depth), y.ColumnRange((nint)j * _shape.Rows1, _shape.Rows1), context.Pool);
        for (int token = 0; token < tokens; token++)
        {
            ReadOnlySpan<float> source = y.Row(token);
            Span<float> row = destination.Row(token);
            for (int j2 = 0; j2 < _shape.Rows2; j2++)
            {
                for (int j1 = 0; j1 < _shape.Rows1; j1++) row[j1 * _shape.Rows2 + j2] = source[j2 * _shape.Rows1 + j1];
            }
        }
    }

    /// <inheritdoc/>
    protected override void ReadRow(int row, Span<float> destination)
    {
        (int row1, int row2) = Math.DivRem(row, _shape.Rows2);
        var coefficients = new float[_shape.Columns1 * _rank];
        _left.ReadRow(row2 * _shape.Rows1 + row1, coefficients);
        for (int i = 0; i < _shape.Columns1; i++)
        {
            int first = (i * _shape.Rows2 + row2) * _rank;
            _right.CombineRows(first, coefficients.AsSpan(i * _rank, _rank), destination.Slice(i * _shape.Columns2, _shape.Columns2));
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _left.Dispose();
            _right.Dispose();
        }

        base.Dispose(disposing);
    }

    private static BlockTensorTrainLayer FromDense(Matrix<float> weights, BlockTensorTrainOptions options, LayerStatistics? statistics)
    {
        var context = new CompressionContext { Pool = ComputePool.Shared, Statistics = statistics };
        using CompressedWeight weight = BlockTensorTrainMethod.Instance.Compress(weights.View, options, context);
        return (BlockTensorTrainLayer)weight.CreateLayer();
    }
}
