using System.Globalization;
using TensorCompress.Storage;
using TensorCompress.Storage.Gguf;

namespace TensorCompress.Models.Gguf;

/// <summary>Checked access to the metadata of one architecture in a GGUF file: keys are under the architecture's name.</summary>
/// <param name="file">The file.</param>
/// <param name="architecture">Value of <c>general.architecture</c>.</param>
/// <param name="path">Path for messages.</param>
internal sealed class GgufModelMetadata(GgufFile file, string architecture, string? path)
{
    /// <summary>The file.</summary>
    public GgufFile File { get; } = file;

    /// <summary>The file's architecture.</summary>
    /// <exception cref="TensorFormatException">It is missing or no plain name.</exception>
    public static string Architecture(GgufFile file, string? path)
    {
        string? name = file.Metadata.Text("general.architecture");
        return name is { Length: > 0 and <= 64 } && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.')
            ? name
            : throw new TensorFormatException(TensorFormatError.Value, name is null ? "general.architecture is missing" : $"general.architecture is \"{name}\"", path);
    }

    /// <summary>Whether the file has a tensor.</summary>
    public bool HasTensor(string name) => File.Tensors.ContainsKey(name);

    /// <summary>The number of blocks, bounded before anything is made for each.</summary>
    public int BlockCount => Dimension("block_count") is var count && count <= ModelConfiguration.MaxBlocks ? count : throw new TensorFormatException(
        TensorFormatError.Value, $"{architecture}.block_count is {count}; at most {ModelConfiguration.MaxBlocks} blocks are read");

    /// <summary>A positive dimension or count.</summary>
    /// <exception cref="TensorFormatException">It is missing or out of range.</exception>
    public int Dimension(string key) => OptionalDimension(key) ?? throw Fault(TensorFormatError.Value, key, "is missing");

    /// <summary>A positive dimension or count, or null where it is missing.</summary>
    public int? OptionalDimension(string key)
    {
        long? value = File.Metadata.Integer(Key(key));
        return value is null or (>= 1 and <= ModelConfiguration.MaxDimension) ? (int?)value : throw Fault(TensorFormatError.Value, key, $"is {value}; 1 to {ModelConfiguration.MaxDimension} are possible");
    }

    /// <summary>A dimension, or null where it is missing or 0 ("there is none").</summary>
    public int? DimensionOrNone(string key) => File.Metadata.Integer(Key(key)) is 0 ? null : OptionalDimension(key);

    /// <summary>A finite positive number.</summary>
    /// <param name="key">Key under the architecture.</param>
    /// <param name="fallback">Used where it is missing; null where it is required.</param>
    public double PositiveNumber(string key, double? fallback = null) => OptionalNumber(key) ?? fallback ?? throw Fault(TensorFormatError.Value, key, "is missing");

    /// <summary>A finite positive number, or null where it is missing.</summary>
    public double? OptionalNumber(string key)
    {
        if (File.Metadata.Number(Key(key)) is not { } value) return null;
        // Stored as 32-bit: the decimal that was meant is the shortest one that rounds to it.
        double meant = double.Parse(((float)value).ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
        return double.IsFinite(meant) && meant > 0 ? meant : throw Fault(TensorFormatError.Value, key, $"is {value}; a finite positive number is required");
    }

    /// <summary>A truth value.</summary>
    public bool Flag(string key, bool fallback) => File.Metadata.Flag(Key(key)) ?? fallback;

    /// <summary>A truth value for each block, or null where the key is missing or one number.</summary>
    public IReadOnlyList<bool>? FlagsOfBlocks(string key)
    {
        if (!File.Metadata.IsList(Key(key))) return null;
        IReadOnlyList<bool> flags = File.Metadata.Flags(Key(key))!;
        int blocks = BlockCount;
        return flags.Count == blocks ? flags : throw Fault(TensorFormatError.Inconsistent, key, $"has {flags.Count} values, the model {blocks} blocks");
    }

    /// <summary>A text, or null where it is missing.</summary>
    public string? Text(string key) => File.Metadata.Text(Key(key));

    /// <summary>Refuses a value.</summary>
    public TensorFormatException Unsupported(string key, string value, string supported) => Fault(TensorFormatError.Unsupported, key, $"is {value}; supported: {supported}");

    /// <summary>A fault of this file.</summary>
    public TensorFormatException Fault(TensorFormatError kind, string key, string reason) => new(kind, $"{architecture}.{key} {reason}", path);

    private string Key(string key) => $"{architecture}.{key}";
}
