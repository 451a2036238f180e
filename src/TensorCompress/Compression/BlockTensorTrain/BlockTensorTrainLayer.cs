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
    private readonly BlockRanks _ranks;
    private readonly StoredFactor[] _left;
    private readonly StoredFactor _right;

    internal BlockTensorTrainLayer(BlockShape shape, BlockRanks ranks, StoredFactor[] left, StoredFactor right)
        : base(shape.Rows, shape.Columns)
    {
        _shape = shape;
        _ranks = ranks;
        _left = left;
        _right = right;
    }

    /// <inheritdoc/>
    public override long MultiplicationsPerToken => (long)_ranks.Vectors * _shape.ParametersPerVector;

    /// <inheritdoc/>
    public override long ResidentBytes => _left.Sum(left => left.ByteLength) + _right.ByteLength;

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
        int tokens = input.TokenCount;
        using ScratchLease first = context.Rent(tokens, _ranks.Vectors);
        using ScratchLease turned = context.Rent(tokens, _ranks.Vectors);
        using ScratchLease second = context.Rent(tokens, OutputDimension);
        (MatrixView<float> z, MatrixView<float> byRow, MatrixView<float> y) = (first.View, turned.View, second.View);
        for (int i = 0; i < _shape.Columns1; i++)
        {
            (int start, int height) = (_ranks.RightStart(0, i), _ranks.Height(i));
            if (height > 0) _right.Multiply(start, height, input.Values.ColumnRange((nint)i * _shape.Columns2, _shape.Columns2), z.ColumnRange(start, height), context.Pool);
        }

        for (int token = 0; token < tokens; token++)
        {
            ReadOnlySpan<float> source = z.Row(token);
            Span<float> row = byRow.Row(token);
            for (int j = 0; j < _shape.Rows2; j++)
            {
                for (int i = 0; i < _shape.Columns1; i++)
                {
                    int rank = _ranks[j, i];
                    source.Slice(_ranks.RightStart(j, i), rank).CopyTo(row);
                    row = row[rank..];
                }
            }
        }

        for (int j = 0, start = 0; j < _shape.Rows2; start += _ranks.Depth(j++))
        {
            MatrixView<float> part = y.ColumnRange((nint)j * _shape.Rows1, _shape.Rows1);
            if (_ranks.Depth(j) > 0) _left[j].Multiply(byRow.ColumnRange(start, _ranks.Depth(j)), part, context.Pool);
            else for (int token = 0; token < tokens; token++) part.Row(token).Clear();
        }

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
        var coefficients = new float[_ranks.Depth(row2)];
        _left[row2].ReadRow(row1, coefficients);
        for (int i = 0; i < _shape.Columns1; i++)
        {
            ReadOnlySpan<float> own = coefficients.AsSpan(_ranks.LeftStart(row2, i), _ranks[row2, i]);
            _right.CombineRows(_ranks.RightStart(row2, i), own, destination.Slice(i * _shape.Columns2, _shape.Columns2));
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            foreach (StoredFactor left in _left) left.Dispose();
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
