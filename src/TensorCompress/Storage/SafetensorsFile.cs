using System.Buffers;
using System.Buffers.Binary;

namespace TensorCompress.Storage;

/// <summary>A safetensors file, read by random access: only the header is held in memory. Safe for concurrent readers.</summary>
/// <remarks>Format: 64-bit little-endian length of a JSON header, the header, the data. Everything is checked when it is opened; values are not (NaN passes).</remarks>
public sealed class SafetensorsFile : ITensorSource
{
    private readonly ByteSource _bytes;
    private readonly SafetensorsHeader _header;
    private readonly long _dataStart;

    private SafetensorsFile(ByteSource bytes)
    {
        _bytes = bytes;
        if (bytes.Length < 8) throw Fault(TensorFormatError.Truncated, $"{bytes.Length} bytes; a file has at least 8");
        Span<byte> lengthBytes = stackalloc byte[8];
        bytes.Read(0, lengthBytes);
        ulong length = BinaryPrimitives.ReadUInt64LittleEndian(lengthBytes);
        if (length > SafetensorsHeader.MaxHeaderBytes) throw Fault(TensorFormatError.Limit, $"a header of {length} bytes; at most {SafetensorsHeader.MaxHeaderBytes} are read");
        if ((long)length > bytes.Length - 8) throw Fault(TensorFormatError.Truncated, $"a header of {length} bytes in a file of {bytes.Length}");
        byte[] header = ArrayPool<byte>.Shared.Rent((int)length);
        try
        {
            bytes.Read(8, header.AsSpan(0, (int)length));
            _header = SafetensorsHeader.Parse(header.AsSpan(0, (int)length), bytes.Length - 8 - (long)length, bytes.Path);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(header);
        }

        _dataStart = 8 + (long)length;
    }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, TensorInfo> Tensors => _header.Tensors;

    /// <summary>The texts of <c>__metadata__</c>.</summary>
    public IReadOnlyDictionary<string, string> Metadata => _header.Metadata;

    /// <summary>Oddities that do no harm.</summary>
    public IReadOnlyList<string> Warnings => _header.Warnings;

    /// <summary>Bytes of the whole file.</summary>
    public long Length => _bytes.Length;

    /// <summary>Opens a file.</summary>
    /// <exception cref="FileNotFoundException">There is none.</exception>
    /// <exception cref="TensorFormatException">It is not a whole, well-formed safetensors file.</exception>
    public static SafetensorsFile Open(string path) => Open(ByteSource.OpenFile(path));

    /// <summary>Opens a seekable stream, which the caller keeps open and closes.</summary>
    /// <inheritdoc cref="Open(string)"/>
    public static SafetensorsFile Open(Stream stream) => Open(ByteSource.OfStream(stream));

    /// <summary>Opens a file in memory.</summary>
    /// <inheritdoc cref="Open(string)"/>
    public static SafetensorsFile Open(ReadOnlyMemory<byte> bytes) => Open(ByteSource.OfMemory(bytes));

    /// <inheritdoc/>
    public void ReadBytes(string name, long offset, Span<byte> destination)
    {
        TensorRange range = _header.Ranges.TryGetValue(name, out TensorRange found) ? found : throw new KeyNotFoundException($"There is no tensor {name}.");
        if (offset < 0 || offset > range.End - range.Begin - destination.Length)
            throw new ArgumentOutOfRangeException(nameof(offset), offset, $"{destination.Length} bytes from {offset} leave the tensor {name} of {range.End - range.Begin} bytes.");
        _bytes.Read(_dataStart + range.Begin + offset, destination);
    }

    /// <inheritdoc/>
    public void ReadSingles(string name, long firstElement, Span<float> destination) => TensorReading.ReadSingles(this, name, firstElement, destination);

    /// <summary>Closes the file.</summary>
    public void Dispose() => _bytes.Dispose();

    private static SafetensorsFile Open(ByteSource bytes)
    {
        try
        {
            return new SafetensorsFile(bytes);
        }
        catch
        {
            bytes.Dispose();
            throw;
        }
    }

    private TensorFormatException Fault(TensorFormatError kind, string reason) => new(kind, reason, _bytes.Path, offset: 0);
}
