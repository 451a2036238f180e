using System.Text.Json;
using TensorCompress.Storage;

namespace TensorCompress.Models;

/// <summary>Checked access to a checkpoint's <c>config.json</c> (or what GGUF metadata and llama2.c headers are turned into). Keys may have several spellings.</summary>
/// <param name="root">The JSON object; must outlive this.</param>
/// <param name="file">Path for messages.</param>
public sealed class ModelConfiguration(JsonElement root, string? file = null)
{
    /// <summary>The largest dimension that is believed: far above any model, far below overflow.</summary>
    internal const int MaxDimension = 1 << 24;

    /// <summary>The most blocks that are believed: published models have up to about two hundred, and each takes memory before a tensor of it is looked for.</summary>
    internal const int MaxBlocks = 4096;

    /// <summary>The most channels of a head that are believed: published models have up to 512, and each pair takes memory before a tensor is looked for.</summary>
    internal const int MaxHeadDimension = 1 << 14;

    /// <summary>The whole object.</summary>
    public JsonElement Root { get; } = root;

    // Keys by which other loaders fetch code, or choose among implementations of the same computation.
    private static readonly string[] IgnoredKeys = ["auto_map", "trust_remote_code", "attn_implementation", "_attn_implementation", "_attn_implementation_internal"];

    /// <summary>What is asked for and not done, because nothing but data is ever loaded.</summary>
    internal IEnumerable<string> Ignored => IgnoredKeys.Where(key => Root.TryGetProperty(key, out _)).Select(key => $"\"{key}\" in the configuration is ignored: only data are loaded, never code");

    /// <summary>The architecture's name.</summary>
    public string ModelType => Text("model_type") ?? throw Fault(TensorFormatError.Structure, "\"model_type\" is missing");

    /// <summary>A positive dimension or count.</summary>
    /// <param name="keys">Spellings; the first that is present counts.</param>
    /// <exception cref="TensorFormatException">It is missing, not an integer, or out of range.</exception>
    public int Dimension(params ReadOnlySpan<string> keys) => OptionalDimension(keys) ?? throw Fault(TensorFormatError.Structure, $"\"{keys[0]}\" is missing");

    /// <summary>A positive dimension or count, or null where it is missing or null.</summary>
    public int? OptionalDimension(params ReadOnlySpan<string> keys)
    {
        if (!TryGet(keys, out string key, out JsonElement value)) return null;
        if (value.ValueKind != JsonValueKind.Number || !value.TryGetInt64(out long number) || number is < 1 or > MaxDimension)
            throw Fault(TensorFormatError.Value, $"\"{key}\" is {Excerpt(value)}; a whole number from 1 to {MaxDimension} is required");
        return (int)number;
    }

    /// <summary>A count that may be 0, or null where it is missing or null.</summary>
    internal int? OptionalCount(string key) =>
        TryGet([key], out _, out JsonElement value) && value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number) && number == 0 ? 0 : OptionalDimension(key);

    /// <summary>The number of blocks.</summary>
    /// <param name="keys">Spellings; the first that is present counts.</param>
    /// <exception cref="TensorFormatException">It is missing, not an integer, or out of range.</exception>
    public int BlockCount(params ReadOnlySpan<string> keys) => Dimension(keys) is var count && count <= MaxBlocks ? count : throw Fault(
        TensorFormatError.Value, $"\"{keys[0]}\" is {count}; at most {MaxBlocks} blocks are read");

    /// <summary>A finite positive number.</summary>
    /// <param name="fallback">Used where the key is missing or null.</param>
    /// <param name="keys">Spellings.</param>
    public double PositiveNumber(double fallback, params ReadOnlySpan<string> keys)
    {
        if (!TryGet(keys, out string key, out JsonElement value)) return fallback;
        if (value.ValueKind != JsonValueKind.Number || !value.TryGetDouble(out double number) || !double.IsFinite(number) || number <= 0)
            throw Fault(TensorFormatError.Value, $"\"{key}\" is {Excerpt(value)}; a finite positive number is required");
        return number;
    }

    /// <summary>A truth value.</summary>
    public bool Flag(string key, bool fallback)
    {
        if (!TryGet([key], out _, out JsonElement value)) return fallback;
        return value.ValueKind switch
        {
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            _ => throw Fault(TensorFormatError.Value, $"\"{key}\" is {Excerpt(value)}; true or false is required"),
        };
    }

    /// <summary>A text, or null where it is missing or null.</summary>
    public string? Text(params ReadOnlySpan<string> keys)
    {
        if (!TryGet(keys, out string key, out JsonElement value)) return null;
        return value.ValueKind == JsonValueKind.String ? value.GetString() : throw Fault(TensorFormatError.Value, $"\"{key}\" is {Excerpt(value)}; a text is required");
    }

    /// <summary>A list of texts, or null where it is missing or null.</summary>
    public IReadOnlyList<string>? Texts(string key)
    {
        if (!TryGet([key], out _, out JsonElement value)) return null;
        if (value.ValueKind != JsonValueKind.Array || value.EnumerateArray().Any(item => item.ValueKind != JsonValueKind.String))
            throw Fault(TensorFormatError.Value, $"\"{key}\" is {Excerpt(value)}; a list of texts is required");
        return [.. value.EnumerateArray().Select(item => item.GetString()!)];
    }

    /// <summary>A list of whole numbers of 32 bits, or null where it is missing or null.</summary>
    public IReadOnlyList<int>? Integers(string key)
    {
        if (!TryGet([key], out _, out JsonElement value)) return null;
        if (value.ValueKind != JsonValueKind.Array || value.EnumerateArray().Any(item => item.ValueKind != JsonValueKind.Number || !item.TryGetInt32(out _)))
            throw Fault(TensorFormatError.Value, $"\"{key}\" is {Excerpt(value)}; a list of whole numbers is required");
        return [.. value.EnumerateArray().Select(item => item.GetInt32())];
    }

    /// <summary>An object as a configuration of its own, or null where it is missing or null.</summary>
    public ModelConfiguration? Section(string key)
    {
        if (!TryGet([key], out _, out JsonElement value)) return null;
        return value.ValueKind == JsonValueKind.Object ? new ModelConfiguration(value, file) : throw Fault(TensorFormatError.Value, $"\"{key}\" is {Excerpt(value)}; an object is required");
    }

    /// <summary>Refuses a feature by the key and value that ask for it.</summary>
    public TensorFormatException Unsupported(string key, string value, string supported) =>
        Fault(TensorFormatError.Unsupported, $"\"{key}\": \"{value}\" is not supported; supported: {supported}");

    /// <summary>A fault of this configuration.</summary>
    public TensorFormatException Fault(TensorFormatError kind, string reason) => new(kind, reason, file);

    private bool TryGet(ReadOnlySpan<string> keys, out string key, out JsonElement value)
    {
        foreach (string candidate in keys)
        {
            key = candidate;
            if (Root.TryGetProperty(candidate, out value) && value.ValueKind != JsonValueKind.Null) return true;
        }

        (key, value) = ("", default);
        return false;
    }

    private static string Excerpt(JsonElement value)
    {
        string text = value.GetRawText();
        return text.Length <= 40 ? text : text[..40] + "...";
    }
}
