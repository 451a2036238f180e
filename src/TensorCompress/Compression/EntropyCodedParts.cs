using System.Text.Json.Nodes;
using TensorCompress.Storage;
using TensorCompress.Tensors;

namespace TensorCompress.Compression;

/// <summary>
/// The parts of a weight that its file holds entropy coded: as U8 [bytes] under the part's name, shorter than the part. The parameter <c>entropy_coded</c> has the bytes of each; a weight without such parts does not
/// have it. In memory a weight has its parts as they are without.
/// </summary>
internal sealed class EntropyCodedParts
{
    private const string Parameter = "entropy_coded";

    private readonly SortedDictionary<string, byte[]> _streams = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _declared = [];

    /// <summary>Writes the numbers of a part.</summary>
    public delegate void Encoding(ref EntropyEncoder encoder);

    /// <summary>Reads the numbers of a part into zeros.</summary>
    public delegate void Decoding(ref EntropyDecoder decoder, Span<byte> part);

    /// <summary>None.</summary>
    public static EntropyCodedParts None { get; } = new();

    /// <summary>Bits of a part in a file, and those of them that fill bytes: a coded part has none.</summary>
    /// <param name="part">Its name.</param>
    /// <param name="numbers">Bits of its numbers if it is not coded.</param>
    /// <param name="padding">Bits that then fill bytes.</param>
    public (long Numbers, long Padding) BitsOf(string part, long numbers, long padding) => _streams.TryGetValue(part, out byte[]? stream) ? (8L * stream.Length, 0) : (numbers, padding);

    /// <summary>Codes a part, if that makes it smaller.</summary>
    public void Add(string part, long plainBytes, Encoding encoding)
    {
        var encoder = new EntropyEncoder();
        encoding(ref encoder);
        byte[] stream = encoder.Complete();
        if (stream.Length < plainBytes) _streams.Add(part, stream);
    }

    /// <summary>What a file holds of parts.</summary>
    public IEnumerable<WeightPart> Of(IEnumerable<WeightPart> parts) =>
        parts.Select(part => _streams.TryGetValue(part.Name, out byte[]? stream) ? new WeightPart(part.Name, ElementType.U8, [stream.Length], file => file.Write(stream)) : part);

    /// <summary>Says in parameters which parts are coded.</summary>
    public JsonObject AddTo(JsonObject parameters)
    {
        if (_streams.Count > 0) parameters.Add(Parameter, new JsonObject(_streams.Select(entry => new KeyValuePair<string, JsonNode?>(entry.Key, entry.Value.Length))));
        return parameters;
    }

    /// <summary>In words, for people; null where nothing is coded.</summary>
    /// <param name="parts">The parts as they are without.</param>
    public string? Describe(IEnumerable<WeightPart> parts)
    {
        string[] coded = [.. parts.Where(part => _streams.ContainsKey(part.Name)).Select(part => $"{part.Name} {_streams[part.Name].Length:N0} of {part.ByteLength:N0} bytes")];
        return coded.Length == 0 ? null : string.Join(", ", coded);
    }

    /// <summary>Reads which parts are coded.</summary>
    /// <exception cref="TensorFormatException">The parameter is not what it should be.</exception>
    public static EntropyCodedParts Read(StoredWeight stored)
    {
        var parts = new EntropyCodedParts();
        if (!stored.Parameters.TryGetPropertyValue(Parameter, out JsonNode? node)) return parts;
        if (node is not JsonObject lengths) throw stored.Fault(TensorFormatError.Structure, $"parameter \"{Parameter}\" is not an object");
        foreach ((string part, JsonNode? length) in lengths)
        {
            if (length is not JsonValue number || !number.TryGetValue(out int bytes) || bytes < 1) throw stored.Fault(TensorFormatError.Value, $"the bytes of \"{part}\" in parameter \"{Parameter}\" are not a positive integer");
            parts._declared.Add(part, bytes);
        }

        return parts;
    }

    /// <summary>Reads a part of known type and shape, coded or not.</summary>
    /// <param name="stored">The weight.</param>
    /// <param name="method">Whose part it is.</param>
    /// <param name="part">Its name.</param>
    /// <param name="type">The type that it has if it is not coded.</param>
    /// <param name="decoding">Reads its numbers; called when the sizes are known to fit.</param>
    /// <param name="shape">The shape that it has if it is not coded.</param>
    /// <returns>Its bytes as they are if it is not coded, one row for each index of the first dimension.</returns>
    /// <exception cref="TensorFormatException">It does not fit; a stream is of a length that cannot be, cut, longer than its numbers, or not what an encoder writes.</exception>
    public Matrix<byte> ReadBytes(StoredWeight stored, ICompressionMethod method, string part, ElementType type, Decoding decoding, params ReadOnlySpan<long> shape)
    {
        if (!_declared.Remove(part, out int length)) return stored.ReadBytes(method, part, type, shape);
        string name = StoredParts.TensorName(stored.Layer, method, part);
        long plainBytes = new TensorInfo(name, type, shape.ToArray()).ByteLength;
        if (length >= plainBytes || plainBytes > (long)length * EntropyDecoder.MostBytesOfByte) throw stored.Fault(TensorFormatError.Value, $"{length} entropy-coded bytes cannot stand for {plainBytes}", name);
        using Matrix<byte> bytes = stored.ReadBytes(method, part, ElementType.U8, length);
        byte[] stream = bytes.RowSpan(0, bytes.Rows).ToArray();
        var decoder = new EntropyDecoder(stream);
        var plain = new Matrix<byte>((nint)shape[0], (nint)(plainBytes / shape[0]));
        try
        {
            decoding(ref decoder, plain.RowSpan(0, plain.Rows));
            if (decoder.IsCut) throw stored.Fault(TensorFormatError.Truncated, $"the entropy-coded numbers of {plainBytes} bytes do not end within {length} bytes", name);
            if (decoder.BytesLeft > 0) throw stored.Fault(TensorFormatError.Trailing, $"{decoder.BytesLeft} bytes after the entropy-coded numbers", name);
            if (!decoder.IsWhole) throw stored.Fault(TensorFormatError.Value, "the entropy-coded numbers do not end as they were written", name);
        }
        catch
        {
            plain.Dispose();
            throw;
        }

        _streams.Add(part, stream);
        return plain;
    }

    /// <summary>Refuses names that are no part or a part that cannot be coded.</summary>
    public void ThrowIfUnknown(StoredWeight stored)
    {
        if (_declared.Count > 0) throw stored.Fault(TensorFormatError.Value, $"parameter \"{Parameter}\" names \"{_declared.Keys.First()}\", which is not a part that can be coded");
    }
}
