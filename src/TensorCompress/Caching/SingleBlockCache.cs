using TensorCompress.Layers;
using TensorCompress.Tensors;

namespace TensorCompress.Caching;

/// <summary>Keys and values of one transformer block at a time, whatever its index: for passes that run a model block by block.</summary>
/// <param name="inner">A cache of one block.</param>
internal sealed class SingleBlockCache(IKeyValueCache inner) : IKeyValueCache
{
    /// <inheritdoc/>
    public int Capacity => inner.Capacity;

    /// <inheritdoc/>
    public long ResidentBytes => inner.ResidentBytes;

    /// <inheritdoc/>
    public void Reserve(int length) => inner.Reserve(length);

    /// <inheritdoc/>
    public void Store(int block, int position, MatrixView<float> keys, MatrixView<float> values) => inner.Store(0, position, keys, values);

    /// <inheritdoc/>
    public MatrixView<float> Keys(int block, int head, int length) => inner.Keys(0, head, length);

    /// <inheritdoc/>
    public MatrixView<float> Values(int block, int head, int length) => inner.Values(0, head, length);

    /// <inheritdoc/>
    public void Dispose() => inner.Dispose();
}
