using System.Buffers;
using TensorCompress.Storage;
using TensorCompress.Tensors;

namespace TensorCompress.Pipeline;

/// <summary>Tensors of which some have their rows or columns in another order, element by element the same bits.</summary>
/// <param name="source">The tensors as they are; stays the caller's.</param>
/// <param name="orders">Orders by tensor: index k is index <c>Order[k]</c> of the source, of the first dimension or of the last.</param>
internal sealed class ReorderedTensors(ITensorSource source, IReadOnlyDictionary<string, (bool IsFirst, int[] Order)> orders) : ITensorSource
{
    public IReadOnlyDictionary<string, TensorInfo> Tensors => source.Tensors;

    public void ReadBytes(string name, long offset, Span<byte> destination)
    {
        if (!orders.TryGetValue(name, out (bool IsFirst, int[] Order) order))
        {
            source.ReadBytes(name, offset, destination);
            return;
        }

        TensorInfo tensor = source.Tensors[name];
        if (offset < 0 || offset > tensor.ByteLength - destination.Length)
            throw new ArgumentOutOfRangeException(nameof(offset), offset, $"{destination.Length} bytes from {offset} leave the tensor {name} of {tensor.ByteLength} bytes.");
        int size = tensor.ElementType.BitWidth() / 8;
        Read(tensor, order, size, offset, destination, source.ReadBytes);
    }

    public void ReadSingles(string name, long firstElement, Span<float> destination)
    {
        if (!orders.TryGetValue(name, out (bool IsFirst, int[] Order) order))
        {
            source.ReadSingles(name, firstElement, destination);
            return;
        }

        TensorInfo tensor = source.Tensors[name];
        if (firstElement < 0 || firstElement > tensor.ElementCount - destination.Length)
            throw new ArgumentOutOfRangeException(nameof(firstElement), firstElement, $"{destination.Length} elements from {firstElement} leave the tensor {name} of {tensor.ElementCount}.");
        Read(tensor, order, 1, firstElement, destination, source.ReadSingles);
    }

    /// <summary>The source is the caller's.</summary>
    public void Dispose()
    {
    }

    private delegate void Reader<T>(string name, long first, Span<T> destination);

    /// <summary>Reads row by row of the reordered tensor; <paramref name="size"/> is what an element takes in units of T.</summary>
    private static void Read<T>(TensorInfo tensor, (bool IsFirst, int[] Order) order, int size, long first, Span<T> destination, Reader<T> read)
    {
        long length = (order.IsFirst ? tensor.ElementCount / order.Order.Length : order.Order.Length) * size;
        T[] row = order.IsFirst ? [] : ArrayPool<T>.Shared.Rent((int)length);
        while (!destination.IsEmpty)
        {
            (long index, long within) = Math.DivRem(first, length);
            int count = (int)Math.Min(destination.Length, length - within);
            if (order.IsFirst)
            {
                read(tensor.Name, order.Order[index] * length + within, destination[..count]);
            }
            else
            {
                read(tensor.Name, index * length, row.AsSpan(0, (int)length));
                for (int i = 0; i < count; i++) destination[i] = row[order.Order[(within + i) / size] * size + (within + i) % size];
            }

            destination = destination[count..];
            first += count;
        }

        if (!order.IsFirst) ArrayPool<T>.Shared.Return(row);
    }
}
