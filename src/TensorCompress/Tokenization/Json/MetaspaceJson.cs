using TensorCompress.Storage;
using TensorCompress.Tokenization.Splitting;

namespace TensorCompress.Tokenization.Json;

/// <summary>The settings of <c>Metaspace</c>, as pre-tokenizer and as decoder, in the newer and the older spelling.</summary>
internal static class MetaspaceJson
{
    private static readonly Dictionary<string, PrependScheme> Schemes = new(StringComparer.Ordinal)
    {
        ["always"] = PrependScheme.Always,
        ["first"] = PrependScheme.First,
        ["never"] = PrependScheme.Never,
    };

    public static char Mark(JsonProperties properties) => SingleCharacter(properties.Find("replacement"), '\u2581');

    public static PrependScheme Scheme(JsonProperties properties)
    {
        if (properties.Find("prepend_scheme") is not JsonSource source)
            return properties.Flag("add_prefix_space", missing: true) ? PrependScheme.Always : PrependScheme.Never;
        string name = source.String();
        return Schemes.TryGetValue(name, out PrependScheme scheme)
            ? scheme
            : throw source.Fault(TensorFormatError.Unsupported, $"The prepend_scheme '{name}' is not supported; supported are {string.Join(", ", Schemes.Keys)}.");
    }

    /// <summary>A text of one UTF-16 unit.</summary>
    public static char SingleCharacter(JsonSource? source, char missing)
    {
        if (source is not JsonSource value) return missing;
        string text = value.String();
        return text.Length == 1 ? text[0] : throw value.Fault(TensorFormatError.Unsupported, $"'{text}' is not supported here; one character of the basic plane is.");
    }
}
