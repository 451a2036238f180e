using TensorCompress.Tokenization.Decoders;
using TensorCompress.Tokenization.Splitting;

namespace TensorCompress.Tokenization.Json;

/// <summary>The <c>decoder</c> of a tokenizer.json. A new kind is a class in Decoders and one line here.</summary>
internal static class DecoderJson
{
    private static readonly Dictionary<string, Func<JsonProperties, IEnumerable<TokenDecoder>>> Readers = new(StringComparer.Ordinal)
    {
        ["ByteLevel"] = static _ => [new ByteLevelDecoder()],
        ["ByteFallback"] = static _ => [new ByteFallbackDecoder()],
        ["Fuse"] = static _ => [new FuseDecoder()],
        ["Replace"] = static properties => [new ReplaceDecoder(PatternJson.Read(properties, out bool isOneCharacter), properties.Require("content").String(), isOneCharacter)],
        ["Strip"] = static properties =>
            [new StripDecoder(MetaspaceJson.SingleCharacter(properties.Find("content"), ' '), properties.Require("start").Id(), properties.Require("stop").Id())],
        ["Metaspace"] = static properties => [new MetaspaceDecoder(MetaspaceJson.Mark(properties), MetaspaceJson.Scheme(properties) == PrependScheme.Never)],
        ["WordPiece"] = static properties => [new WordPieceDecoder(properties.Find("prefix")?.String() ?? "##", properties.Flag("cleanup", missing: true))],
        ["BPEDecoder"] = static properties => [new EndOfWordDecoder(properties.Find("suffix")?.String() ?? "</w>")],
        ["Sequence"] = static properties => properties.Require("decoders").Items().SelectMany(Read),
    };

    public static IEnumerable<TokenDecoder> Read(JsonSource source)
    {
        JsonProperties properties = source.Properties();
        string type = properties.Type();
        return Readers.TryGetValue(type, out Func<JsonProperties, IEnumerable<TokenDecoder>>? read) ? read(properties) : throw properties.Unsupported($"The decoder '{type}'", Readers.Keys);
    }
}
