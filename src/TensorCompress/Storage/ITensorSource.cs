using TensorCompress.Tensors;

namespace TensorCompress.Storage;

/// <summary>Name, element type and shape of a stored tensor.</summary>
/// <param name="Name">The tensor's name in the checkpoint.</param>
/// <param name="ElementType">Type of the elements as <see cref="ITensorSource.ReadBytes"/> gives them.</param>
/// <param name="Shape">Row-major dimensions; empty for a scalar.</param>
public sealed record TensorInfo(string Name, ElementType ElementType, IReadOnlyList<long> Shape)
{
    /// <summary>Number of elements, the product of the dimensions.</summary>
    public long ElementCount => Shape.Aggregate(1L, (product, dimension) => checked(product * dimension));

    /// <summary>Bytes that the elements take.</summary>
    public long ByteLength => checked(ElementCount * ElementType.BitWidth() / 8);
}

/// <summary>Tensors that can be read by name at random, without loading the whole file. Safe for concurrent readers.</summary>
public interface ITensorSource : IDisposable
{
    /// <summary>All tensors by name, in the order of the file.</summary>
    IReadOnlyDictionary<string, TensorInfo> Tensors { get; }

    /// <summary>Reads stored bytes of a tensor.</summary>
    /// <param name="name">A key of <see cref="Tensors"/>.</param>
    /// <param name="offset">First byte, counted from the tensor's start.</param>
    /// <param name="destination">Filled completely.</param>
    /// <exception cref="KeyNotFoundException">There is no such tensor.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The range leaves the tensor.</exception>
    /// <exception cref="TensorFormatException">The file has become shorter since it was opened.</exception>
    void ReadBytes(string name, long offset, Span<byte> destination);

    /// <summary>Reads consecutive elements as floats.</summary>
    /// <param name="name">A key of <see cref="Tensors"/> with a numeric element type.</param>
    /// <param name="firstElement">Row-major index of the first element.</param>
    /// <param name="destination">Filled completely.</param>
    void ReadSingles(string name, long firstElement, Span<float> destination);
}
