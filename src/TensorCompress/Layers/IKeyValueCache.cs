using TensorCompress.Tensors;

namespace TensorCompress.Layers;

/// <summary>Keys and values of all positions seen, per transformer block. Belongs to one session.</summary>
public interface IKeyValueCache : IDisposable
{
    /// <summary>Positions that can be held.</summary>
    int Capacity { get; }

    /// <summary>Bytes held.</summary>
    long ResidentBytes { get; }

    /// <summary>Makes room for positions up to (not including) <paramref name="length"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">More than <see cref="Capacity"/>.</exception>
    void Reserve(int length);

    /// <summary>Stores keys and values of consecutive positions.</summary>
    /// <param name="block">Index of the transformer block.</param>
    /// <param name="position">First position; room was reserved.</param>
    /// <param name="keys">[tokens, key-value heads x dimension].</param>
    /// <param name="values">[tokens, key-value heads x dimension].</param>
    void Store(int block, int position, MatrixView<float> keys, MatrixView<float> values);

    /// <summary>Keys of positions 0 to length - 1 of one head, [length, dimension].</summary>
    MatrixView<float> Keys(int block, int head, int length);

    /// <summary>Values of positions 0 to length - 1 of one head, [length, dimension].</summary>
    MatrixView<float> Values(int block, int head, int length);
}
