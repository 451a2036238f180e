using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using TensorCompress.Storage;
using TensorCompress.Tokenization.Json;

namespace TensorCompress.Tokenization;

/// <summary>Hugging Face's <c>tokenizer.json</c>. Components that are not supported are refused by name. Truncation and padding are not part of the tokenizer and are passed over.</summary>
public static class TokenizerJson
{
    // The kinds of model; a new one is a file in Json and a line here.
    private static readonly Dictionary<string, Func<JsonProperties, JsonProperties, SpecialTokenSettings, Tokenizer>> Models = new(StringComparer.Ordinal)
    {
        ["BPE"] = ReadByteLevelBpe,
    };

    /// <summary>Reads a tokenizer.</summary>
    /// <param name="utf8">The whole file; not needed after the call.</param>
    /// <param name="fileName">Name for messages, or null.</param>
    /// <param name="specialIds">Ids that begin and end a text (the file itself does not name them), or null for none.</param>
    /// <exception cref="ArgumentException">An id of <paramref name="specialIds"/> is not in the vocabulary.</exception>
    /// <exception cref="TensorFormatException">The file is damaged, or has a component that is not supported.</exception>
    public static Tokenizer Read(ReadOnlyMemory<byte> utf8, string? fileName = null, SpecialTokenIds? specialIds = null) =>
        Read(JsonSource.Parse(utf8, fileName).Properties(), SpecialTokenSettings.Of(specialIds ?? SpecialTokenIds.None));

    /// <summary>Writes a tokenizer, so that <see cref="Read(ReadOnlyMemory{byte}, string, SpecialTokenIds)"/> and Hugging Face's library give the same ids. The same tokenizer gives the same bytes.</summary>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <returns>The file as UTF-8.</returns>
    public static byte[] Write(ByteLevelBpeTokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        ByteLevelBpeVocabulary vocabulary = tokenizer.ToVocabulary();
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, WriterOptions))
        {
            json.WriteStartObject();
            json.WriteString("version", "1.0");
            json.WriteNull("truncation");
            json.WriteNull("padding");
            WriteAddedTokens(json, vocabulary);
            json.WriteNull("normalizer");
            WritePreTokenizer(json, vocabulary.PreTokenizer);
            json.WritePropertyName("post_processor");
            PostProcessorJson.Write(json, vocabulary);
            WriteByteLevel(json, "decoder", useRegex: true);
            WriteModel(json, vocabulary);
            json.WriteEndObject();
        }

        return [.. buffer.WrittenSpan, (byte)'\n'];
    }

    /// <summary>Writes the tokenizer of a GGUF file.</summary>
    /// <param name="vocabulary">The file's metadata.</param>
    /// <returns>The file as UTF-8.</returns>
    /// <exception cref="TensorFormatException">The vocabulary is damaged, or of a kind that is not supported.</exception>
    public static byte[] Write(GgufVocabulary vocabulary) => TokenizerFactory.FromGguf(vocabulary) switch
    {
        ByteLevelBpeTokenizer tokenizer => Write(tokenizer),
        Tokenizer other => throw new NotSupportedException($"A {other.Kind} tokenizer cannot be written as tokenizer.json; byte-level BPE can."),
    };

    internal static JsonWriterOptions WriterOptions { get; } = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, Indented = true, NewLine = "\n" };

    internal static Tokenizer Read(JsonProperties file, SpecialTokenSettings settings)
    {
        JsonProperties model = file.Require("model").Properties();
        // Very old files have no type; their model is BPE when it has merges.
        string type = model.Find("type")?.String() ?? (model.Find("merges") is null ? "without type" : "BPE");
        return Models.TryGetValue(type, out Func<JsonProperties, JsonProperties, SpecialTokenSettings, Tokenizer>? read)
            ? read(file, model, settings)
            : throw model.Unsupported($"The tokenizer model '{type}'", Models.Keys);
    }

    private static ByteLevelBpeTokenizer ReadByteLevelBpe(JsonProperties file, JsonProperties model, SpecialTokenSettings settings)
    {
        ByteLevelBpeVocabulary vocabulary = ByteLevelBpeJson.Read(file, model);
        return new ByteLevelBpeTokenizer(vocabulary, settings.Resolve(vocabulary.Tokens));
    }

    private static void WriteAddedTokens(Utf8JsonWriter json, ByteLevelBpeVocabulary vocabulary)
    {
        json.WriteStartArray("added_tokens");
        foreach (AddedToken token in vocabulary.AddedTokens.OrderBy(token => token.Id))
        {
            json.WriteStartObject();
            json.WriteNumber("id", token.Id);
            json.WriteString("content", token.Content);
            json.WriteBoolean("single_word", token.IsSingleWord);
            json.WriteBoolean("lstrip", token.StripsLeft);
            json.WriteBoolean("rstrip", token.StripsRight);
            json.WriteBoolean("normalized", token.IsNormalized);
            json.WriteBoolean("special", token.IsSpecial);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WritePreTokenizer(Utf8JsonWriter json, PreTokenizer preTokenizer)
    {
        if (preTokenizer.Stages is [Splitting.Gpt2Split only])
        {
            json.WritePropertyName("pre_tokenizer");
            only.WriteJson(json);
            return;
        }

        json.WriteStartObject("pre_tokenizer");
        json.WriteString("type", "Sequence");
        json.WriteStartArray("pretokenizers");
        foreach (Splitting.SplitRule stage in preTokenizer.Stages) stage.WriteJson(json);
        if (preTokenizer.Stages is not [.., Splitting.Gpt2Split]) WriteByteLevel(json, null, useRegex: false);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteByteLevel(Utf8JsonWriter json, string? property, bool useRegex)
    {
        if (property is null) json.WriteStartObject();
        else json.WriteStartObject(property);
        json.WriteString("type", "ByteLevel");
        json.WriteBoolean("add_prefix_space", false);
        json.WriteBoolean("trim_offsets", true);
        json.WriteBoolean("use_regex", useRegex);
        json.WriteEndObject();
    }

    private static void WriteModel(Utf8JsonWriter json, ByteLevelBpeVocabulary vocabulary)
    {
        json.WriteStartObject("model");
        json.WriteString("type", "BPE");
        foreach (string none in (ReadOnlySpan<string>)["dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix"]) json.WriteNull(none);
        json.WriteBoolean("fuse_unk", false);
        json.WriteBoolean("byte_fallback", false);
        json.WriteBoolean("ignore_merges", vocabulary.IgnoreMerges);
        json.WriteStartObject("vocab");
        for (int id = 0; id < vocabulary.Tokens.Count; id++)
        {
            if (vocabulary.Tokens[id] is string token) json.WriteNumber(token, id);
        }

        json.WriteEndObject();
        json.WriteStartArray("merges");
        foreach (BpeMerge merge in vocabulary.Merges)
        {
            json.WriteStartArray();
            json.WriteStringValue(vocabulary.Tokens[merge.Left]);
            json.WriteStringValue(vocabulary.Tokens[merge.Right]);
            json.WriteEndArray();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }
}
