using TensorCompress.Storage;
using TensorCompress.Tokenization.Merging;

namespace TensorCompress.Tokenization.Json;

/// <summary>Reads a tokenizer.json whose model is byte-level BPE. What has no effect on the ids is accepted, what would have one and is not supported is refused by name.</summary>
internal static class ByteLevelBpeJson
{
    public static ByteLevelBpeVocabulary Read(JsonProperties file, JsonProperties model)
    {
        if (file.Find("normalizer") is JsonSource normalizer) throw Unsupported(normalizer, "normalizer");
        PreTokenizer preTokenizer = PreTokenizerJson.Read(file.Require("pre_tokenizer"));
        JsonSource decoder = file.Require("decoder");
        if (decoder.Properties().Type() != "ByteLevel") throw Unsupported(decoder, "decoder", "ByteLevel");
        RefuseModelOptions(model);

        var reader = new BpeVocabularyReader(file.Source.FileName);
        reader.ReadTokens(model.Require("vocab"));
        reader.ReadMerges(model.Require("merges"));
        AddedToken[] addedTokens = file.Find("added_tokens") is JsonSource list ? [.. ReadAddedTokens(list, reader)] : [];
        string?[] tokens = reader.TokensById();
        RefuseReplacements(model, tokens);
        var prefix = new List<int>();
        var suffix = new List<int>();
        if (file.Find("post_processor") is JsonSource postProcessor)
        {
            PostProcessorJson.Read(postProcessor, prefix, suffix);
            foreach (int id in prefix.Concat(suffix))
            {
                if (id >= tokens.Length || tokens[id] is null) throw postProcessor.Fault(TensorFormatError.Inconsistent, $"The post-processor's id {id} is no token.");
            }
        }

        return new ByteLevelBpeVocabulary
        {
            Tokens = tokens,
            Merges = reader.Merges,
            PreTokenizer = preTokenizer,
            AddedTokens = addedTokens,
            PrefixIds = prefix,
            SuffixIds = suffix,
            IgnoreMerges = model.Flag("ignore_merges"),
        };
    }

    private static IEnumerable<AddedToken> ReadAddedTokens(JsonSource list, BpeVocabularyReader reader)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (JsonSource item in list.Items())
        {
            JsonProperties properties = item.Properties();
            AddedToken token = ReadAddedToken(properties, properties.Require("id").Id(), reader);
            if (!seen.Add(token.Content)) throw item.Fault(TensorFormatError.Duplicate, $"The added token '{token.Content}' stands twice.");
            yield return token;
        }
    }

    /// <summary>Reads one added token and puts it into the vocabulary where it is not there yet.</summary>
    public static AddedToken ReadAddedToken(JsonProperties properties, int id, BpeVocabularyReader reader)
    {
        var token = new AddedToken(
            id,
            properties.Require("content").String(),
            properties.Flag("special"),
            properties.Flag("normalized", missing: true),
            properties.Flag("lstrip"),
            properties.Flag("rstrip"),
            properties.Flag("single_word"));
        if (token.Content.Length == 0) throw properties.Source.Fault(TensorFormatError.Value, "An added token is empty.");
        if (reader.Find(token.Content) is not int known) reader.AddToken(token.Content, id, properties.Source.Offset);
        else if (known != id) throw properties.Source.Fault(TensorFormatError.Inconsistent, $"The added token '{token.Content}' has the id {id}, but {known} in the vocabulary.");
        return token;
    }

    private static void RefuseModelOptions(JsonProperties model)
    {
        if (model.Find("dropout") is JsonSource dropout && dropout.Utf8.Span.IndexOfAnyExcept("0."u8) >= 0)
            throw dropout.Fault(TensorFormatError.Unsupported, "BPE with dropout is not supported.");
        foreach (string name in (ReadOnlySpan<string>)["continuing_subword_prefix", "end_of_word_suffix"])
        {
            if (model.Find(name) is JsonSource value && value.String().Length > 0)
                throw value.Fault(TensorFormatError.Unsupported, $"Byte-level BPE with {name} is not supported.");
        }
    }

    // An unknown token and byte fall-back matter only where a byte has no token.
    private static void RefuseReplacements(JsonProperties model, string?[] tokens)
    {
        if (model.Find("unk_token") is null && !model.Flag("byte_fallback")) return;
        var characters = new HashSet<string?>(tokens);
        for (int value = 0; value < 256; value++)
        {
            if (!characters.Contains(ByteAlphabet.Character((byte)value).ToString()))
                throw model.Source.Fault(TensorFormatError.Unsupported, $"unk_token and byte_fallback are not supported where bytes lack a token; byte 0x{value:X2} does.");
        }
    }

    private static TensorFormatException Unsupported(JsonSource component, string what, params string[] supported)
    {
        JsonProperties properties = component.Properties();
        return properties.Unsupported($"The {what} '{properties.Type()}'", supported.Length == 0 ? ["none"] : supported);
    }
}
