using TensorCompress.Storage;
using TensorCompress.Tokenization.Splitting;

namespace TensorCompress.Tokenization.Json;

/// <summary>The <c>pre_tokenizer</c> of a tokenizer.json. A new kind is a rule of its own in Splitting and one line here.</summary>
internal static class PreTokenizerJson
{
    private static readonly Dictionary<string, Func<JsonProperties, IEnumerable<SplitRule>>> Readers = new(StringComparer.Ordinal)
    {
        ["ByteLevel"] = ReadByteLevel,
        ["Digits"] = properties => [new DigitSplit(properties.Flag("individual_digits"))],
        ["Sequence"] = properties => properties.Require("pretokenizers").Items().SelectMany(ReadStages),
    };

    /// <summary>Reads it for a byte-level vocabulary, so its last stage must be <c>ByteLevel</c>.</summary>
    public static PreTokenizer Read(JsonSource source)
    {
        SplitRule[] stages = [.. ReadStages(source)];
        if (!LastTypeIsByteLevel(source.Properties())) throw source.Fault(TensorFormatError.Unsupported, "A pre-tokenizer whose last stage is not ByteLevel is not supported.");
        return PreTokenizers.FromStages(stages);
    }

    private static IEnumerable<SplitRule> ReadStages(JsonSource source)
    {
        JsonProperties properties = source.Properties();
        string type = properties.Type();
        return Readers.TryGetValue(type, out Func<JsonProperties, IEnumerable<SplitRule>>? read)
            ? read(properties)
            : throw properties.Unsupported($"The pre-tokenizer '{type}'", Readers.Keys);
    }

    private static IEnumerable<SplitRule> ReadByteLevel(JsonProperties properties)
    {
        if (properties.Flag("add_prefix_space", missing: true)) throw properties.Unsupported("ByteLevel with add_prefix_space", ["add_prefix_space: false"]);
        return properties.Flag("use_regex", missing: true) ? [new Gpt2Split()] : [];
    }

    private static bool LastTypeIsByteLevel(JsonProperties properties)
    {
        // Expressions and digits after ByteLevel would see the byte alphabet instead of the text.
        if (properties.Type() == "ByteLevel") return true;
        if (properties.Find("pretokenizers") is not JsonSource list) return false;
        bool isByteLevel = false;
        foreach (JsonSource item in list.Items())
        {
            if (isByteLevel) return false;
            isByteLevel = LastTypeIsByteLevel(item.Properties());
        }

        return isByteLevel;
    }
}
