using System.Text;

namespace TensorCompress.Tokenization.Decoders;

/// <summary>Takes tokens one after the other and gives what it makes of them to the next stream; the last one collects bytes.</summary>
internal abstract class DecoderStream
{
    /// <summary>Takes the text of a token, or where the tokens before were joined a part of the text.</summary>
    public abstract void Append(ReadOnlySpan<char> token);

    /// <summary>Takes a byte that is part of a character.</summary>
    public abstract void AppendByte(byte value);

    /// <summary>Ends the text.</summary>
    public abstract void Flush();
}

/// <summary>Collects the text as UTF-8.</summary>
internal sealed class ByteCollector(List<byte> bytes) : DecoderStream
{
    public override void Append(ReadOnlySpan<char> token)
    {
        int length = Encoding.UTF8.GetByteCount(token);
        int start = bytes.Count;
        System.Runtime.InteropServices.CollectionsMarshal.SetCount(bytes, start + length);
        Encoding.UTF8.GetBytes(token, System.Runtime.InteropServices.CollectionsMarshal.AsSpan(bytes)[start..]);
    }

    public override void AppendByte(byte value) => bytes.Add(value);

    public override void Flush()
    {
    }
}
