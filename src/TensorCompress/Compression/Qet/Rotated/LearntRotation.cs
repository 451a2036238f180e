using TensorCompress.Kernels;
using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Qet.Rotated;

/// <summary>A rotation of rows that was learnt from them, stored as its axes in half precision. Coordinate j of a rotated row is its product with axis j.</summary>
internal sealed class LearntRotation
{
    private const int Rounds = 8, ShortIterations = 4;

    private readonly byte[] _axes;

    /// <param name="columns">Columns of the rows, and axes.</param>
    /// <param name="axes">[axis, column] as F16.</param>
    public LearntRotation(int columns, byte[] axes) => (Columns, _axes) = (columns, axes);

    public int Columns { get; }

    /// <summary>The axes as they are stored.</summary>
    public ReadOnlySpan<byte> Stored => _axes;

    public long ByteLength => _axes.Length;

    /// <summary>Bytes of a rotation.</summary>
    public static long BytesFor(nint columns) => (long)columns * columns * sizeof(short);

    /// <summary>
    /// Optimised product quantisation (Ge, He, Ke, Sun 2013), the non-parametric way: from the identity on, codebooks for the rotated rows and the rotation that brings the rows nearest to what codebooks
    /// make of them take turns.
    /// </summary>
    /// <param name="values">The rows.</param>
    /// <param name="product">Column groups and centroids.</param>
    /// <param name="pool">Threads; the result does not depend on their number.</param>
    /// <param name="cancellationToken">Looked at between rounds and within.</param>
    public static LearntRotation Learn(MatrixView<float> values, QetPlan product, ComputePool pool, CancellationToken cancellationToken)
    {
        int columns = (int)values.Columns;
        QetOptions options = product.Options;
        var brief = QetPlan.WithCentroids(product.Rows, product.Columns, product.Centroids, new QetOptions(options.Subspaces, options.Stages, options.CodebookBits, options.GridPerGroup, ShortIterations, options.Seed));
        using Matrix<float> axes = Identity(columns), rotated = new(values.Rows, columns), cross = new(columns, columns);
        using Matrix<double> nearest = new(columns, columns);
        for (int round = 0; round < Rounds; round++)
        {
            MatrixProduct.Multiply(values, axes.View.Transposed, rotated.View, pool: pool);
            QetTensor quantized = QetCodec.Compress(rotated.View, brief, pool, cancellationToken);
            QetCodec.Decompress(quantized, rotated.View, pool);
            MatrixProduct.Multiply(rotated.View.Transposed, values, cross.View, pool: pool); // U S V^T; the axes nearest to it are U V^T
            using SingularValueDecomposition svd = Svd.Full(cross.View, pool, cancellationToken);
            MatrixProduct.Multiply(svd.LeftTransposed.View.Transposed, svd.RightTransposed.View, nearest.View, pool: pool);
            for (nint axis = 0; axis < columns; axis++)
            {
                for (int k = 0; k < columns; k++) axes[axis, k] = (float)(Half)nearest[axis, k];
            }
        }

        byte[] stored = new byte[BytesFor(columns)];
        for (int axis = 0; axis < columns; axis++) ElementConversion.FromSingle(axes.Row(axis), ElementType.F16, stored.AsSpan(axis * columns * sizeof(short), columns * sizeof(short)));
        return new LearntRotation(columns, stored);
    }

    /// <summary>Decodes an axis.</summary>
    public void Axis(int axis, Span<float> destination) => ElementConversion.ToSingle(ElementType.F16, _axes.AsSpan(axis * Columns * sizeof(short), Columns * sizeof(short)), destination);

    /// <summary>All axes, [axis, column].</summary>
    public Matrix<float> Axes()
    {
        var axes = new Matrix<float>(Columns, Columns);
        for (int axis = 0; axis < Columns; axis++) Axis(axis, axes.Row(axis));
        return axes;
    }

    private static Matrix<float> Identity(int size)
    {
        var matrix = new Matrix<float>(size, size);
        for (int i = 0; i < size; i++) matrix[i, i] = 1;
        return matrix;
    }
}
