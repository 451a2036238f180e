using System.Buffers;
using System.Text;
using TensorCompress.Threading;

namespace TensorCompress.Storage.Gguf;

/// <summary>A tensor that is written.</summary>
/// <param name="Name">GGUF name.</param>
/// <param name="Shape">Row-major dimensions.</param>
/// <param name="Type">Stored type; the last dimension is whole blocks of it.</param>
/// <param name="Read">Opens the values; called once, when the tensor's turn has come.</param>
internal sealed record GgufTensorContent(string Name, IReadOnlyList<long> Shape, GgufTensorType Type, Func<IGgufValues> Read)
{
    public long ElementCount => Shape.Aggregate(1L, (product, dimension) => checked(product * dimension));

    public long ByteLength => Type.ByteLength(ElementCount);
}

/// <summary>The values of a tensor while it is written; read by several threads.</summary>
internal interface IGgufValues : IDisposable
{
    /// <summary>Reads consecutive elements in the order of the file.</summary>
    void Read(long firstElement, Span<float> destination);
}

/// <summary>Writes GGUF files of version 3, little-endian. The file appears whole or not at all.</summary>
internal static class GgufWriter
{
    private const uint Magic = 0x46554747; // "GGUF"
    private const uint Version = 3;
    private const int Alignment = 32;
    private const int ChunkValues = 1 << 20;

    /// <summary>Writes a file; one that is there is replaced.</summary>
    /// <param name="path">Its name.</param>
    /// <param name="metadata">The key-value part.</param>
    /// <param name="tensors">The tensors in the order of the file.</param>
    /// <param name="pool">Threads that read and encode.</param>
    /// <param name="written">Told the number of tensors that are written; may be null.</param>
    /// <param name="cancellationToken">Looked at between tensors.</param>
    public static void Write(
        string path, GgufMetadataBuilder metadata, IReadOnlyList<GgufTensorContent> tensors, ComputePool pool, Action<int>? written, CancellationToken cancellationToken)
    {
        foreach (GgufTensorContent tensor in tensors)
        {
            if (Encoding.UTF8.GetByteCount(tensor.Name) > GgufFile.MaxNameBytes) throw new ArgumentException($"The name {tensor.Name} has more than {GgufFile.MaxNameBytes} bytes.", nameof(tensors));
            if (tensor.Shape[^1] % tensor.Type.BlockValues != 0)
                throw new ArgumentException($"Rows of {tensor.Shape[^1]} values are no whole blocks of {tensor.Type.BlockValues} ({tensor.Type.Name}) in {tensor.Name}.", nameof(tensors));
        }

        DurableFile.Write(path, stream =>
        {
            long position = WriteHeader(stream, metadata, tensors);
            for (int i = 0; i < tensors.Count; i++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                stream.Write(new byte[Padding(position)]);
                WriteData(stream, tensors[i], pool);
                position += Padding(position) + tensors[i].ByteLength;
                written?.Invoke(i + 1);
            }

            stream.Write(new byte[Padding(position)]);
        });
    }

    private static long WriteHeader(Stream stream, GgufMetadataBuilder metadata, IReadOnlyList<GgufTensorContent> tensors)
    {
        using var header = new MemoryStream();
        GgufMetadataBuilder.Write(header, Magic);
        GgufMetadataBuilder.Write(header, Version);
        GgufMetadataBuilder.Write(header, (ulong)tensors.Count);
        GgufMetadataBuilder.Write(header, (ulong)metadata.Count);
        metadata.WriteTo(header);
        long offset = 0;
        foreach (GgufTensorContent tensor in tensors)
        {
            GgufMetadataBuilder.WriteText(header, Encoding.UTF8.GetBytes(tensor.Name));
            GgufMetadataBuilder.Write(header, (uint)tensor.Shape.Count);
            foreach (long dimension in tensor.Shape.Reverse()) GgufMetadataBuilder.Write(header, (ulong)dimension);
            GgufMetadataBuilder.Write(header, tensor.Type.Id);
            GgufMetadataBuilder.Write(header, (ulong)offset);
            offset += tensor.ByteLength;
            offset += Padding(offset);
        }

        header.WriteTo(stream);
        return header.Length;
    }

    private static void WriteData(Stream stream, GgufTensorContent tensor, ComputePool pool)
    {
        using IGgufValues values = tensor.Read();
        long rowLength = tensor.Shape[^1], rows = rowLength == 0 ? 0 : tensor.ElementCount / rowLength;
        long rowsAtATime = Math.Max(1, ChunkValues / Math.Max(rowLength, 1));
        int rowBytes = checked((int)tensor.Type.ByteLength(rowLength));
        byte[] encoded = ArrayPool<byte>.Shared.Rent(checked((int)Math.Min(rowsAtATime, rows) * rowBytes));
        try
        {
            for (long first = 0; first < rows; first += rowsAtATime)
            {
                long count = Math.Min(rowsAtATime, rows - first), start = first;
                pool.For((nint)count, nint.Max(1, (nint)(count / (4 * pool.Threads))), (from, to) =>
                {
                    var row = new float[rowLength];
                    for (nint i = from; i < to; i++)
                    {
                        values.Read((start + i) * rowLength, row);
                        tensor.Type.Encode(row, encoded.AsSpan((int)i * rowBytes, rowBytes));
                    }
                });
                stream.Write(encoded, 0, (int)count * rowBytes);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(encoded);
        }
    }

    private static int Padding(long position) => (int)((Alignment - position % Alignment) % Alignment);
}
