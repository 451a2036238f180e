using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using TensorCompress.Storage;
using TensorCompress.Tokenization.Decoders;
using TensorCompress.Tokenization.Json;
using TensorCompress.Tokenization.Splitting;
using TensorCompress.Tokenization.Words;

namespace TensorCompress.Tokenization;

/// <summary>
/// Hugging Face's <c>tokenizer.json</c>. Components that are not supported are refused by name. Truncation and padding are the business of who calls a tokenizer, as in
/// Hugging Face's own use of the file, and are passed over.
/// </summary>
public static class TokenizerJson
{
    /// <summary>Reads a tokenizer.</summary>
    /// <param name="utf8">The whole file; not needed after the call.</param>
    /// <param name="fileName">Name for messages, or null.</param>
    /// <param name="specialIds">Ids that begin and end a text (the file itself does not name them), or null for none.</param>
    /// <exception cref="ArgumentException">An id of <paramref name="specialIds"/> is not in the vocabulary.</exception>
    /// <exception cref="TensorFormatException">The file is damaged, or has a component that is not supported.</exception>
    public static Tokenizer Read(ReadOnlyMemory<byte> utf8, string? fileName = null, SpecialTokenIds? specialIds = null) =>
        Read(JsonSource.Parse(utf8, fileName).Properties(), SpecialTokenSettings.Of(specialIds ?? SpecialTokenIds.None));

    /// <summary>Writes a byte-level byte-pair tokenizer, so that <see cref="Read(ReadOnlyMemory{byte}, string, SpecialTokenIds)"/> and Hugging Face's library give the same ids. The same vocabulary gives the same bytes.</summary>
    /// <param name="vocabulary">Its vocabulary.</param>
    /// <returns>The file as UTF-8.</returns>
    public static byte[] Write(ByteLevelBpeVocabulary vocabulary)
    {
        ArgumentNullException.ThrowIfNull(vocabulary);
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, WriterOptions))
        {
            json.WriteStartObject();
            json.WriteString("version", "1.0");
            json.WriteNull("truncation");
            json.WriteNull("padding");
            WriteAddedTokens(json, vocabulary);
            json.WritePropertyName("normalizer");
            json.WriteRawValue(vocabulary.PreTokenizer.NormalizerJson ?? "null");
            json.WritePropertyName("pre_tokenizer");
            json.WriteRawValue(vocabulary.PreTokenizer.Json);
            json.WritePropertyName("post_processor");
            PostProcessorJson.Write(json, vocabulary);
            json.WritePropertyName("decoder");
            json.WriteRawValue("""{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true}""");
            WriteModel(json, vocabulary);
            json.WriteEndObject();
        }

        return [.. buffer.WrittenSpan, (byte)'\n'];
    }

    /// <summary>Writes the tokenizer of a GGUF file.</summary>
    /// <param name="vocabulary">The file's metadata.</param>
    /// <returns>The file as UTF-8.</returns>
    /// <exception cref="NotSupportedException">It is no byte-level byte-pair vocabulary.</exception>
    /// <exception cref="TensorFormatException">The vocabulary is damaged, or of a kind that is not supported.</exception>
    public static byte[] Write(GgufVocabulary vocabulary) => Write(TokenizerFactory.ByteLevelBpeOf(vocabulary, null));

    internal static JsonWriterOptions WriterOptions { get; } = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, Indented = true, NewLine = "\n" };

    internal static SubwordTokenizer Read(JsonProperties file, SpecialTokenSettings settings)
    {
        var vocabulary = new VocabularyReader(file.Source.FileName);
        Func<TokenTable, ModelJson.ModelContext, WordModel> makeModel = ModelJson.Read(file.Require("model").Properties(), vocabulary);
        AddedToken[] addedTokens = file.Find("added_tokens") is JsonSource list ? [.. AddedTokenJson.ReadAll(list, vocabulary)] : [];
        string?[] tokens = vocabulary.TokensById();
        PreTokenizerStage[] stages = file.Find("pre_tokenizer") is JsonSource preTokenizer ? [.. PreTokenizerJson.Read(preTokenizer)] : [];
        (int[] prefix, int[] suffix) = PostProcessorJson.Read(file.Find("post_processor"), tokens);
        HashSet<int> special = [.. addedTokens.Where(token => token.IsSpecial).Select(token => token.Id)];
        var context = new ModelJson.ModelContext(stages is [.., ByteAlphabetStage], special.Contains);
        WordModel model = makeModel(new TokenTable(tokens), context);
        return new SubwordTokenizer(new SubwordParts
        {
            Tokens = tokens,
            Model = model,
            Normalizers = file.Find("normalizer") is JsonSource normalizer ? [.. NormalizerJson.Read(normalizer)] : [],
            Stages = context.TakesBytes ? stages[..^1] : stages,
            Decoders = file.Find("decoder") is JsonSource decoder ? [.. DecoderJson.Read(decoder)] : [new BlankDecoder()],
            AddedTokens = addedTokens,
            PrefixIds = prefix,
            SuffixIds = suffix,
            SpecialIds = settings.Resolve(tokens),
        });
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
