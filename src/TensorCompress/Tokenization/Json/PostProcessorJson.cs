using System.Text.Json;
using TensorCompress.Storage;

namespace TensorCompress.Tokenization.Json;

/// <summary>The <c>post_processor</c> of a tokenizer.json: which ids stand around each text.</summary>
internal static class PostProcessorJson
{
    private delegate void Reader(JsonProperties properties, List<int> prefix, List<int> suffix);

    private static readonly Dictionary<string, Reader> Readers = new(StringComparer.Ordinal)
    {
        ["ByteLevel"] = static (_, _, _) => { }, // changes offsets only
        ["TemplateProcessing"] = ReadTemplate,
        ["BertProcessing"] = ReadPair,
        ["RobertaProcessing"] = ReadPair,
        ["Sequence"] = static (properties, prefix, suffix) =>
        {
            foreach (JsonSource item in properties.Require("processors").Items()) Read(item, prefix, suffix);
        },
    };

    /// <summary>Reads which ids stand before and behind a text; null is none.</summary>
    public static (int[] Prefix, int[] Suffix) Read(JsonSource? source, IReadOnlyList<string?> tokens)
    {
        var prefix = new List<int>();
        var suffix = new List<int>();
        if (source is not JsonSource processor) return ([], []);
        Read(processor, prefix, suffix);
        foreach (int id in prefix.Concat(suffix))
        {
            if (id >= tokens.Count || tokens[id] is null) throw processor.Fault(TensorFormatError.Inconsistent, $"The post-processor's id {id} is no token.");
        }

        return ([.. prefix], [.. suffix]);
    }

    private static void Read(JsonSource source, List<int> prefix, List<int> suffix)
    {
        JsonProperties properties = source.Properties();
        string type = properties.Type();
        if (!Readers.TryGetValue(type, out Reader? read)) throw properties.Unsupported($"The post-processor '{type}'", Readers.Keys);
        read(properties, prefix, suffix);
    }

    /// <summary>Writes what <see cref="Read(JsonSource?, IReadOnlyList{string?})"/> gives, or null where nothing stands around a text.</summary>
    public static void Write(Utf8JsonWriter json, ByteLevelBpeVocabulary vocabulary)
    {
        if (vocabulary.PrefixIds.Count + vocabulary.SuffixIds.Count == 0)
        {
            json.WriteNullValue();
            return;
        }

        json.WriteStartObject();
        json.WriteString("type", "TemplateProcessing");
        json.WriteStartArray("single");
        WriteSequence(json, vocabulary, "A", 0);
        json.WriteEndArray();
        json.WriteStartArray("pair");
        WriteSequence(json, vocabulary, "A", 0);
        WriteSequence(json, vocabulary, "B", 1);
        json.WriteEndArray();
        json.WriteStartObject("special_tokens");
        foreach (int id in vocabulary.PrefixIds.Concat(vocabulary.SuffixIds).Distinct())
        {
            string token = vocabulary.Tokens[id]!;
            json.WriteStartObject(token);
            json.WriteString("id", token);
            json.WriteStartArray("ids");
            json.WriteNumberValue(id);
            json.WriteEndArray();
            json.WriteStartArray("tokens");
            json.WriteStringValue(token);
            json.WriteEndArray();
            json.WriteEndObject();
        }

        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void ReadTemplate(JsonProperties properties, List<int> prefix, List<int> suffix)
    {
        JsonProperties tokens = properties.Require("special_tokens").Properties();
        var before = new List<int>();
        var after = new List<int>();
        int texts = 0;
        foreach (JsonSource item in properties.Require("single").Items())
        {
            JsonProperties step = item.Properties();
            if (step.Find("Sequence") is not null) texts++;
            else
            {
                string name = step.Require("SpecialToken").Properties().Require("id").String();
                (texts == 0 ? before : after).AddRange(tokens.Require(name).Properties().Require("ids").Items().Select(id => id.Id()));
            }
        }

        if (texts != 1) throw properties.Source.Fault(TensorFormatError.Structure, $"The template for a single text has {texts} of them.");
        // A later processor of a sequence puts its ids around what the earlier ones gave.
        prefix.InsertRange(0, before);
        suffix.AddRange(after);
    }

    // Two tokens, each ["text", id]: one before the text, one behind it.
    private static void ReadPair(JsonProperties properties, List<int> prefix, List<int> suffix)
    {
        prefix.Insert(0, IdOf(properties.Require("cls")));
        suffix.Add(IdOf(properties.Require("sep")));

        static int IdOf(JsonSource token) => token.Items().ToArray() is [_, JsonSource id] ? id.Id() : throw token.Fault(TensorFormatError.Structure, "A text and an id are required here.");
    }

    private static void WriteSequence(Utf8JsonWriter json, ByteLevelBpeVocabulary vocabulary, string name, int typeId)
    {
        foreach (int id in vocabulary.PrefixIds) WriteStep(json, "SpecialToken", vocabulary.Tokens[id]!, typeId);
        WriteStep(json, "Sequence", name, typeId);
        foreach (int id in vocabulary.SuffixIds) WriteStep(json, "SpecialToken", vocabulary.Tokens[id]!, typeId);
    }

    private static void WriteStep(Utf8JsonWriter json, string kind, string id, int typeId)
    {
        json.WriteStartObject();
        json.WriteStartObject(kind);
        json.WriteString("id", id);
        json.WriteNumber("type_id", typeId);
        json.WriteEndObject();
        json.WriteEndObject();
    }
}
