using System.Text.Json.Nodes;
using TensorCompress.Storage;

namespace TensorCompress.Models;

/// <summary>Checked access to the metadata of one architecture in a GGUF file: keys are under the architecture's name.</summary>
/// <param name="file">The file.</param>
/// <param name="architecture">Value of <c>general.architecture</c>.</param>
public sealed class GgufModelMetadata(GgufFile file, string architecture)
{
    private const int MaxDimension = 1 << 24;

    /// <summary>The file's architecture.</summary>
    /// <exception cref="TensorFormatException">It is missing or no plain name.</exception>
    public static string Architecture(GgufFile file, string path)
    {
        string? name = file.Metadata.Text("general.architecture");
        return name is { Length: > 0 and <= 64 } && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.')
            ? name
            : throw new TensorFormatException(TensorFormatError.Value, name is null ? "general.architecture is missing" : $"general.architecture is \"{name}\"", path);
    }

    /// <summary>A positive dimension or count.</summary>
    /// <exception cref="TensorFormatException">It is missing or out of range.</exception>
    public int Dimension(string key) => OptionalDimension(key) ?? throw new TensorFormatException(TensorFormatError.Value, $"{architecture}.{key} is missing");

    /// <summary>A positive dimension or count, or null where it is missing.</summary>
    public int? OptionalDimension(string key)
    {
        long? value = file.Metadata.Integer($"{architecture}.{key}");
        if (value is < 1 or > MaxDimension) throw new TensorFormatException(TensorFormatError.Value, $"{architecture}.{key} is {value}; 1 to {MaxDimension} are possible");
        return (int?)value;
    }

    /// <summary>A finite positive number.</summary>
    /// <param name="key">Key under the architecture.</param>
    /// <param name="fallback">Used where it is missing; null where it is required.</param>
    public double PositiveNumber(string key, double? fallback = null)
    {
        double value = file.Metadata.Number($"{architecture}.{key}") ?? fallback ?? throw new TensorFormatException(TensorFormatError.Value, $"{architecture}.{key} is missing");
        // Stored as 32-bit: the decimal that was meant is the shortest one that rounds to it.
        double meant = double.Parse(((float)value).ToString(System.Globalization.CultureInfo.InvariantCulture), System.Globalization.CultureInfo.InvariantCulture);
        return double.IsFinite(meant) && meant > 0 ? meant : throw new TensorFormatException(TensorFormatError.Value, $"{architecture}.{key} is {value}; a finite positive number is required");
    }

    /// <summary>A text, or null where it is missing.</summary>
    public string? Text(string key) => file.Metadata.Text($"{architecture}.{key}");

    /// <summary>Refuses a value.</summary>
    public TensorFormatException Unsupported(string key, string value, string supported) =>
        new(TensorFormatError.Unsupported, $"{architecture}.{key} is {value}; supported: {supported}");

    /// <summary>Adds vocabulary size and special ids to a configuration.</summary>
    public void AddVocabulary(JsonObject configuration)
    {
        if (!file.Tensors.TryGetValue("token_embd.weight", out TensorInfo? embedding) || embedding.Shape.Count != 2)
            throw new TensorFormatException(TensorFormatError.Inconsistent, "the file lacks the embedding [vocabulary, hidden]", tensor: "token_embd.weight");
        configuration["vocab_size"] = embedding.Shape[0];
        foreach ((string key, string name) in new[] { ("bos_token_id", "bos_token_id"), ("eos_token_id", "eos_token_id"), ("padding_token_id", "pad_token_id") })
        {
            if (file.Metadata.Integer($"tokenizer.ggml.{key}") is { } id) configuration[name] = id;
        }

        configuration["torch_dtype"] = "float32";
    }
}
