using System.Numerics.Tensors;
using TensorCompress.Layers;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Dbf;

/// <summary><c>y = diag(a) A diag(d) B diag(b) x</c>: two products of signs, which only add, between three products by vectors.</summary>
public sealed class DbfLayer : LinearLayer
{
    private readonly DbfProduct _product;

    internal DbfLayer(DbfWeight weight, RuntimeOptions options)
        : base(weight.OutputDimension, weight.InputDimension)
    {
        _product = new DbfProduct(weight.OuterSigns, weight.InnerSigns, weight.OutputScale, weight.MiddleScale, weight.InputScale, options);
        MiddleDimension = weight.MiddleDimension;
    }

    /// <summary>k: columns of A and rows of B.</summary>
    public int MiddleDimension { get; }

    /// <inheritdoc/>
    public override long MultiplicationsPerToken => (long)OutputDimension + MiddleDimension + InputDimension;

    /// <inheritdoc/>
    public override long AdditionsPerToken => (long)MiddleDimension * ((long)OutputDimension + InputDimension);

    /// <inheritdoc/>
    public override long ResidentBytes => _product.ResidentBytes;

    /// <summary>Factorises a matrix to a layer.</summary>
    /// <param name="weights">W, row-major; read before the call returns.</param>
    /// <param name="rows">Outputs.</param>
    /// <param name="columns">Inputs.</param>
    /// <param name="bits">All stored bits per weight; meant for 0.5 to 3.</param>
    /// <exception cref="ArgumentException">A dimension is not positive, the weights are not rows x columns many, a weight is NaN or infinite, a few weights are so much larger than the others that half precision does not hold the scales, or the bits are too few.</exception>
    public static DbfLayer FromDense(ReadOnlySpan<float> weights, int rows, int columns, double bits) => FromDense(weights, rows, columns, new DbfOptions(bits));

    /// <summary>Factorises a matrix to a layer.</summary>
    /// <param name="weights">W, row-major; read before the call returns.</param>
    /// <param name="rows">Outputs.</param>
    /// <param name="columns">Inputs.</param>
    /// <param name="options">Rate and solver.</param>
    /// <param name="statistics">Second moment of the inputs and importance of outputs; null for the Frobenius norm.</param>
    /// <exception cref="ArgumentException">A dimension is not positive, the weights are not rows x columns many, a weight is NaN or infinite, a few weights are so much larger than the others that half precision does not hold the scales, the rate or the middle dimension does not fit the shape, or the statistics are of another layer or their second moment, shrunk, is not positive semi-definite.</exception>
    public static DbfLayer FromDense(ReadOnlySpan<float> weights, int rows, int columns, DbfOptions options, LayerStatistics? statistics = null)
    {
        using Matrix<float> matrix = DenseSource.Copy(weights, rows, columns);
        return FromDense(matrix, options, statistics);
    }

    /// <summary>Factorises a matrix to a layer.</summary>
    /// <param name="weights">W, [output, input]; read before the call returns.</param>
    /// <param name="bits">All stored bits per weight; meant for 0.5 to 3.</param>
    /// <exception cref="ArgumentException">The weights are not a matrix, a weight is NaN or infinite, a few weights are so much larger than the others that half precision does not hold the scales, or the bits are too few.</exception>
    public static DbfLayer FromDense(in ReadOnlyTensorSpan<float> weights, double bits) => FromDense(weights, new DbfOptions(bits));

    /// <summary>Factorises a matrix to a layer.</summary>
    /// <param name="weights">W, [output, input]; read before the call returns.</param>
    /// <param name="options">Rate and solver.</param>
    /// <param name="statistics">Second moment of the inputs and importance of outputs; null for the Frobenius norm.</param>
    /// <exception cref="ArgumentException">The weights are not a matrix, a weight is NaN or infinite, a few weights are so much larger than the others that half precision does not hold the scales, the rate or the middle dimension does not fit the shape, or the statistics are of another layer or their second moment, shrunk, is not positive semi-definite.</exception>
    public static DbfLayer FromDense(in ReadOnlyTensorSpan<float> weights, DbfOptions options, LayerStatistics? statistics = null)
    {
        using Matrix<float> matrix = DenseSource.Copy(weights);
        return FromDense(matrix, options, statistics);
    }

    /// <inheritdoc/>
    protected override void Multiply(ActivationBatch input, MatrixView<float> destination, ComputeContext context) => _product.Forward(input.Values, destination, context);

    /// <inheritdoc/>
    protected override void ReadRow(int row, Span<float> destination) => _product.ReadRow(row, destination);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing) _product.Dispose();
        base.Dispose(disposing);
    }

    private static DbfLayer FromDense(Matrix<float> weights, DbfOptions options, LayerStatistics? statistics)
    {
        var context = new CompressionContext { Pool = ComputePool.Shared, Statistics = statistics };
        using CompressedWeight weight = DbfMethod.Instance.Compress(weights.View, options, context);
        return (DbfLayer)weight.CreateLayer();
    }
}
