using System.Numerics.Tensors;
using TensorCompress.Kernels;
using TensorCompress.Layers;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Dbf;

/// <summary><c>y = diag(a) A diag(d) B diag(b) x</c>: two products of signs, which only add, between three products by vectors.</summary>
public sealed class DbfLayer : LinearLayer
{
    private readonly SignBlocks _outer, _inner;
    private readonly float[] _outputScale, _middleScale, _inputScale;

    internal DbfLayer(DbfWeight weight)
        : base(weight.OutputDimension, weight.InputDimension)
    {
        _outer = SignBlocks.FromColumns(weight.OuterSigns.Bytes, weight.OutputDimension, weight.MiddleDimension);
        _inner = SignBlocks.FromRows(weight.InnerSigns.Bytes, weight.MiddleDimension, weight.InputDimension);
        (_outputScale, _middleScale, _inputScale) = (weight.OutputScale, weight.MiddleScale, weight.InputScale);
    }

    /// <summary>k: columns of A and rows of B.</summary>
    public int MiddleDimension => _middleScale.Length;

    /// <inheritdoc/>
    public override long MultiplicationsPerToken => (long)OutputDimension + MiddleDimension + InputDimension;

    /// <inheritdoc/>
    public override long AdditionsPerToken => (long)MiddleDimension * ((long)OutputDimension + InputDimension);

    /// <inheritdoc/>
    public override long ResidentBytes => _outer.Bytes.ByteLength + _inner.Bytes.ByteLength + sizeof(float) * MultiplicationsPerToken;

    /// <summary>Factorises a matrix to a layer.</summary>
    /// <param name="weights">W, row-major; read before the call returns.</param>
    /// <param name="rows">Outputs.</param>
    /// <param name="columns">Inputs.</param>
    /// <param name="bits">All stored bits per weight; meant for 0.5 to 3.</param>
    /// <exception cref="ArgumentException">The weights are not rows x columns many, a weight is NaN or infinite, or the bits are too few.</exception>
    public static DbfLayer FromDense(ReadOnlySpan<float> weights, int rows, int columns, double bits) => FromDense(weights, rows, columns, new DbfOptions(bits));

    /// <inheritdoc cref="FromDense(ReadOnlySpan{float}, int, int, double)"/>
    /// <param name="weights">W, row-major; read before the call returns.</param>
    /// <param name="rows">Outputs.</param>
    /// <param name="columns">Inputs.</param>
    /// <param name="options">Rate and solver.</param>
    /// <param name="statistics">Second moment of the inputs and importance of outputs; null for the Frobenius norm.</param>
    public static DbfLayer FromDense(ReadOnlySpan<float> weights, int rows, int columns, DbfOptions options, LayerStatistics? statistics = null)
    {
        using Matrix<float> matrix = DenseSource.Copy(weights, rows, columns);
        return FromDense(matrix, options, statistics);
    }

    /// <summary>Factorises a matrix to a layer.</summary>
    /// <param name="weights">W, [output, input]; read before the call returns.</param>
    /// <param name="options">Rate and solver.</param>
    /// <param name="statistics">Second moment of the inputs and importance of outputs; null for the Frobenius norm.</param>
    /// <exception cref="ArgumentException">The weights are not a matrix, a weight is NaN or infinite, or the bits are too few.</exception>
    public static DbfLayer FromDense(in ReadOnlyTensorSpan<float> weights, DbfOptions options, LayerStatistics? statistics = null)
    {
        using Matrix<float> matrix = DenseSource.Copy(weights);
        return FromDense(matrix, options, statistics);
    }

    /// <inheritdoc/>
    protected override void Multiply(ActivationBatch input, MatrixView<float> destination, ComputeContext context)
    {
        using ScratchLease scaled = context.Rent(input.TokenCount, InputDimension);
        using ScratchLease middle = context.Rent(input.TokenCount, MiddleDimension);
        Scale(input.Values, _inputScale, scaled.View);
        Multiply(_inner, scaled.View, middle.View, context.Pool);
        Scale(middle.View, _middleScale, middle.View);
        Multiply(_outer, middle.View, destination, context.Pool);
        Scale(destination, _outputScale, destination);
    }

    /// <inheritdoc/>
    protected override void ReadRow(int row, Span<float> destination)
    {
        double[] sums = new double[destination.Length];
        for (int channel = 0; channel < MiddleDimension; channel++)
        {
            double factor = _outer.IsPositive(row, channel) ? _middleScale[channel] : -_middleScale[channel];
            for (int column = 0; column < sums.Length; column++) sums[column] += _inner.IsPositive(channel, column) ? factor : -factor;
        }

        for (int column = 0; column < sums.Length; column++) destination[column] = (float)(sums[column] * _outputScale[row] * _inputScale[column]);
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

    private static DbfLayer FromDense(Matrix<float> weights, DbfOptions options, LayerStatistics? statistics)
    {
        var context = new CompressionContext { Pool = ComputePool.Shared, Statistics = statistics };
        using CompressedWeight weight = DbfMethod.Instance.Compress(weights.View, options, context);
        return (DbfLayer)weight.CreateLayer();
    }

    private static void Multiply(SignBlocks signs, MatrixView<float> input, MatrixView<float> destination, ComputePool pool) =>
        pool.For(signs.Blocks, LinearProduct.RowGrain(signs.Columns, input.Rows) / SignBlocks.BlockRows + 1, (signs, input, destination), static (start, end, state) =>
            SignSums.Multiply(state.signs, (int)start, (int)(end - start), state.input, state.destination));

    private static void Scale(MatrixView<float> values, float[] scales, MatrixView<float> destination)
    {
        for (nint token = 0; token < values.Rows; token++) TensorPrimitives.Multiply<float>(values.Row(token), scales, destination.Row(token));
    }
}
