using System.Buffers;
using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using TensorCompress.Storage;
using TensorCompress.Tensors;

namespace TensorCompress.Compression;

/// <summary>
/// SHA-256 over a tensor's name, type, shape and bytes, so that two tensors cannot be exchanged unseen: UTF-8 name, 0, type name, 0, the dimensions and their number as
/// little-endian 64-bit integers (number first), then the stored bytes.
/// </summary>
public static class TensorHash
{
    private const int BlockBytes = 1 << 20;

    /// <summary>The hash of a tensor in a file, lower-case hexadecimal.</summary>
    public static string Compute(ITensorSource source, string name, CancellationToken cancellationToken = default)
    {
        TensorInfo tensor = source.Tensors[name];
        using IncrementalHash hash = Begin(tensor);
        byte[] block = ArrayPool<byte>.Shared.Rent(BlockBytes);
        try
        {
            for (long offset = 0; offset < tensor.ByteLength; offset += BlockBytes)
            {
                cancellationToken.ThrowIfCancellationRequested();
                Span<byte> piece = block.AsSpan(0, (int)Math.Min(BlockBytes, tensor.ByteLength - offset));
                source.ReadBytes(name, offset, piece);
                hash.AppendData(piece);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(block);
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static IncrementalHash Begin(TensorInfo tensor)
    {
        var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes(tensor.Name + "\0" + tensor.ElementType.Name() + "\0"));
        Span<byte> number = stackalloc byte[8];
        foreach (long value in tensor.Shape.Prepend(tensor.Shape.Count))
        {
            BinaryPrimitives.WriteInt64LittleEndian(number, value);
            hash.AppendData(number);
        }

        return hash;
    }
}
