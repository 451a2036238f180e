using System.Numerics.Tensors;
using TensorCompress.Layers;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.LowRank;

/// <summary><c>y = U (V x)</c>: two products in place of one, with rank x (input + output) weights.</summary>
public sealed class LowRankLayer : LinearLayer
{
    private readonly StoredFactor _outer;
    private readonly StoredFactor _inner;

    internal LowRankLayer(StoredFactor outer, StoredFactor inner)
        : base(outer.Rows, inner.Columns)
    {
        _outer = outer;
        _inner = inner;
    }

    /// <summary>Columns of U and rows of V.</summary>
    public int Rank => _inner.Rows;

    /// <inheritdoc/>
    public override long MultiplicationsPerToken => (long)Rank * (OutputDimension + InputDimension);

    /// <inheritdoc/>
    public override long ResidentBytes => _outer.ByteLength + _inner.ByteLength;

    /// <summary>Factorises a matrix to a layer.</summary>
    /// <param name="weights">W, row-major; read before the call returns.</param>
    /// <param name="rows">Outputs.</param>
    /// <param name="columns">Inputs.</param>
    /// <param name="rank">Rank of the factors.</param>
    /// <exception cref="ArgumentException">The weights are not rows x columns many, a weight is NaN or infinite, or the rank is less than 1.</exception>
    public static LowRankLayer FromDense(ReadOnlySpan<float> weights, int rows, int columns, int rank) => FromDense(weights, rows, columns, new LowRankOptions(rank));

    /// <inheritdoc cref="FromDense(ReadOnlySpan{float}, int, int, int)"/>
    /// <param name="weights">W, row-major; read before the call returns.</param>
    /// <param name="rows">Outputs.</param>
    /// <param name="columns">Inputs.</param>
    /// <param name="options">Rank or share, type of the factors.</param>
    /// <param name="statistics">Second moment of the inputs; null for the Frobenius norm.</param>
    public static LowRankLayer FromDense(ReadOnlySpan<float> weights, int rows, int columns, LowRankOptions options, LayerStatistics? statistics = null)
    {
        using Matrix<float> matrix = DenseSource.Copy(weights, rows, columns);
        return FromDense(matrix, options, statistics);
    }

    /// <summary>Factorises a matrix to a layer.</summary>
    /// <param name="weights">W, [output, input]; read before the call returns.</param>
    /// <param name="options">Rank or share, type of the factors.</param>
    /// <param name="statistics">Second moment of the inputs; null for the Frobenius norm.</param>
    /// <exception cref="ArgumentException">The weights are not a matrix, a weight is NaN or infinite, or the share is too small.</exception>
    public static LowRankLayer FromDense(in ReadOnlyTensorSpan<float> weights, LowRankOptions options, LayerStatistics? statistics = null)
    {
        using Matrix<float> matrix = DenseSource.Copy(weights);
        return FromDense(matrix, options, statistics);
    }

    /// <inheritdoc/>
    protected override void Multiply(ActivationBatch input, MatrixView<float> destination, ComputeContext context)
    {
        using ScratchLease middle = context.Rent(input.TokenCount, Rank);
        _inner.Multiply(input.Values, middle.View, context.Pool);
        _outer.Multiply(middle.View, destination, context.Pool);
    }

    /// <inheritdoc/>
    protected override void ReadRow(int row, Span<float> destination)
    {
        var coefficients = new float[Rank];
        _outer.ReadRow(row, coefficients);
        _inner.CombineRows(0, coefficients, destination);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _outer.Dispose();
            _inner.Dispose();
        }

        base.Dispose(disposing);
    }

    private static LowRankLayer FromDense(Matrix<float> weights, LowRankOptions options, LayerStatistics? statistics)
    {
        var context = new CompressionContext { Pool = ComputePool.Shared, Statistics = statistics };
        using CompressedWeight weight = LowRankMethod.Instance.Compress(weights.View, options, context);
        return (LowRankLayer)weight.CreateLayer();
    }
}
