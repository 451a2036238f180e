using System.Buffers;
using System.Runtime.InteropServices;
using TensorCompress.Kernels;
using TensorCompress.Tensors;

namespace TensorCompress.Storage;

/// <summary>Readings that every tensor source offers by its bytes.</summary>
public static class TensorReading
{
    private const int BlockBytes = 1 << 18;

    /// <summary>Writes a tensor's stored bytes to a stream.</summary>
    /// <param name="source">Where the tensor lies.</param>
    /// <param name="tensor">One of the source's tensors.</param>
    /// <param name="destination">Receives <see cref="TensorInfo.ByteLength"/> bytes.</param>
    /// <param name="cancellationToken">Looked at between blocks.</param>
    public static void CopyTo(this ITensorSource source, TensorInfo tensor, Stream destination, CancellationToken cancellationToken = default)
    {
        byte[] block = ArrayPool<byte>.Shared.Rent(BlockBytes);
        try
        {
            for (long offset = 0; offset < tensor.ByteLength; offset += BlockBytes)
            {
                cancellationToken.ThrowIfCancellationRequested();
                int count = (int)Math.Min(BlockBytes, tensor.ByteLength - offset);
                source.ReadBytes(tensor.Name, offset, block.AsSpan(0, count));
                destination.Write(block, 0, count);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(block);
        }
    }

    /// <summary>Reads bytes of a source whose tensors all read as floats: <see cref="ITensorSource.ReadBytes"/> by <see cref="ITensorSource.ReadSingles"/>.</summary>
    internal static void ReadBytesOfSingles(ITensorSource source, string name, long offset, Span<byte> destination)
    {
        TensorInfo tensor = source.Tensors.TryGetValue(name, out TensorInfo? found) ? found : throw new KeyNotFoundException($"There is no tensor {name}.");
        if (offset < 0 || offset > tensor.ByteLength - destination.Length)
            throw new ArgumentOutOfRangeException(nameof(offset), offset, $"{destination.Length} bytes from {offset} leave the tensor {name} of {tensor.ByteLength} bytes.");
        float[] block = ArrayPool<float>.Shared.Rent(BlockBytes / sizeof(float));
        try
        {
            while (!destination.IsEmpty)
            {
                // A byte range may begin and end inside an element.
                (long first, long within) = Math.DivRem(offset, sizeof(float));
                int count = (int)Math.Min(destination.Length, BlockBytes - within);
                Span<float> values = block.AsSpan(0, (int)(within + count + sizeof(float) - 1) / sizeof(float));
                source.ReadSingles(name, first, values);
                MemoryMarshal.AsBytes(values).Slice((int)within, count).CopyTo(destination);
                destination = destination[count..];
                offset += count;
            }
        }
        finally
        {
            ArrayPool<float>.Shared.Return(block);
        }
    }

    /// <summary>Reads elements of a source that stores plain elements: <see cref="ITensorSource.ReadSingles"/> by <see cref="ITensorSource.ReadBytes"/>.</summary>
    internal static void ReadSingles(ITensorSource source, string name, long firstElement, Span<float> destination)
    {
        TensorInfo tensor = source.Tensors.TryGetValue(name, out TensorInfo? found) ? found : throw new KeyNotFoundException($"There is no tensor {name}.");
        ElementType type = tensor.ElementType;
        if (firstElement < 0 || firstElement > tensor.ElementCount - destination.Length)
            throw new ArgumentOutOfRangeException(nameof(firstElement), firstElement, $"{destination.Length} elements from {firstElement} leave the tensor {name} of {tensor.ElementCount}.");
        if (type == ElementType.F32)
        {
            source.ReadBytes(name, firstElement * sizeof(float), MemoryMarshal.AsBytes(destination));
            return;
        }

        if (!type.IsNumeric()) throw new TensorFormatException(TensorFormatError.Unsupported, $"values of type {type.Name()} cannot be read as numbers", tensor: name);
        int size = type.BitWidth() / 8;
        byte[] block = ArrayPool<byte>.Shared.Rent(BlockBytes);
        try
        {
            int atATime = BlockBytes / size;
            for (int done = 0; done < destination.Length; done += atATime)
            {
                int count = Math.Min(atATime, destination.Length - done);
                Span<byte> bytes = block.AsSpan(0, count * size);
                source.ReadBytes(name, (firstElement + done) * size, bytes);
                ElementConversion.ToSingle(type, bytes, destination.Slice(done, count));
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(block);
        }
    }
}
