using TensorCompress.Tensors;

namespace TensorCompress.Compression;

/// <summary>One tensor of a compressed weight, as a file holds it under <c>&lt;layer&gt;.&lt;method&gt;.&lt;part&gt;</c>.</summary>
/// <param name="Name">The part's name, for instance <c>core0</c>.</param>
/// <param name="ElementType">Type of the stored elements.</param>
/// <param name="Shape">Row-major dimensions.</param>
/// <param name="Write">Writes exactly <see cref="ByteLength"/> little-endian bytes.</param>
public sealed record WeightPart(string Name, ElementType ElementType, IReadOnlyList<long> Shape, Action<Stream> Write)
{
    /// <summary>Bytes that the part takes in a file.</summary>
    public long ByteLength => checked(Shape.Aggregate(1L, (product, dimension) => product * dimension) * ElementType.BitWidth() / 8);
}
