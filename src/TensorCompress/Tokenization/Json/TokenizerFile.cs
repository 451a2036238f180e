using TensorCompress.Storage;

namespace TensorCompress.Tokenization.Json;

/// <summary>Reads small files whole, within a bound that is checked before memory is taken.</summary>
internal static class TokenizerFile
{
    public const long MaxTokenizerBytes = 256L << 20;

    public static byte[] ReadAllBytes(string path, long limit)
    {
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        if (stream.Length > limit) throw new TensorFormatException(TensorFormatError.Limit, $"The file has {stream.Length} bytes; at most {limit} are read.", path);
        var bytes = new byte[stream.Length];
        int read = stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        return read == bytes.Length ? bytes : throw new TensorFormatException(TensorFormatError.Truncated, $"The file has become shorter while it was read: {read} of {bytes.Length} bytes.", path);
    }
}
