using System.Numerics.Tensors;
using TensorCompress.Kernels;
using TensorCompress.Layers;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Tucker;

/// <summary><c>y = P (C (U (x) 1) x)</c>: the heads of x are mixed to fewer, then two products as of a low rank.</summary>
public sealed class TuckerLayer : LinearLayer
{
    private readonly TuckerShape _shape;
    private readonly StoredFactor _outer;
    private readonly StoredFactor _inner;
    private readonly Matrix<float> _mixer; // [a, h]: floats, for it is tiny

    internal TuckerLayer(TuckerShape shape, StoredFactor outer, StoredFactor inner, Matrix<float> mixer)
        : base(shape.Rows, shape.Columns)
    {
        _shape = shape;
        _outer = outer;
        _inner = inner;
        _mixer = mixer;
    }

    /// <inheritdoc/>
    public override long ResidentBytes => _outer.ByteLength + _inner.ByteLength + _mixer.ByteLength;

    /// <inheritdoc/>
    public override long MultiplicationsPerToken => (long)_shape.HeadRank * InputDimension + (long)_shape.Rank * (OutputDimension + _shape.MixedColumns);

    /// <summary>Factorises a matrix to a layer.</summary>
    /// <param name="weights">W, row-major; read before the call returns.</param>
    /// <param name="rows">Outputs.</param>
    /// <param name="columns">Inputs.</param>
    /// <param name="options">Ranks or share, head dimension, type of the factors.</param>
    /// <param name="statistics">Second moment of the inputs; null for the Frobenius norm.</param>
    /// <exception cref="ArgumentException">The weights are not rows x columns many, a weight is NaN or infinite, heads do not divide the inputs, or the share is too small.</exception>
    public static TuckerLayer FromDense(ReadOnlySpan<float> weights, int rows, int columns, TuckerOptions options, LayerStatistics? statistics = null)
    {
        using Matrix<float> matrix = DenseSource.Copy(weights, rows, columns);
        return FromDense(matrix, options, statistics);
    }

    /// <inheritdoc cref="FromDense(ReadOnlySpan{float}, int, int, TuckerOptions, LayerStatistics?)"/>
    /// <param name="weights">W, [output, input]; read before the call returns.</param>
    /// <param name="options">Ranks or share, head dimension, type of the factors.</param>
    /// <param name="statistics">Second moment of the inputs; null for the Frobenius norm.</param>
    public static TuckerLayer FromDense(in ReadOnlyTensorSpan<float> weights, TuckerOptions options, LayerStatistics? statistics = null)
    {
        using Matrix<float> matrix = DenseSource.Copy(weights);
        return FromDense(matrix, options, statistics);
    }

    /// <inheritdoc/>
    protected override void Multiply(ActivationBatch input, MatrixView<float> destination, ComputeContext context)
    {
        using ScratchLease mixed = context.Rent(input.TokenCount, _shape.MixedColumns), middle = context.Rent(input.TokenCount, _shape.Rank);
        context.Pool.For(input.TokenCount, 1, (this_: this, x: input.Values, mixed: mixed.View), static (start, end, on) =>
        {
            for (nint token = start; token < end; token++) on.this_.Mix(on.x.Row(token), on.mixed.Row(token));
        });
        _inner.Multiply(mixed.View, middle.View, context.Pool);
        _outer.Multiply(middle.View, destination, context.Pool);
    }

    /// <inheritdoc/>
    protected override void ReadRow(int row, Span<float> destination)
    {
        float[] coefficients = new float[_shape.Rank], mixed = new float[_shape.MixedColumns];
        _outer.ReadRow(row, coefficients);
        _inner.CombineRows(0, coefficients, mixed);
        destination.Clear();
        int channels = _shape.Channels;
        for (int a = 0; a < _shape.HeadRank; a++)
        {
            ReadOnlySpan<float> weights = _mixer.Row(a);
            for (int head = 0; head < weights.Length; head++) Scaling.AddScaled(mixed.AsSpan(a * channels, channels), weights[head], destination.Slice(head * channels, channels));
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _outer.Dispose();
            _inner.Dispose();
            _mixer.Dispose();
        }

        base.Dispose(disposing);
    }

    private static TuckerLayer FromDense(Matrix<float> weights, TuckerOptions options, LayerStatistics? statistics)
    {
        var context = new CompressionContext { Pool = ComputePool.Shared, Statistics = statistics };
        using CompressedWeight weight = TuckerMethod.Instance.Compress(weights.View, options, context);
        return (TuckerLayer)weight.CreateLayer();
    }

    private void Mix(ReadOnlySpan<float> heads, Span<float> mixed)
    {
        mixed.Clear();
        int channels = _shape.Channels;
        for (int a = 0; a < _shape.HeadRank; a++)
        {
            ReadOnlySpan<float> weights = _mixer.Row(a);
            for (int head = 0; head < weights.Length; head++) Scaling.AddScaled(heads.Slice(head * channels, channels), weights[head], mixed.Slice(a * channels, channels));
        }
    }
}
