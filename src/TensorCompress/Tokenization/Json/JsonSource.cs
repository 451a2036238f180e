using System.Text;
using System.Text.Json;
using TensorCompress.Storage;

namespace TensorCompress.Tokenization.Json;

/// <summary>A JSON value within a file that is known to be well formed: read as it is asked for, so that large vocabularies are never held as a tree. All faults are <see cref="TensorFormatException"/>.</summary>
internal readonly struct JsonSource
{
    private JsonSource(ReadOnlyMemory<byte> utf8, long offset, string? fileName)
    {
        Utf8 = utf8;
        Offset = offset;
        FileName = fileName;
    }

    public ReadOnlyMemory<byte> Utf8 { get; }

    /// <summary>Where the value begins in the file.</summary>
    public long Offset { get; }

    public string? FileName { get; }

    public bool IsNull => Utf8.Span.SequenceEqual("null"u8);

    /// <summary>Checks that a file is UTF-8 and one JSON value, at most 64 levels deep.</summary>
    public static JsonSource Parse(ReadOnlyMemory<byte> file, string? fileName)
    {
        if (!System.Text.Unicode.Utf8.IsValid(file.Span)) throw new TensorFormatException(TensorFormatError.Encoding, "The file is not valid UTF-8.", fileName);
        try
        {
            var reader = new Utf8JsonReader(file.Span);
            reader.Read();
            int start = (int)reader.TokenStartIndex;
            reader.Skip();
            int end = (int)reader.BytesConsumed;
            while (reader.Read()) { }
            return new JsonSource(file[start..end], start, fileName);
        }
        catch (JsonException e)
        {
            throw new TensorFormatException(TensorFormatError.Encoding, "The file is not valid JSON: " + e.Message, fileName, innerException: e);
        }
    }

    public TensorFormatException Fault(TensorFormatError kind, string reason) => new(kind, reason, FileName, offset: Offset);

    /// <summary>The properties of an object.</summary>
    public JsonProperties Properties()
    {
        var properties = new Dictionary<string, JsonSource>(StringComparer.Ordinal);
        var reader = new Utf8JsonReader(Utf8.Span);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject) throw Fault(TensorFormatError.Structure, "An object is required here.");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string name = ReadString(ref reader);
            if (!properties.TryAdd(name, ReadValue(ref reader))) throw Fault(TensorFormatError.Duplicate, $"The property '{name}' stands twice.");
        }

        return new JsonProperties(this, properties);
    }

    /// <summary>The elements of an array, one by one.</summary>
    public IEnumerable<JsonSource> Items()
    {
        if (Utf8.Span[0] != '[') throw Fault(TensorFormatError.Structure, "An array is required here.");
        var state = new JsonReaderState();
        int position = ReadItem(0, ref state, out _); // the bracket
        while (true)
        {
            position = ReadItem(position, ref state, out JsonSource item);
            if (item.Utf8.IsEmpty) yield break;
            yield return item;
        }
    }

    public string String()
    {
        var reader = new Utf8JsonReader(Utf8.Span);
        if (!reader.Read() || reader.TokenType != JsonTokenType.String) throw Fault(TensorFormatError.Structure, "A text is required here.");
        return ReadString(ref reader);
    }

    public bool Boolean() => Utf8.Span switch
    {
        [(byte)'t', ..] => true,
        [(byte)'f', ..] => false,
        _ => throw Fault(TensorFormatError.Structure, "true or false is required here."),
    };

    /// <summary>An id: a whole number from 0 to 2^31 - 1, written without fraction and exponent.</summary>
    public int Id()
    {
        var reader = new Utf8JsonReader(Utf8.Span);
        reader.Read();
        return ReadId(ref reader);
    }

    /// <summary>A finite number.</summary>
    public double Number()
    {
        var reader = new Utf8JsonReader(Utf8.Span);
        reader.Read();
        return ReadNumber(ref reader);
    }

    public double ReadNumber(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.Number) throw At(ref reader, TensorFormatError.Structure, "A number is required here.");
        return reader.TryGetDouble(out double value) && double.IsFinite(value) ? value : throw At(ref reader, TensorFormatError.Value, $"The number {Encoding.UTF8.GetString(reader.ValueSpan)} is not finite.");
    }

    public string ReadString(ref Utf8JsonReader reader)
    {
        try
        {
            return reader.GetString()!;
        }
        catch (InvalidOperationException e)
        {
            throw At(ref reader, TensorFormatError.Encoding, "A text has half of a surrogate pair.", e);
        }
    }

    public int ReadId(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.Number) throw At(ref reader, TensorFormatError.Structure, "A number is required here.");
        return reader.TryGetInt32(out int id) && id >= 0 ? id : throw At(ref reader, TensorFormatError.Value, $"The id {Encoding.UTF8.GetString(reader.ValueSpan)} is not a whole number from 0 to {int.MaxValue}.");
    }

    /// <summary>A fault at the token that a reader over this value stands at.</summary>
    public TensorFormatException At(ref Utf8JsonReader reader, TensorFormatError kind, string reason, Exception? inner = null) =>
        new(kind, reason, FileName, offset: Offset + reader.TokenStartIndex, innerException: inner);

    private JsonSource ReadValue(ref Utf8JsonReader reader)
    {
        reader.Read();
        int start = (int)reader.TokenStartIndex;
        reader.Skip();
        return Slice(start, (int)reader.BytesConsumed);
    }

    private int ReadItem(int position, ref JsonReaderState state, out JsonSource item)
    {
        item = Slice(0, 0);
        var reader = new Utf8JsonReader(Utf8.Span[position..], isFinalBlock: true, state);
        reader.Read();
        bool isBracketOfThis = reader.CurrentDepth == 0 && reader.TokenType is JsonTokenType.StartArray or JsonTokenType.EndArray;
        if (position > 0 && !isBracketOfThis)
        {
            int start = position + (int)reader.TokenStartIndex;
            reader.Skip();
            item = Slice(start, position + (int)reader.BytesConsumed);
        }

        state = reader.CurrentState;
        return position + (int)reader.BytesConsumed;
    }

    private JsonSource Slice(int start, int end) => new(Utf8[start..end], Offset + start, FileName);
}
