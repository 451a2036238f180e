namespace TensorCompress.Storage;

/// <summary>Takes tensors one by one, in any order of names, for a file that is published only when it is whole.</summary>
public interface ITensorSink
{
    /// <summary>Adds a tensor whose bytes are written by a callback in one or more pieces.</summary>
    /// <param name="tensor">Name, type and shape; the name must be new.</param>
    /// <param name="write">Called once with the stream that takes exactly <c>tensor.ByteLength</c> bytes.</param>
    void Add(TensorInfo tensor, Action<Stream> write);

    /// <summary>Adds a tensor from memory.</summary>
    void Add(TensorInfo tensor, ReadOnlySpan<byte> bytes);
}
