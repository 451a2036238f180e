using System.Text.Json;
using System.Text.Json.Nodes;
using TensorCompress.Storage;
using TensorCompress.Storage.Gguf;
using TensorCompress.Tokenization;

namespace TensorCompress.Models.Gguf;

/// <summary>Writes what a tokenizer.json says into GGUF metadata: byte-level BPE, and SentencePiece's BPE in its JSON form.</summary>
internal sealed class GgufTokenizerJson
{
    private readonly JsonObject _root;
    private readonly JsonObject _model;

    private GgufTokenizerJson(JsonObject root, JsonObject model) => (_root, _model) = (root, model);

    /// <summary>Reads the file of a tokenizer that has been loaded, so that its parts are sound.</summary>
    /// <returns>Null where the model is no BPE.</returns>
    public static GgufTokenizerJson? Read(byte[] utf8)
    {
        using JsonDocument document = JsonDocuments.Parse(utf8, "tokenizer.json");
        JsonObject root = JsonObject.Create(document.RootElement.Clone())!;
        return root["model"] is JsonObject model && model["merges"] is JsonArray && model["vocab"] is JsonObject ? new GgufTokenizerJson(root, model) : null;
    }

    /// <summary>Writes model, names and lists.</summary>
    /// <returns>Why GGUF cannot hold it, or null.</returns>
    public string? Write(GgufMetadataBuilder metadata, TokenList tokens)
    {
        foreach ((string text, JsonNode? id) in (JsonObject)_model["vocab"]!) tokens.Set(id!.GetValue<int>(), text, TokenList.Normal);
        bool isByteFallback = IsTrue(_model["byte_fallback"]);
        string? name = PreTokenizerNames.Find(_root["pre_tokenizer"], _root["normalizer"], IsTrue(_model["ignore_merges"]));
        if (!isByteFallback && name is null) return "GGUF has no name for the tokenizer's way of cutting words";
        if (isByteFallback) WriteScores(metadata, tokens);
        foreach (JsonNode? added in _root["added_tokens"] as JsonArray ?? [])
            tokens.Set(added!["id"]!.GetValue<int>(), added["content"]!.GetValue<string>(), IsTrue(added["special"]) ? TokenList.Control : TokenList.UserDefined);
        tokens.Write(metadata, isByteFallback ? "llama" : "gpt2", name ?? "default");
        if (!isByteFallback) metadata.Add(TokenList.Prefix + "merges", Merges().Select(merge => $"{merge.Left} {merge.Right}"));
        return null;
    }

    // SentencePiece merges by score: the rank of the first merge that makes a token, negated, puts them in the order of the ranks.
    private void WriteScores(GgufMetadataBuilder metadata, TokenList tokens)
    {
        var scores = new float[tokens.Count];
        var vocabulary = (JsonObject)_model["vocab"]!;
        var seen = new HashSet<int>();
        int rank = 0;
        foreach ((string left, string right) in Merges())
        {
            int id = vocabulary[left + right]!.GetValue<int>();
            if (seen.Add(id)) scores[id] = -rank;
            rank++;
        }

        foreach ((string text, JsonNode? id) in vocabulary)
        {
            if (text.Length == 6 && text.StartsWith("<0x", StringComparison.Ordinal) && text[5] == '>') tokens.Set(id!.GetValue<int>(), text, TokenList.Byte);
        }

        if (_model["unk_token"] is JsonValue unknown && vocabulary[unknown.ToString()] is { } unknownId)
        {
            tokens.Set(unknownId.GetValue<int>(), unknown.ToString(), TokenList.Unknown);
            metadata.Add(TokenList.Prefix + "unknown_token_id", (uint)unknownId.GetValue<int>());
        }

        metadata.Add(TokenList.Prefix + "scores", scores.AsSpan());
        metadata.Add(TokenList.Prefix + "add_space_prefix", PrependsBlank());
    }

    private bool PrependsBlank() =>
        _root["normalizer"]?.ToJsonString().Contains("\"Prepend\"", StringComparison.Ordinal) == true
        || (_root["pre_tokenizer"]?.ToJsonString() is { } text && text.Contains("\"Metaspace\"", StringComparison.Ordinal) && !text.Contains("\"never\"", StringComparison.Ordinal)
            && !text.Contains("\"add_prefix_space\":false", StringComparison.Ordinal));

    // Older files write a merge as one text with a blank, newer ones as a pair.
    private IEnumerable<(string Left, string Right)> Merges()
    {
        foreach (JsonNode? merge in (JsonArray)_model["merges"]!)
        {
            if (merge is JsonArray pair)
            {
                yield return (pair[0]!.GetValue<string>(), pair[1]!.GetValue<string>());
                continue;
            }

            string text = merge!.GetValue<string>();
            int blank = text.IndexOf(' ', 1);
            yield return (text[..blank], text[(blank + 1)..]);
        }
    }

    private static bool IsTrue(JsonNode? node) => node?.GetValueKind() == JsonValueKind.True;
}
