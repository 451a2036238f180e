using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using TensorCompress.Tensors;

namespace TensorCompress.Storage;

/// <summary>Where a tensor's bytes lie, counted from the end of the header.</summary>
internal readonly record struct TensorRange(long Begin, long End);

/// <summary>The checked header of a safetensors file: JSON that maps names to type, shape and byte range.</summary>
internal sealed class SafetensorsHeader
{
    public const long MaxHeaderBytes = 100_000_000;
    public const int MaxRank = 64;
    public const int MaxNameBytes = 65_535;
    public const int MaxTensors = 1_000_000;

    private const int MaxDepth = 64;
    private const int MaxWarnings = 100;
    private const int MaxTextInWarning = 120;

    private readonly string? _file;
    private readonly List<(TensorInfo Info, TensorRange Range)> _entries = [];

    private ElementType? _lastType; // most tensors of a file have the same

    private SafetensorsHeader(string? file) => _file = file;

    public Dictionary<string, TensorInfo> Tensors { get; } = [];

    public Dictionary<string, TensorRange> Ranges { get; } = [];

    public Dictionary<string, string> Metadata { get; } = [];

    public List<string> Warnings { get; } = [];

    /// <summary>Parses and checks a header.</summary>
    /// <param name="utf8">The JSON text.</param>
    /// <param name="dataLength">Bytes of the file after the header.</param>
    /// <param name="file">Path for messages.</param>
    public static SafetensorsHeader Parse(ReadOnlySpan<byte> utf8, long dataLength, string? file)
    {
        var header = new SafetensorsHeader(file);
        if (!Utf8.IsValid(utf8)) throw header.Fault(TensorFormatError.Encoding, "the header is not valid UTF-8");
        try
        {
            // Once through for the grammar, so that what is no JSON is called so, whatever else is wrong with it.
            var grammar = new Utf8JsonReader(utf8, new JsonReaderOptions { MaxDepth = MaxDepth });
            while (grammar.Read())
            {
            }

            var reader = new Utf8JsonReader(utf8, new JsonReaderOptions { MaxDepth = MaxDepth });
            header.ReadRoot(ref reader);
        }
        catch (JsonException fault)
        {
            throw new TensorFormatException(TensorFormatError.Encoding, "the header is not valid JSON: " + fault.Message, file, offset: 8 + fault.BytePositionInLine, innerException: fault);
        }
        catch (InvalidOperationException fault) // a lone surrogate escape
        {
            throw new TensorFormatException(TensorFormatError.Encoding, "the header has text that is not valid Unicode", file, innerException: fault);
        }

        header.CheckRanges(dataLength);
        return header;
    }

    private void ReadRoot(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject) throw Fault(TensorFormatError.Structure, "the header is not an object");
        bool hasMetadata = false;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
        {
            string name = ReadName(ref reader);
            reader.Read();
            if (name == "__metadata__")
            {
                if (hasMetadata) throw Fault(TensorFormatError.Duplicate, "\"__metadata__\" stands twice");
                hasMetadata = true;
                ReadMetadata(ref reader);
                continue;
            }

            (TensorInfo info, TensorRange range) = ReadEntry(ref reader, name);
            if (!Tensors.TryAdd(name, info)) throw Fault(TensorFormatError.Duplicate, "the name stands twice", name);
            if (Tensors.Count > MaxTensors) throw Fault(TensorFormatError.Limit, $"more than {MaxTensors} tensors");
            _entries.Add((info, range));
        }
    }

    private string ReadName(ref Utf8JsonReader reader)
    {
        if (reader.ValueSpan.Length > 6L * MaxNameBytes) throw Fault(TensorFormatError.Limit, $"a name of {reader.ValueSpan.Length} bytes");
        string name = reader.GetString()!;
        if (Encoding.UTF8.GetByteCount(name) > MaxNameBytes) throw Fault(TensorFormatError.Limit, $"a name of more than {MaxNameBytes} bytes");
        if (HasControl(name)) throw Fault(TensorFormatError.Name, "a control character in the name", name);
        return name;
    }

    private static bool HasControl(string name)
    {
        foreach (char c in name)
        {
            if (char.IsControl(c)) return true;
        }

        return false;
    }

    private void ReadMetadata(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartObject) throw Fault(TensorFormatError.Structure, "\"__metadata__\" is not an object");
        while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
        {
            string key = reader.GetString()!;
            reader.Read();
            if (reader.TokenType != JsonTokenType.String) throw Fault(TensorFormatError.Structure, $"metadata \"{key}\" is not a text");
            if (!Metadata.TryAdd(key, reader.GetString()!)) throw Fault(TensorFormatError.Duplicate, $"metadata \"{key}\" stands twice");
        }
    }

    private (TensorInfo Info, TensorRange Range) ReadEntry(ref Utf8JsonReader reader, string name)
    {
        if (reader.TokenType != JsonTokenType.StartObject) throw Fault(TensorFormatError.Structure, "the entry is not an object", name);
        ElementType? type = null;
        Span<ulong> shape = stackalloc ulong[MaxRank], offsets = stackalloc ulong[2];
        int rank = -1, offsetCount = -1;
        HashSet<string>? unknown = null;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
        {
            // Known fields without making a text of them: there may be millions.
            string field = reader.ValueTextEquals("dtype"u8) ? "dtype" : reader.ValueTextEquals("shape"u8) ? "shape" : reader.ValueTextEquals("data_offsets"u8) ? "data_offsets" : reader.GetString()!;
            bool isNew = field switch
            {
                "dtype" => type is null,
                "shape" => rank < 0,
                "data_offsets" => offsetCount < 0,
                _ => (unknown ??= []).Add(field),
            };
            if (!isNew) throw Fault(TensorFormatError.Duplicate, $"\"{field}\" stands twice", name);
            reader.Read();
            switch (field)
            {
                case "dtype": type = ReadType(ref reader, name); break;
                case "shape": rank = ReadNumbers(ref reader, name, field, TensorFormatError.Shape, shape); break;
                case "data_offsets": offsetCount = ReadNumbers(ref reader, name, field, TensorFormatError.Offset, offsets); break;
                default:
                    Warn(name, field);
                    reader.Skip();
                    break;
            }
        }

        if (type is null || rank < 0 || offsetCount < 0)
            throw Fault(TensorFormatError.Structure, $"\"{(type is null ? "dtype" : rank < 0 ? "shape" : "data_offsets")}\" is missing", name);
        if (offsetCount != 2) throw Fault(TensorFormatError.Offset, $"\"data_offsets\" has {offsetCount} numbers, not 2", name);
        long[] dimensions = CheckShape(shape[..rank], name);
        return (new TensorInfo(name, type.Value, dimensions), CheckOffsets(type.Value, dimensions, offsets[0], offsets[1], name));
    }

    // Bounded: a long name with a million unknown fields would otherwise become a million long texts.
    private void Warn(string name, string field)
    {
        if (Warnings.Count < MaxWarnings) Warnings.Add($"tensor {Cut(name)} has the unknown field \"{Cut(field)}\", which is ignored");
        else if (Warnings.Count == MaxWarnings) Warnings.Add("more unknown fields are ignored");

        static string Cut(string text) => text.Length <= MaxTextInWarning ? text : text[..MaxTextInWarning] + "...";
    }

    private ElementType ReadType(ref Utf8JsonReader reader, string name)
    {
        if (reader.TokenType == JsonTokenType.String && _lastType is { } last && reader.ValueTextEquals(last.Name())) return last;
        string text = reader.TokenType == JsonTokenType.String ? reader.GetString()! : "";
        _lastType = ElementTypes.TryParse(text, out ElementType type) ? type : throw Fault(TensorFormatError.Type, $"the element type \"{text}\" is not known", name);
        return _lastType.Value;
    }

    /// <returns>How many there are.</returns>
    private int ReadNumbers(ref Utf8JsonReader reader, string name, string field, TensorFormatError kind, scoped Span<ulong> numbers)
    {
        if (reader.TokenType != JsonTokenType.StartArray) throw Fault(kind, $"\"{field}\" is not a list", name);
        int count = 0;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.Number || !IsPlainInteger(reader.ValueSpan) || !reader.TryGetUInt64(out ulong number))
                throw Fault(kind, $"\"{field}\" holds something that is not a whole number from 0 to 2^64 - 1", name);
            if (count == numbers.Length) throw Fault(field == "shape" ? TensorFormatError.Limit : kind, $"\"{field}\" has more than {numbers.Length} numbers", name);
            numbers[count++] = number;
        }

        return count;
    }

    private static bool IsPlainInteger(ReadOnlySpan<byte> token) => token.IndexOfAnyExceptInRange((byte)'0', (byte)'9') < 0;

    private long[] CheckShape(ReadOnlySpan<ulong> shape, string name)
    {
        // A count that fits has only dimensions that fit.
        if (CheckedSizes.ElementCount(shape) is null) throw Fault(TensorFormatError.Overflow, $"shape [{string.Join(", ", shape.ToArray())}] has too many elements", name);
        var dimensions = new long[shape.Length];
        for (int i = 0; i < shape.Length; i++) dimensions[i] = (long)shape[i];
        return dimensions;
    }

    private TensorRange CheckOffsets(ElementType type, long[] shape, ulong begin, ulong end, string name)
    {
        long bits = CheckedSizes.BitCount(CheckedSizes.ElementCount(MemoryMarshal.Cast<long, ulong>(shape))!.Value, type)
            ?? throw Fault(TensorFormatError.Overflow, $"shape [{string.Join(", ", shape)}] of {type.Name()} has too many bytes", name);
        if (bits % 8 != 0) throw Fault(TensorFormatError.Shape, $"{bits} bits are no whole number of bytes", name);
        if (begin > end) throw Fault(TensorFormatError.Offset, $"the data end at {end} before they begin at {begin}", name);
        if (end > long.MaxValue) throw Fault(TensorFormatError.Overflow, $"the data end at {end}", name);
        if ((long)(end - begin) != bits / 8)
            throw Fault(TensorFormatError.Size, $"{end - begin} bytes; shape [{string.Join(", ", shape)}] of {type.Name()} takes {bits / 8}", name);
        return new TensorRange((long)begin, (long)end);
    }

    // The data are covered exactly once, from 0 to the end of the file: no holes, no overlaps, nothing behind.
    private void CheckRanges(long dataLength)
    {
        long position = 0;
        if (!IsSorted()) _entries.Sort(static (first, second) => (first.Range.Begin, first.Range.End).CompareTo((second.Range.Begin, second.Range.End)));
        foreach ((TensorInfo info, TensorRange range) in _entries)
        {
            if (range.Begin != position)
                throw Fault(TensorFormatError.Offset, range.Begin > position ? $"a hole from {position} to {range.Begin}" : $"the data overlap others from {range.Begin} to {position}", info.Name);
            position = range.End;
            if (position > dataLength) throw Fault(TensorFormatError.Truncated, $"the data end at {range.End}, the file has {dataLength} bytes of data", info.Name);
        }

        if (position < dataLength) throw Fault(TensorFormatError.Trailing, $"{dataLength - position} bytes after the last tensor");
        Ranges.EnsureCapacity(_entries.Count);
        foreach ((TensorInfo info, TensorRange range) in _entries) Ranges.Add(info.Name, range);
        _entries.Clear();
        _entries.TrimExcess();
    }

    // As nearly every file is; sorting a million entries takes longer than reading them.
    private bool IsSorted()
    {
        for (int i = 1; i < _entries.Count; i++)
        {
            TensorRange before = _entries[i - 1].Range, range = _entries[i].Range;
            if (range.Begin < before.Begin || (range.Begin == before.Begin && range.End < before.End)) return false;
        }

        return true;
    }

    private TensorFormatException Fault(TensorFormatError kind, string reason, string? tensor = null) => new(kind, reason, _file, tensor);
}
