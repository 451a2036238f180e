using System.Buffers.Binary;
using TensorCompress.Storage;

namespace TensorCompress.Tokenization.SentencePiece;

/// <summary>Reads the fields of one protobuf message. Groups, which nothing uses any more, and unknown wire types are refused; every length is checked against what is left.</summary>
internal ref struct ProtobufReader
{
    private const int MaxFieldNumber = (1 << 29) - 1;

    private readonly ReadOnlySpan<byte> _message;
    private readonly long _offset;
    private readonly string? _fileName;
    private int _at;
    private WireType _wireType;

    /// <summary>Begins with a message.</summary>
    /// <param name="message">Its bytes.</param>
    /// <param name="offset">Where it begins in the file, for messages.</param>
    /// <param name="fileName">The file, for messages.</param>
    public ProtobufReader(ReadOnlySpan<byte> message, long offset, string? fileName)
    {
        _message = message;
        _offset = offset;
        _fileName = fileName;
    }

    private enum WireType
    {
        Varint = 0,
        Fixed64 = 1,
        Bytes = 2,
        Fixed32 = 5,
    }

    /// <summary>Number of the current field.</summary>
    public int Field { get; private set; }

    /// <summary>Where the next byte is, in the file.</summary>
    public readonly long Offset => _offset + _at;

    /// <summary>Goes to the next field; its value must be read or skipped before the next call.</summary>
    public bool Next()
    {
        if (_at == _message.Length) return false;
        ulong tag = ReadVarint();
        if (tag >> 3 is 0 or > MaxFieldNumber) throw Fault($"The field number {tag >> 3} does not exist.");
        Field = (int)(tag >> 3);
        _wireType = (WireType)(tag & 7);
        return _wireType is WireType.Varint or WireType.Fixed64 or WireType.Bytes or WireType.Fixed32 ? true : throw Fault($"The wire type {tag & 7} is not supported.");
    }

    public void Skip()
    {
        switch (_wireType)
        {
            case WireType.Varint:
                ReadVarint();
                break;
            case WireType.Bytes:
                Bytes();
                break;
            default:
                Take(_wireType == WireType.Fixed64 ? 8 : 4);
                break;
        }
    }

    public ReadOnlySpan<byte> Bytes()
    {
        Require(WireType.Bytes);
        ulong length = ReadVarint();
        return length <= (ulong)(_message.Length - _at) ? Take((int)length) : throw Fault($"A field of {length} bytes needs more than the {_message.Length - _at} that are left.");
    }

    public string Text()
    {
        ReadOnlySpan<byte> bytes = Bytes();
        return System.Text.Unicode.Utf8.IsValid(bytes) ? System.Text.Encoding.UTF8.GetString(bytes) : throw Fault("A text is not valid UTF-8.");
    }

    public int Int()
    {
        Require(WireType.Varint);
        return (int)(long)ReadVarint(); // negative ones are written with 64 bits
    }

    public bool Flag()
    {
        Require(WireType.Varint);
        return ReadVarint() != 0;
    }

    public float Single()
    {
        Require(WireType.Fixed32);
        return BinaryPrimitives.ReadSingleLittleEndian(Take(4));
    }

    private ulong ReadVarint()
    {
        ulong value = 0;
        for (int shift = 0; shift < 70; shift += 7)
        {
            if (_at == _message.Length) throw Fault("The file ends within a number.");
            byte next = _message[_at++];
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80) return value;
        }

        throw Fault("A number has more than ten bytes.");
    }

    private ReadOnlySpan<byte> Take(int length)
    {
        if (length > _message.Length - _at) throw Fault($"A value of {length} bytes needs more than the {_message.Length - _at} that are left.");
        _at += length;
        return _message.Slice(_at - length, length);
    }

    private readonly void Require(WireType type)
    {
        if (_wireType != type) throw Fault($"The field {Field} has the wire type {(int)_wireType} instead of {(int)type}.");
    }

    private readonly TensorFormatException Fault(string reason) => new(TensorFormatError.Encoding, reason, _fileName, offset: Offset);
}
