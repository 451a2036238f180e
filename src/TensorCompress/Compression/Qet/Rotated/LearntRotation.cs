using TensorCompress.Kernels;
using TensorCompress.Layers;
using TensorCompress.Numerics;
using TensorCompress.Storage;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Qet.Rotated;

/// <summary>
/// A rotation of rows that was learnt from them, stored as its axes in half precision. Coordinate j of a rotated row is its product with axis j. From the first few rows that are turned back on the axes are kept as
/// floats too: to make them takes many times as long as to turn a row.
/// </summary>
internal sealed class LearntRotation : RowRotation
{
    /// <summary>The part of a weight that it is.</summary>
    public const string Part = "rotation";

    /// <summary>Up to so many columns a rotation is learnt: it takes the cube of them.</summary>
    public const int MostColumns = 1024;

    private const int Rounds = 8, ShortIterations = 4;

    /// <summary>Elements of axes are cosines; rounding may pass 1 by a little.</summary>
    private const float LargestCosine = 1.001f;

    /// <summary>Rows that are turned back together.</summary>
    private const int RowsTogether = 1 << 12;

    /// <summary>More rows than these make floats of the axes for themselves alone: they take longer than that.</summary>
    private const int FewRows = 64;

    private readonly byte[] _axes;
    private readonly Lazy<Matrix<float>> _kept;

    private LearntRotation(int columns, byte[] axes) => (Columns, _axes, _kept) = (columns, axes, new Lazy<Matrix<float>>(Axes));

    /// <summary>Columns of the rows, and axes.</summary>
    public int Columns { get; }

    /// <summary>The axes as they are stored.</summary>
    public ReadOnlySpan<byte> Stored => _axes;

    /// <inheritdoc/>
    public override QetRotation Kind => QetRotation.Learnt;

    /// <inheritdoc/>
    public override long ByteLength => _axes.Length;

    /// <inheritdoc/>
    public override long ResidentBytes => _axes.Length + (_kept.IsValueCreated ? _kept.Value.ByteLength : 0);

    /// <inheritdoc/>
    public override long MultiplicationsPerToken => (long)Columns * Columns;

    /// <summary>Bytes of a rotation.</summary>
    public static long BytesFor(nint columns) => (long)columns * columns * sizeof(short);

    /// <summary>
    /// Optimised product quantisation (Ge, He, Ke, Sun 2013), the non-parametric way: from the identity on, codebooks for the rotated rows and the rotation that brings the rows nearest to what codebooks
    /// make of them take turns.
    /// </summary>
    /// <param name="values">The rows.</param>
    /// <param name="plan">Column groups, stages and centroids.</param>
    /// <param name="pool">Threads; the result does not depend on their number.</param>
    /// <param name="cancellationToken">Looked at between rounds and within.</param>
    public static LearntRotation Learn(MatrixView<float> values, QetPlan plan, ComputePool pool, CancellationToken cancellationToken)
    {
        int columns = (int)values.Columns;
        var brief = QetPlan.WithCentroids(plan.Rows, plan.Columns, plan.Centroids, plan.Options with { Rotation = QetRotation.None, BeamWidth = 1, Iterations = ShortIterations });
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

    /// <summary>Reads one.</summary>
    /// <param name="stored">Where.</param>
    /// <param name="method">The method.</param>
    /// <param name="coded">Which parts are entropy coded.</param>
    /// <exception cref="TensorFormatException">The rotation does not fit.</exception>
    public static LearntRotation Read(StoredWeight stored, QetMethod method, EntropyCodedParts coded)
    {
        int columns = stored.InputDimension;
        using Matrix<byte> bytes = coded.ReadBytes(stored, method, Part, ElementType.F16, Code, columns, columns);
        stored.ThrowIfNotFinite(method, Part, ElementType.F16, bytes);
        return FromStored(columns, bytes.RowSpan(0, columns).ToArray(), message => stored.Fault(TensorFormatError.Value, message, StoredParts.TensorName(stored.Layer, method, Part)));
    }

    /// <summary>The rotation of stored axes.</summary>
    /// <param name="columns">How many.</param>
    /// <param name="axes">As they are stored.</param>
    /// <param name="fault">Makes the exception for an axis that cannot be.</param>
    public static LearntRotation FromStored(int columns, byte[] axes, Func<string, TensorFormatException> fault)
    {
        var rotation = new LearntRotation(columns, axes);
        float[] axis = new float[columns];
        for (int i = 0; i < columns; i++)
        {
            rotation.Axis(i, axis);
            int wrong = axis.AsSpan().IndexOfAnyExceptInRange(-LargestCosine, LargestCosine);
            if (wrong >= 0) throw fault($"element {wrong} of axis {i} is {axis[wrong]}");
        }

        return rotation;
    }

    /// <summary>Codes axes, one after the other; cosines of n columns are near n^-1/2 in magnitude.</summary>
    /// <param name="coder">An encoder, or a decoder.</param>
    /// <param name="axes">Their bytes; written by a decoder.</param>
    public static void Code<TCoder>(ref TCoder coder, Span<byte> axes)
        where TCoder : struct, IEntropyCoder
    {
        AdaptiveNumber model = HalfCoding.NewModel();
        for (int at = 0; at < axes.Length; at += sizeof(ushort)) HalfCoding.Code(ref coder, model, axes.Slice(at, sizeof(ushort)));
    }

    /// <inheritdoc/>
    public override void Rotate(MatrixView<float> rows, ComputePool pool)
    {
        using Matrix<float> axes = Axes();
        Multiply(rows, axes.View.Transposed, pool);
    }

    /// <inheritdoc/>
    public override void Undo(MatrixView<float> rows, ComputePool pool)
    {
        if (rows.Rows <= FewRows || _kept.IsValueCreated)
        {
            Multiply(rows, _kept.Value.View, pool);
            return;
        }

        using Matrix<float> axes = Axes();
        Multiply(rows, axes.View, pool);
    }

    /// <inheritdoc/>
    public override void RotateMetric(Matrix<double> metric, ComputePool pool)
    {
        using Matrix<float> axes = Axes();
        using Matrix<double> wide = new(Columns, Columns), half = new(Columns, Columns);
        for (nint i = 0; i < Columns; i++) System.Numerics.Tensors.TensorPrimitives.ConvertTruncating<float, double>(axes.Row(i), wide.Row(i));
        MatrixProduct.Multiply(wide, metric, half.View, pool: pool);
        MatrixProduct.Multiply(half.View, wide.View.Transposed, metric.View, pool: pool);
    }

    /// <inheritdoc/>
    public override void Rotate(ActivationBatch input, MatrixView<float> rotated, ComputeContext context) => RowDecodedLayer.Multiply(Axis, input, rotated, context);

    private static void Multiply(MatrixView<float> rows, MatrixOperand<float> by, ComputePool pool)
    {
        using var product = new Matrix<float>(nint.Min(rows.Rows, RowsTogether), rows.Columns);
        for (nint start = 0; start < rows.Rows; start += RowsTogether)
        {
            nint count = nint.Min(RowsTogether, rows.Rows - start);
            MatrixProduct.Multiply(rows.RowRange(start, count), by, product.RowRange(0, count), pool: pool);
            product.RowRange(0, count).CopyTo(rows.RowRange(start, count));
        }
    }

    private void Axis(int axis, Span<float> destination) => ElementConversion.ToSingle(ElementType.F16, _axes.AsSpan(axis * Columns * sizeof(short), Columns * sizeof(short)), destination);

    /// <summary>All axes, [axis, column].</summary>
    private Matrix<float> Axes()
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
