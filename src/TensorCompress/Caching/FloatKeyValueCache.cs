using TensorCompress.Layers;
using TensorCompress.Tensors;

namespace TensorCompress.Caching;

/// <summary>Keys and values as 32-bit floats: exact, 8 bytes per channel and position. Grows by doubling up to its capacity.</summary>
public sealed class FloatKeyValueCache : IKeyValueCache
{
    private const int FirstLength = 64;

    private readonly int _headDimension;
    private readonly int _width;
    private readonly Matrix<float>[] _keys;
    private readonly Matrix<float>[] _values;
    private int _length;

    /// <summary>Makes an empty cache.</summary>
    /// <param name="blocks">Transformer blocks.</param>
    /// <param name="headCount">Key-value heads.</param>
    /// <param name="headDimension">Channels of a head.</param>
    /// <param name="capacity">Positions at most.</param>
    public FloatKeyValueCache(int blocks, int headCount, int headDimension, int capacity)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(blocks);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(capacity);
        _headDimension = headDimension;
        _width = checked(headCount * headDimension);
        Capacity = capacity;
        _keys = [.. Enumerable.Range(0, blocks).Select(_ => new Matrix<float>(0, _width))];
        _values = [.. Enumerable.Range(0, blocks).Select(_ => new Matrix<float>(0, _width))];
    }

    /// <inheritdoc/>
    public int Capacity { get; }

    /// <inheritdoc/>
    public long ResidentBytes => _keys.Sum(matrix => matrix.ByteLength) + _values.Sum(matrix => matrix.ByteLength);

    /// <inheritdoc/>
    public void Reserve(int length)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Capacity);
        if (length <= _length) return;
        int grown = (int)Math.Min(Capacity, Math.Max(length, Math.Max(FirstLength, 2L * _length)));
        for (int block = 0; block < _keys.Length; block++)
        {
            Grow(ref _keys[block], grown);
            Grow(ref _values[block], grown);
        }

        _length = grown;
    }

    /// <inheritdoc/>
    public void Store(int block, int position, MatrixView<float> keys, MatrixView<float> values)
    {
        keys.CopyTo(_keys[block].RowRange(position, keys.Rows));
        values.CopyTo(_values[block].RowRange(position, values.Rows));
    }

    /// <inheritdoc/>
    public MatrixView<float> Keys(int block, int head, int length) => HeadOf(_keys[block], head, length);

    /// <inheritdoc/>
    public MatrixView<float> Values(int block, int head, int length) => HeadOf(_values[block], head, length);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Matrix<float> matrix in _keys.Concat(_values)) matrix.Dispose();
    }

    private MatrixView<float> HeadOf(Matrix<float> matrix, int head, int length) =>
        matrix.RowRange(0, length).ColumnRange(head * _headDimension, _headDimension);

    private void Grow(ref Matrix<float> matrix, int rows)
    {
        var grown = new Matrix<float>(rows, _width);
        matrix.View.CopyTo(grown.RowRange(0, matrix.Rows));
        matrix.Dispose();
        matrix = grown;
    }
}
