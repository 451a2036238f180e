using System.Numerics.Tensors;
using TensorCompress.Kernels;
using TensorCompress.Layers;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Sum;

/// <summary><c>y = A_0 x + A_1 x + ... + C x_J</c>: every term multiplies in its own form, then the columns beside them.</summary>
public sealed class SumLayer : LinearLayer
{
    private readonly LinearLayer[] _terms;
    private readonly OutlierColumns? _columns;

    internal SumLayer(LinearLayer[] terms, OutlierColumns? columns)
        : base(terms[0].OutputDimension, terms[0].InputDimension)
    {
        _terms = terms;
        _columns = columns;
    }

    /// <inheritdoc/>
    public override long ResidentBytes => _terms.Sum(term => term.ResidentBytes) + (_columns?.ByteLength ?? 0);

    /// <inheritdoc/>
    public override long MultiplicationsPerToken => _terms.Sum(term => term.MultiplicationsPerToken) + (long)(_columns?.Indices.Count ?? 0) * OutputDimension;

    /// <inheritdoc/>
    public override long AdditionsPerToken => _terms.Sum(term => term.AdditionsPerToken) + (long)(_columns?.Indices.Count ?? 0) * OutputDimension;

    /// <summary>The terms; they belong to this layer.</summary>
    public IReadOnlyList<LinearLayer> Terms => _terms;

    /// <summary>Compresses a matrix to a layer.</summary>
    /// <param name="weights">W, row-major; read before the call returns.</param>
    /// <param name="rows">Outputs.</param>
    /// <param name="columns">Inputs.</param>
    /// <param name="options">Terms and columns beside them.</param>
    /// <param name="statistics">Second moment of the inputs; null for the Frobenius norm.</param>
    /// <exception cref="ArgumentException">The weights are not rows x columns many, a weight is NaN or infinite, or a term's options do not fit the shape.</exception>
    public static SumLayer FromDense(ReadOnlySpan<float> weights, int rows, int columns, SumOptions options, LayerStatistics? statistics = null)
    {
        using Matrix<float> matrix = DenseSource.Copy(weights, rows, columns);
        return FromDense(matrix, options, statistics);
    }

    /// <inheritdoc cref="FromDense(ReadOnlySpan{float}, int, int, SumOptions, LayerStatistics?)"/>
    /// <param name="weights">W, [output, input]; read before the call returns.</param>
    /// <param name="options">Terms and columns beside them.</param>
    /// <param name="statistics">Second moment of the inputs; null for the Frobenius norm.</param>
    public static SumLayer FromDense(in ReadOnlyTensorSpan<float> weights, SumOptions options, LayerStatistics? statistics = null)
    {
        using Matrix<float> matrix = DenseSource.Copy(weights);
        return FromDense(matrix, options, statistics);
    }

    /// <inheritdoc/>
    protected override void Multiply(ActivationBatch input, MatrixView<float> destination, ComputeContext context)
    {
        _terms[0].Forward(input, destination, context);
        using ScratchLease lease = context.Rent(input.TokenCount, OutputDimension);
        foreach (LinearLayer term in _terms.AsSpan(1))
        {
            term.Forward(input, lease.View, context);
            Add(lease.View, destination);
        }

        if (_columns is null) return;
        using ScratchLease gathered = context.Rent(input.TokenCount, _columns.Indices.Count);
        _columns.Multiply(input.Values, gathered.View, lease.View, context.Pool);
        Add(lease.View, destination);
    }

    /// <inheritdoc/>
    protected override void ReadRow(int row, Span<float> destination)
    {
        _terms[0].DecodeRow(row, destination);
        float[] other = new float[destination.Length];
        foreach (LinearLayer term in _terms.AsSpan(1))
        {
            term.DecodeRow(row, other);
            Elementwise.Add(destination, other, destination);
        }

        _columns?.AddRow(row, destination);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            foreach (LinearLayer term in _terms) term.Dispose();
            _columns?.Dispose();
        }

        base.Dispose(disposing);
    }

    private static void Add(MatrixView<float> source, MatrixView<float> destination)
    {
        for (nint token = 0; token < source.Rows; token++) Elementwise.Add(destination.Row(token), source.Row(token), destination.Row(token));
    }

    private static SumLayer FromDense(Matrix<float> weights, SumOptions options, LayerStatistics? statistics)
    {
        var context = new CompressionContext { Pool = ComputePool.Shared, Statistics = statistics };
        using CompressedWeight weight = SumMethod.Instance.Compress(weights.View, options, context);
        return (SumLayer)weight.CreateLayer();
    }
}
