using System.Text;

namespace TensorCompress.Storage;

/// <summary>The key-value part of a GGUF file. Values are bool, long, ulong, double, string, or arrays of these (strings as UTF-8).</summary>
public sealed class GgufMetadata
{
    private const long MaxTextBytes = 64L << 20;
    private const int MaxKeyBytes = 65_535;
    private const long MaxArrayElements = 100_000_000;

    private readonly Dictionary<string, object> _values = [];
    private readonly string? _file;

    internal GgufMetadata(GgufReader reader, long count, string? file)
    {
        _file = file;
        for (long i = 0; i < count; i++)
        {
            string key = reader.Name(MaxKeyBytes, "a key");
            object value = ReadValue(reader, reader.UInt32(), key, isElement: false);
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
        long value => value,
        ulong value => value,
        _ => throw Fault(TensorFormatError.Type, key, "a number is required"),
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
    public IReadOnlyList<string>? Texts(string key) => List(key, value => value is byte[] utf8 ? Encoding.UTF8.GetString(utf8) : throw Fault(TensorFormatError.Type, key, "a list of texts is required"));

    /// <summary>A list of integers, or null where the key is missing.</summary>
    /// <exception cref="TensorFormatException">The value is of another kind, or an element beyond 32 bits.</exception>
    public IReadOnlyList<int>? Integers(string key) => List(key, value => value switch
    {
        long number when number is >= int.MinValue and <= int.MaxValue => (int)number,
        ulong number when number <= int.MaxValue => (int)number,
        _ => throw Fault(TensorFormatError.Type, key, "a list of 32-bit integers is required"),
    });

    /// <summary>A list of numbers, or null where the key is missing.</summary>
    /// <exception cref="TensorFormatException">The value is of another kind.</exception>
    public IReadOnlyList<float>? Singles(string key) => List(key, value => value is double number ? (float)number : throw Fault(TensorFormatError.Type, key, "a list of numbers is required"));

    private object? Get(string key) => _values.GetValueOrDefault(key);

    private T[]? List<T>(string key, Func<object, T> convert) => Get(key) switch
    {
        null => null,
        object[] values => Array.ConvertAll(values, value => convert(value)),
        _ => throw Fault(TensorFormatError.Type, key, "a list is required"),
    };

    private static object ReadValue(GgufReader reader, uint type, string key, bool isElement)
    {
        switch (type)
        {
            case 0: return (ulong)reader.Byte();
            case 1: return (long)(sbyte)reader.Byte();
            case 2: return (ulong)reader.UInt16();
            case 3: return (long)(short)reader.UInt16();
            case 4: return (ulong)reader.UInt32();
            case 5: return (long)(int)reader.UInt32();
            case 6: return (double)BitConverter.UInt32BitsToSingle(reader.UInt32());
            case 7:
                byte flag = reader.Byte();
                return flag <= 1 ? flag == 1 : throw reader.Fault(TensorFormatError.Value, $"{key}: a truth value of {flag}");
            case 8: return reader.Text(MaxTextBytes, key);
            case 9 when !isElement: return ReadArray(reader, key);
            case 10: return reader.UInt64();
            case 11: return (long)reader.UInt64();
            case 12: return BitConverter.UInt64BitsToDouble(reader.UInt64());
            default: throw reader.Fault(TensorFormatError.Type, $"{key}: value type {type}{(type == 9 ? " inside an array" : "")} is not known");
        }
    }

    private static object[] ReadArray(GgufReader reader, string key)
    {
        uint type = reader.UInt32();
        int least = type switch { 0 or 1 or 7 => 1, 2 or 3 => 2, 4 or 5 or 6 => 4, 8 or 10 or 11 or 12 => 8, _ => throw reader.Fault(TensorFormatError.Type, $"{key}: elements of type {type} are not known") };
        long count = reader.Count(reader.UInt64(), least, MaxArrayElements, $"elements of {key}");
        var values = new object[count];
        for (long i = 0; i < count; i++) values[i] = ReadValue(reader, type, key, isElement: true);
        return values;
    }

    private TensorFormatException Fault(TensorFormatError kind, string key, string reason) => new(kind, $"{key}: {reason}", _file);
}
