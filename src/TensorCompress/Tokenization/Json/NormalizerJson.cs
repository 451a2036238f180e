using TensorCompress.Storage;
using TensorCompress.Tokenization.Normalizers;
using TensorCompress.Tokenization.Unicode;

namespace TensorCompress.Tokenization.Json;

/// <summary>The <c>normalizer</c> of a tokenizer.json. A new kind is a class in Normalizers and one line here.</summary>
internal static class NormalizerJson
{
    private static readonly Dictionary<string, Func<JsonProperties, IEnumerable<TextNormalizer>>> Readers = new(StringComparer.Ordinal)
    {
        ["NFC"] = static _ => [new UnicodeFormNormalizer(isCompatible: false, composes: true)],
        ["NFD"] = static _ => [new UnicodeFormNormalizer(isCompatible: false, composes: false)],
        ["NFKC"] = static _ => [new UnicodeFormNormalizer(isCompatible: true, composes: true)],
        ["NFKD"] = static _ => [new UnicodeFormNormalizer(isCompatible: true, composes: false)],
        ["Lowercase"] = static _ => [new LowercaseNormalizer()],
        ["StripAccents"] = static _ => [new StripAccentsNormalizer(CodePointSets.Category("M"))],
        ["Strip"] = static properties => [new StripNormalizer(properties.Flag("strip_left", missing: true), properties.Flag("strip_right", missing: true))],
        ["Prepend"] = static properties => [new PrependNormalizer(properties.Require("prepend").String())],
        ["Replace"] = static properties => [new ReplaceNormalizer(PatternJson.Read(properties, out _), properties.Require("content").String())],
        ["Nmt"] = static _ => [new NmtNormalizer()],
        ["Precompiled"] = ReadPrecompiled,
        ["BertNormalizer"] = ReadBert,
        ["ByteLevel"] = static _ => [new ByteLevelNormalizer()],
        ["Sequence"] = static properties => properties.Require("normalizers").Items().SelectMany(Read),
    };

    public static IEnumerable<TextNormalizer> Read(JsonSource source)
    {
        JsonProperties properties = source.Properties();
        string type = properties.Type();
        return Readers.TryGetValue(type, out Func<JsonProperties, IEnumerable<TextNormalizer>>? read) ? read(properties) : throw properties.Unsupported($"The normalizer '{type}'", Readers.Keys);
    }

    private static IEnumerable<TextNormalizer> ReadPrecompiled(JsonProperties properties)
    {
        if (properties.Find("precompiled_charsmap") is not JsonSource source) yield break;
        byte[] bytes;
        try
        {
            bytes = Convert.FromBase64String(source.String());
        }
        catch (FormatException e)
        {
            throw new TensorFormatException(TensorFormatError.Encoding, "The precompiled_charsmap is not base64.", source.FileName, offset: source.Offset, innerException: e);
        }

        if (bytes.Length == 0) yield break; // a map of nothing
        yield return new PrecompiledNormalizer(CharacterMap.Parse(bytes) ?? throw source.Fault(TensorFormatError.Size, "The sizes in the precompiled_charsmap do not fit together."));
    }

    private static IEnumerable<TextNormalizer> ReadBert(JsonProperties properties)
    {
        bool lowers = properties.Flag("lowercase", missing: true);
        yield return new BertCleaning(properties.Flag("clean_text", missing: true), properties.Flag("handle_chinese_chars", missing: true));
        if (properties.Flag("strip_accents", missing: lowers))
        {
            yield return new UnicodeFormNormalizer(isCompatible: false, composes: false);
            yield return new StripAccentsNormalizer(CodePointSets.Category("Mn"));
        }

        if (lowers) yield return new LowercaseNormalizer();
    }
}
