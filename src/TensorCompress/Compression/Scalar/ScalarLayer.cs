using System.Numerics.Tensors;
using TensorCompress.Layers;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Scalar;

/// <summary>Quantised weights that stay packed in memory and become floats a few rows at a time: any bits and group, exact activations.</summary>
public sealed class ScalarLayer : RowDecodedLayer
{
    private readonly QuantizedRows _rows;

    internal ScalarLayer(QuantizedRows rows)
        : base(rows.Rows, rows.Columns) => _rows = rows;

    /// <inheritdoc/>
    public override long ResidentBytes => _rows.ByteLength;

    /// <summary>Quantises a matrix to a layer.</summary>
    /// <param name="weights">W, row-major; read before the call returns.</param>
    /// <param name="rows">Outputs.</param>
    /// <param name="columns">Inputs.</param>
    /// <param name="bits">Bits of a code, 2 to 8; groups and scales as <see cref="ScalarOptions"/> has them by default.</param>
    /// <exception cref="ArgumentException">The weights are not rows x columns many, a weight is NaN or infinite, or an option or scale is out of its range.</exception>
    public static LinearLayer FromDense(ReadOnlySpan<float> weights, int rows, int columns, int bits) => FromDense(weights, rows, columns, new ScalarOptions(bits));

    /// <inheritdoc cref="FromDense(ReadOnlySpan{float}, int, int, int)"/>
    /// <param name="weights">W, row-major; read before the call returns.</param>
    /// <param name="rows">Outputs.</param>
    /// <param name="columns">Inputs.</param>
    /// <param name="options">Bits, group, symmetry and type of scales.</param>
    public static LinearLayer FromDense(ReadOnlySpan<float> weights, int rows, int columns, ScalarOptions options)
    {
        using Matrix<float> matrix = DenseSource.Copy(weights, rows, columns);
        return FromDense(matrix, options);
    }

    /// <summary>Quantises a matrix to a layer.</summary>
    /// <param name="weights">W, [output, input]; read before the call returns.</param>
    /// <param name="options">Bits, group, symmetry and type of scales.</param>
    /// <exception cref="ArgumentException">The weights are not a matrix, a weight is NaN or infinite, or a scale is out of its range.</exception>
    public static LinearLayer FromDense(in ReadOnlyTensorSpan<float> weights, ScalarOptions options)
    {
        using Matrix<float> matrix = DenseSource.Copy(weights);
        return FromDense(matrix, options);
    }

    /// <inheritdoc/>
    protected override void ReadRow(int row, Span<float> destination) => _rows.DecodeRow(row, destination);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing) _rows.Dispose();
        base.Dispose(disposing);
    }

    private static LinearLayer FromDense(Matrix<float> weights, ScalarOptions options)
    {
        FiniteWeights.ThrowIfNot(weights.View, nameof(weights));
        using var weight = new ScalarWeight(ScalarQuantizer.Quantize(weights.View, options, ComputePool.Shared));
        return weight.CreateLayer();
    }
}
