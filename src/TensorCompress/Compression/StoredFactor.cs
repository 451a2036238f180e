using TensorCompress.Kernels;
using TensorCompress.Layers;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression;

/// <summary>A factor of a weight that stays in its stored type, F32, F16 or BF16, in memory too: written, read, and multiplied in one form.</summary>
internal sealed class StoredFactor : IDisposable
{
    /// <summary>Rows that become floats at a time.</summary>
    private const int BlockRows = 16;

    private readonly Matrix<byte>? _bytes;
    private readonly Matrix<float>? _floats;

    private StoredFactor(ElementType type, Matrix<byte> bytes, int columns)
    {
        Type = type;
        Rows = (int)bytes.Rows;
        Columns = columns;
        if (type != ElementType.F32)
        {
            _bytes = bytes;
            return;
        }

        _floats = new Matrix<float>(Rows, Columns);
        for (int row = 0; row < Rows; row++) ElementConversion.ToSingle(type, bytes.Row(row), _floats.Row(row));
        bytes.Dispose();
    }

    private StoredFactor(StoredFactor other)
    {
        (Type, Rows, Columns) = (other.Type, other.Rows, other.Columns);
        _floats = Copy(other._floats);
        _bytes = Copy(other._bytes);
    }

    public ElementType Type { get; }

    public int Rows { get; }

    public int Columns { get; }

    public long ByteLength => _floats?.ByteLength ?? _bytes!.ByteLength;

    /// <summary>Rounds a matrix to nearest even.</summary>
    /// <exception cref="ArgumentException">A value is beyond the type's range.</exception>
    public static StoredFactor Round(MatrixView<float> values, ElementType type, string parameterName) =>
        new(type, FloatRounding.Round(values, type, parameterName), (int)values.Columns);

    /// <summary>Reads a part of a stored weight.</summary>
    /// <param name="stored">The weight.</param>
    /// <param name="method">The method whose part it is.</param>
    /// <param name="part">The part's name.</param>
    /// <param name="type">F32, F16 or BF16.</param>
    /// <param name="shape">The part's shape.</param>
    /// <param name="rows">Rows of the factor, over which the elements are spread in order.</param>
    /// <exception cref="Storage.TensorFormatException">It is missing, of another type or shape, or holds a value that is not finite.</exception>
    public static StoredFactor Read(StoredWeight stored, ICompressionMethod method, string part, ElementType type, ReadOnlySpan<long> shape, int rows)
    {
        long elements = 1;
        foreach (long dimension in shape) elements = checked(elements * dimension);
        return Read(stored, method, part, type, shape, [(rows, checked((int)(elements / rows)))])[0];
    }

    /// <summary>Reads several factors that lie one after the other in one part.</summary>
    /// <param name="stored">The weight.</param>
    /// <param name="method">The method whose part it is.</param>
    /// <param name="part">The part's name.</param>
    /// <param name="type">F32, F16 or BF16.</param>
    /// <param name="shape">The part's shape.</param>
    /// <param name="sizes">Rows and columns of each factor, of as many elements together.</param>
    /// <exception cref="Storage.TensorFormatException">It is missing, of another type or shape, or holds a value that is not finite.</exception>
    public static StoredFactor[] Read(StoredWeight stored, ICompressionMethod method, string part, ElementType type, ReadOnlySpan<long> shape, IReadOnlyList<(int Rows, int Columns)> sizes)
    {
        using Matrix<byte> bytes = stored.ReadBytes(method, part, type, shape);
        stored.ThrowIfNotFinite(method, part, type, bytes);
        nint start = 0;
        return [.. sizes.Select(size =>
        {
            var factor = new Matrix<byte>(size.Rows, (nint)size.Columns * type.BitWidth() / 8);
            new MatrixView<byte>(bytes, start, factor.Rows, factor.Columns, factor.Columns).CopyTo(factor.View);
            start += factor.Rows * factor.Columns;
            return new StoredFactor(type, factor, size.Columns);
        })];
    }

    /// <summary>The factor as a part of a file.</summary>
    /// <param name="name">The part's name.</param>
    /// <param name="shape">Its shape there, of as many elements; null for rows and columns.</param>
    public WeightPart Part(string name, IReadOnlyList<long>? shape = null) => Part(name, shape ?? [Rows, Columns], [this]);

    /// <summary>Several factors of one type, one after the other, as a part of a file.</summary>
    /// <param name="name">The part's name.</param>
    /// <param name="shape">Its shape there, of as many elements.</param>
    /// <param name="factors">At least one.</param>
    public static WeightPart Part(string name, IReadOnlyList<long> shape, IReadOnlyList<StoredFactor> factors) => new(name, factors[0].Type, shape, stream =>
    {
        foreach (StoredFactor factor in factors) factor.Write(stream);
    });

    /// <summary>A copy.</summary>
    public StoredFactor Clone() => new(this);

    /// <summary>y = F x for each token.</summary>
    /// <param name="input">[tokens, columns].</param>
    /// <param name="destination">[tokens, rows], overwritten.</param>
    /// <param name="pool">Threads; the result does not depend on their number.</param>
    public void Multiply(MatrixView<float> input, MatrixView<float> destination, ComputePool pool) => Multiply(0, Rows, input, destination, pool);

    /// <summary>y = F x for each token, with consecutive rows of F.</summary>
    /// <param name="first">First row.</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="input">[tokens, columns].</param>
    /// <param name="destination">[tokens, rows], overwritten.</param>
    /// <param name="pool">Threads; the result does not depend on their number.</param>
    public void Multiply(nint first, nint rows, MatrixView<float> input, MatrixView<float> destination, ComputePool pool)
    {
        if (_floats is not null)
        {
            LinearProduct.Forward(_floats.RowRange(first, rows), input, destination, pool);
            return;
        }

        pool.For(rows, nint.Max(BlockRows, LinearProduct.RowGrain(Columns, input.Rows)), (start, end) =>
        {
            using var block = new Matrix<float>(BlockRows, Columns);
            for (nint row = start; row < end; row += BlockRows)
            {
                nint count = nint.Min(BlockRows, end - row);
                for (nint i = 0; i < count; i++) ReadRow((int)(first + row + i), block.Row(i));
                DotProducts.Multiply(block.RowRange(0, count), input, destination.ColumnRange(row, count));
            }
        });
    }

    /// <summary>One row as floats.</summary>
    public void ReadRow(int row, Span<float> destination)
    {
        if (_floats is not null) _floats.Row(row).CopyTo(destination);
        else ElementConversion.ToSingle(Type, _bytes!.Row(row), destination);
    }

    /// <summary>All rows as floats.</summary>
    public Matrix<float> ToMatrix()
    {
        var matrix = new Matrix<float>(Rows, Columns);
        for (int row = 0; row < Rows; row++) ReadRow(row, matrix.Row(row));
        return matrix;
    }

    /// <summary>The sum of consecutive rows with coefficients.</summary>
    /// <param name="first">First row.</param>
    /// <param name="coefficients">One for each row.</param>
    /// <param name="destination">As long as a row, overwritten.</param>
    public void CombineRows(int first, ReadOnlySpan<float> coefficients, Span<float> destination)
    {
        destination.Clear();
        var row = new float[Columns];
        for (int i = 0; i < coefficients.Length; i++)
        {
            ReadRow(first + i, row);
            Scaling.AddScaled(row, coefficients[i], destination);
        }
    }

    public void Dispose()
    {
        _floats?.Dispose();
        _bytes?.Dispose();
    }

    private void Write(Stream stream)
    {
        byte[] row = new byte[Columns * Type.BitWidth() / 8];
        for (int i = 0; i < Rows; i++)
        {
            if (_bytes is not null) _bytes.Row(i).CopyTo(row);
            else ElementConversion.FromSingle(_floats!.Row(i), Type, row);
            stream.Write(row);
        }
    }

    private static Matrix<T>? Copy<T>(Matrix<T>? source)
        where T : unmanaged
    {
        if (source is null) return null;
        var copy = new Matrix<T>(source.Rows, source.Columns);
        source.View.CopyTo(copy.View);
        return copy;
    }
}
