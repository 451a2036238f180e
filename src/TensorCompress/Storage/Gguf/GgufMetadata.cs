using System.Text;

namespace TensorCompress.Storage.Gguf;

/// <summary>The key-value part of a GGUF file: numbers, truth values, texts, and lists of these.</summary>
public sealed class GgufMetadata
{
    private const long MaxTextBytes = 64L << 20;
    private const long MaxListTextBytes = (1L << 20) - 1; // a token or a merge
    private const int MaxKeyBytes = 65_535;
    private const long MaxArrayElements = 100_000_000;

    // Numbers as their own types, texts as byte[], lists as NumberList or byte[][]: no larger in memory than a small multiple of the file.
    private readonly Dictionary<string, object> _values = [];
    private readonly string? _file;

    internal GgufMetadata(GgufReader reader, long count, string? file)
    {
        _file = file;
        for (long i = 0; i < count; i++)
        {
            string key = reader.Name(MaxKeyBytes, "a key");
            object value = ReadValue(reader, reader.UInt32(), key);
            if (!_values.TryAdd(key, value)) throw reader.Fault(TensorFormatError.Duplicate, $"the key {key} stands twice");
        }
    }

    /// <summary>All keys.</summary>
    public IReadOnlyCollection<string> Keys => _values.Keys;

    /// <summary>An integer of any width, or null where the key is missing.</summary>
    /// <exception cref="TensorFormatException">The value is of another kind, or beyond 63 bits.</exception>
    public long? Integer(string key) => Get(key) switch
    {
        null => null,
        byte value => value,
        sbyte value => value,
        ushort value => value,
        short value => value,
        uint value => value,
        int value => value,
        long value => value,
        ulong value when value <= long.MaxValue => (long)value,
        ulong value => throw Fault(TensorFormatError.Value, key, $"{value} is too large"),
        _ => throw Fault(TensorFormatError.Type, key, "an integer is required"),
    };

    /// <summary>A number, or null where the key is missing.</summary>
    /// <exception cref="TensorFormatException">The value is of another kind.</exception>
    public double? Number(string key) => Get(key) switch
    {
        null => null,
        double value => value,
        float value => value,
        bool or byte[] or byte[][] or NumberList => throw Fault(TensorFormatError.Type, key, "a number is required"),
        object value => Convert.ToDouble(value, System.Globalization.CultureInfo.InvariantCulture),
    };

    /// <summary>A truth value, or null where the key is missing.</summary>
    /// <exception cref="TensorFormatException">The value is of another kind.</exception>
    public bool? Flag(string key) => Get(key) switch
    {
        null => null,
        bool value => value,
        _ => throw Fault(TensorFormatError.Type, key, "a truth value is required"),
    };

    /// <summary>A text, or null where the key is missing.</summary>
    /// <exception cref="TensorFormatException">The value is of another kind, or not valid UTF-8.</exception>
    public string? Text(string key) => Get(key) switch
    {
        null => null,
        byte[] value when System.Text.Unicode.Utf8.IsValid(value) => Encoding.UTF8.GetString(value),
        byte[] => throw Fault(TensorFormatError.Encoding, key, "the text is not valid UTF-8"),
        _ => throw Fault(TensorFormatError.Type, key, "a text is required"),
    };

    /// <summary>A list of texts (invalid UTF-8 becomes U+FFFD), or null where the key is missing.</summary>
    /// <exception cref="TensorFormatException">The value is of another kind.</exception>
    public IReadOnlyList<string>? Texts(string key) => Get(key) switch
    {
        null => null,
        byte[][] texts => Array.ConvertAll(texts, Encoding.UTF8.GetString),
        NumberList { Count: 0 } => [],
        _ => throw Fault(TensorFormatError.Type, key, "a list of texts is required"),
    };

    /// <summary>A list of integers, or null where the key is missing.</summary>
    /// <exception cref="TensorFormatException">The value is of another kind, or an element beyond 32 bits.</exception>
    public IReadOnlyList<int>? Integers(string key)
    {
        if (Get(key) is not { } value) return null;
        if (value is byte[][] { Length: 0 }) return [];
        if (value is not NumberList { IsInteger: true } list) throw Fault(TensorFormatError.Type, key, "a list of integers is required");
        var numbers = new int[list.Count];
        for (int i = 0; i < numbers.Length; i++)
        {
            Int128 number = list.Integer(i);
            if (number < int.MinValue || number > int.MaxValue) throw Fault(TensorFormatError.Value, key, $"{number} is beyond 32 bits");
            numbers[i] = (int)number;
        }

        return numbers;
    }

    /// <summary>A list of numbers, or null where the key is missing.</summary>
    /// <exception cref="TensorFormatException">The value is of another kind.</exception>
    public IReadOnlyList<float>? Singles(string key)
    {
        if (Get(key) is not { } value) return null;
        if (value is byte[][] { Length: 0 } or NumberList { Count: 0 }) return [];
        if (value is not NumberList { IsFloat: true } list) throw Fault(TensorFormatError.Type, key, "a list of numbers is required");
        var numbers = new float[list.Count];
        for (int i = 0; i < numbers.Length; i++) numbers[i] = list.Single(i);
        return numbers;
    }

    /// <summary>A list of truth values (also stored as whole numbers 0 and 1), or null where the key is missing.</summary>
    /// <exception cref="TensorFormatException">The value is of another kind.</exception>
    public IReadOnlyList<bool>? Flags(string key)
    {
        if (Get(key) is not { } value) return null;
        if (value is not NumberList { IsFloat: false } list) throw Fault(TensorFormatError.Type, key, "a list of truth values is required");
        var flags = new bool[list.Count];
        for (int i = 0; i < flags.Length; i++)
        {
            Int128 number = list.Type == NumberList.FlagType ? list.Bytes[i] : list.Integer(i);
            flags[i] = number == 0 || number == 1 ? number == 1 : throw Fault(TensorFormatError.Value, key, $"{number} is no truth value");
        }

        return flags;
    }

    /// <summary>Whether a key's value is a list.</summary>
    public bool IsList(string key) => Get(key) is NumberList or byte[][];

    /// <summary>Adds values under keys with a prefix to metadata that are written, as they are.</summary>
    internal void CopyTo(GgufMetadataBuilder builder, string prefix)
    {
        foreach ((string key, object value) in _values)
        {
            if (key.StartsWith(prefix, StringComparison.Ordinal)) builder.AddRaw(key, value);
        }
    }

    /// <summary>A value that must be of this very type, or null where the key is missing.</summary>
    internal uint? UInt32(string key) => Get(key) switch
    {
        null => null,
        uint value => value,
        _ => throw Fault(TensorFormatError.Type, key, "a 32-bit unsigned integer is required"),
    };

    private object? Get(string key) => _values.GetValueOrDefault(key);

    private static object ReadValue(GgufReader reader, uint type, string key) => type switch
    {
        0 => reader.Byte(),
        1 => (sbyte)reader.Byte(),
        2 => reader.UInt16(),
        3 => (short)reader.UInt16(),
        4 => reader.UInt32(),
        5 => (int)reader.UInt32(),
        6 => BitConverter.UInt32BitsToSingle(reader.UInt32()),
        7 => reader.Byte() is <= 1 and var flag ? flag == 1 : throw reader.Fault(TensorFormatError.Value, $"{key}: a truth value that is neither 0 nor 1"),
        8 => reader.Text(MaxTextBytes, key),
        9 => ReadList(reader, key),
        10 => reader.UInt64(),
        11 => (long)reader.UInt64(),
        12 => BitConverter.UInt64BitsToDouble(reader.UInt64()),
        _ => throw reader.Fault(TensorFormatError.Type, $"{key}: value type {type} is not known"),
    };

    private static object ReadList(GgufReader reader, string key)
    {
        uint type = reader.UInt32();
        int size = type switch
        {
            0 or 1 or 7 => 1,
            2 or 3 => 2,
            4 or 5 or 6 => 4,
            8 or 10 or 11 or 12 => 8, // a text has at least its length
            9 => throw reader.Fault(TensorFormatError.Type, $"{key}: lists of lists are not read"),
            _ => throw reader.Fault(TensorFormatError.Type, $"{key}: elements of type {type} are not known"),
        };
        long count = reader.Count(reader.UInt64(), size, MaxArrayElements, $"elements of {key}");
        if (type != 8)
        {
            byte[] bytes = reader.Bytes(count * size);
            if (type == 7 && bytes.AsSpan().ContainsAnyExceptInRange((byte)0, (byte)1)) throw reader.Fault(TensorFormatError.Value, $"{key}: a truth value that is neither 0 nor 1");
            return new NumberList(type, size, bytes);
        }

        var texts = new byte[count][];
        for (int i = 0; i < texts.Length; i++) texts[i] = reader.Text(MaxListTextBytes, key);
        return texts;
    }

    private TensorFormatException Fault(TensorFormatError kind, string key, string reason) => new(kind, $"{key}: {reason}", _file);
}
