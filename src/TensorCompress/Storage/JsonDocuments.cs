using System.Text.Json;
using System.Text.Unicode;

namespace TensorCompress.Storage;

/// <summary>Reads the JSON files of a checkpoint with bounds: one kind of exception, whatever is wrong.</summary>
public static class JsonDocuments
{
    /// <summary>The largest configuration that is read.</summary>
    public const long MaxConfigurationBytes = 16 << 20;

    private const int MaxDepth = 64;

    /// <summary>Reads a file whose root is an object.</summary>
    /// <param name="path">The file.</param>
    /// <param name="maxBytes">Bytes at most.</param>
    /// <exception cref="TensorFormatException">It is too large, not valid JSON, nested too deep, or has a key twice.</exception>
    public static JsonDocument Read(string path, long maxBytes = MaxConfigurationBytes)
    {
        using ByteSource source = ByteSource.OpenFile(path);
        if (source.Length > maxBytes) throw new TensorFormatException(TensorFormatError.Limit, $"{source.Length} bytes; at most {maxBytes} are read", path);
        var bytes = new byte[source.Length];
        source.Read(0, bytes);
        return Parse(bytes, path);
    }

    /// <summary>Parses a text whose root is an object.</summary>
    /// <inheritdoc cref="Read"/>
    public static JsonDocument Parse(ReadOnlyMemory<byte> utf8, string? path)
    {
        if (!Utf8.IsValid(utf8.Span)) throw new TensorFormatException(TensorFormatError.Encoding, "not valid UTF-8", path);
        JsonDocument document;
        try
        {
            CheckTokens(utf8.Span, path);
            document = JsonDocument.Parse(utf8, new JsonDocumentOptions { MaxDepth = MaxDepth, AllowDuplicateProperties = false });
        }
        catch (JsonException fault)
        {
            TensorFormatError kind = fault.Message.Contains("duplicate", StringComparison.OrdinalIgnoreCase) ? TensorFormatError.Duplicate : TensorFormatError.Encoding;
            throw new TensorFormatException(kind, "not valid JSON: " + fault.Message, path, innerException: fault);
        }
        catch (InvalidOperationException fault) // a lone surrogate
        {
            throw new TensorFormatException(TensorFormatError.Encoding, "text that is not valid Unicode", path, innerException: fault);
        }

        if (document.RootElement.ValueKind == JsonValueKind.Object) return document;
        document.Dispose();
        throw new TensorFormatException(TensorFormatError.Structure, "the root is not an object", path);
    }

    // Depth, and escapes: a lone surrogate would otherwise come out as an InvalidOperationException wherever the text is asked for.
    private static void CheckTokens(ReadOnlySpan<byte> utf8, string? path)
    {
        var reader = new Utf8JsonReader(utf8, new JsonReaderOptions { MaxDepth = MaxDepth + 1 });
        while (reader.Read())
        {
            if (reader.CurrentDepth == MaxDepth && reader.TokenType is JsonTokenType.StartObject or JsonTokenType.StartArray)
                throw new TensorFormatException(TensorFormatError.Limit, $"nested deeper than {MaxDepth} levels", path, offset: reader.TokenStartIndex);
            if (reader.ValueIsEscaped) _ = reader.GetString();
        }
    }
}
