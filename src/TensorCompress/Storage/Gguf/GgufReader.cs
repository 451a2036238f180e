using System.Buffers.Binary;
using System.Text;

namespace TensorCompress.Storage.Gguf;

/// <summary>Reads the header of a GGUF file front to back through a buffer; every count is compared with the bytes that remain before anything is made of it.</summary>
internal sealed class GgufReader(ByteSource bytes)
{
    private const int BufferBytes = 1 << 16;

    private readonly byte[] _buffer = new byte[BufferBytes];
    private long _bufferStart;
    private int _bufferLength;

    public long Position { get; private set; }

    public long Remaining => bytes.Length - Position;

    public byte Byte() => Take(1)[0];

    public ushort UInt16() => BinaryPrimitives.ReadUInt16LittleEndian(Take(2));

    public uint UInt32() => BinaryPrimitives.ReadUInt32LittleEndian(Take(4));

    public ulong UInt64() => BinaryPrimitives.ReadUInt64LittleEndian(Take(8));

    /// <summary>A length-prefixed text.</summary>
    /// <param name="limit">Bytes at most.</param>
    /// <param name="what">What it is, for messages.</param>
    /// <param name="tooLong">What a longer one is called.</param>
    public byte[] Text(long limit, string what, TensorFormatError tooLong = TensorFormatError.Limit)
    {
        ulong length = UInt64();
        if (length > (ulong)Remaining) throw Fault(TensorFormatError.Truncated, $"{what} of {length} bytes, {Remaining} are left");
        if (length > (ulong)limit) throw Fault(tooLong, $"{what} of {length} bytes; at most {limit} are read");
        return Bytes((long)length);
    }

    /// <summary>Bytes whose number has been compared with those that remain.</summary>
    public byte[] Bytes(long count)
    {
        if (count > Remaining) throw Fault(TensorFormatError.Truncated, $"{count} bytes are needed, {Remaining} are left");
        var content = new byte[count];
        int done = 0;
        while (done < content.Length)
        {
            ReadOnlySpan<byte> piece = Take(Math.Min(BufferBytes, content.Length - done));
            piece.CopyTo(content.AsSpan(done));
            done += piece.Length;
        }

        return content;
    }

    /// <summary>Text that people see: strict UTF-8.</summary>
    /// <param name="limit">Bytes at most.</param>
    /// <param name="what">What it is, for messages.</param>
    /// <param name="tooLong">What a longer one is called.</param>
    public string Name(long limit, string what, TensorFormatError tooLong = TensorFormatError.Limit)
    {
        byte[] utf8 = Text(limit, what, tooLong);
        if (!System.Text.Unicode.Utf8.IsValid(utf8)) throw Fault(TensorFormatError.Encoding, $"{what} is not valid UTF-8");
        string name = Encoding.UTF8.GetString(utf8);
        return name.Length > 0 && !name.Any(char.IsControl) ? name : throw Fault(TensorFormatError.Name, $"{what} is empty or has control characters");
    }

    /// <summary>A count of things that take at least a number of bytes each.</summary>
    public long Count(ulong declared, int leastBytes, long limit, string what)
    {
        if (declared > (ulong)limit) throw Fault(TensorFormatError.Limit, $"{declared} {what}; at most {limit} are read");
        if (declared > (ulong)(Remaining / leastBytes)) throw Fault(TensorFormatError.Truncated, $"{declared} {what} do not fit into the {Remaining} bytes that are left");
        return (long)declared;
    }

    public TensorFormatException Fault(TensorFormatError kind, string reason, string? tensor = null) => new(kind, reason, bytes.Path, tensor, Position);

    private ReadOnlySpan<byte> Take(int count)
    {
        if (count > Remaining) throw Fault(TensorFormatError.Truncated, $"{count} bytes are needed, {Remaining} are left");
        long offset = Position - _bufferStart;
        if (offset + count > _bufferLength)
        {
            _bufferStart = Position;
            _bufferLength = (int)Math.Min(BufferBytes, bytes.Length - Position);
            bytes.Read(_bufferStart, _buffer.AsSpan(0, _bufferLength));
            offset = 0;
        }

        Position += count;
        return _buffer.AsSpan((int)offset, count);
    }
}
