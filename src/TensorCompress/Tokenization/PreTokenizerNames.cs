using System.Text.Json;
using System.Text.Json.Nodes;

namespace TensorCompress.Tokenization;

/// <summary>Finds the name under which GGUF files know the components of a tokenizer.json. Spellings that cut texts alike are alike.</summary>
internal static class PreTokenizerNames
{
    /// <summary>The name, or null where GGUF has none.</summary>
    /// <param name="preTokenizer">The <c>pre_tokenizer</c>, or null.</param>
    /// <param name="normalizer">The <c>normalizer</c>, or null.</param>
    /// <param name="ignoresMerges">Whether words that are tokens are taken as they are.</param>
    public static string? Find(JsonNode? preTokenizer, JsonNode? normalizer, bool ignoresMerges)
    {
        JsonNode? wanted = Canonical(preTokenizer), wantedNormalizer = Canonical(normalizer);
        return PreTokenizers.Names.Select(PreTokenizers.Get).FirstOrDefault(known =>
            known.IgnoresMerges == ignoresMerges
            && JsonNode.DeepEquals(Canonical(JsonNode.Parse(known.Json)), wanted)
            && JsonNode.DeepEquals(Canonical(known.NormalizerJson is null ? null : JsonNode.Parse(known.NormalizerJson)), wantedNormalizer))?.Name;
    }

    private static JsonNode? Canonical(JsonNode? node)
    {
        if (node is not JsonObject component) return null;
        string? type = component["type"]?.GetValueKind() == JsonValueKind.String ? component["type"]!.GetValue<string>() : null;
        string list = type == "Sequence" && component.ContainsKey("normalizers") ? "normalizers" : "pretokenizers";
        if (type == "Sequence" && component[list] is JsonArray items)
        {
            JsonNode?[] inner = [.. items.Select(Canonical)];
            return inner.Length == 1 ? inner[0]?.DeepClone() : new JsonObject { ["type"] = type, [list] = new JsonArray([.. inner.Select(item => item?.DeepClone())]) };
        }

        var canonical = component.DeepClone().AsObject();
        canonical.Remove("trim_offsets"); // only where pieces come from, not which
        if (type == "ByteLevel" && !canonical.ContainsKey("use_regex")) canonical["use_regex"] = true;
        // Taking away what is not matched leaves the matches, as keeping each match does where everything is matched.
        if (type == "Split" && IsTrue(canonical["invert"]) && canonical["behavior"]?.ToString() == "Removed") (canonical["behavior"], canonical["invert"]) = ("Isolated", false);
        return canonical;
    }

    private static bool IsTrue(JsonNode? node) => node?.GetValueKind() == JsonValueKind.True;
}
