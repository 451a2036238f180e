using System.Text.Json;
using TensorCompress.Tokenization;

namespace TensorCompress.Tests.Tokenization;

/// <summary>Byte-level vocabularies of the golden files as plain data, read by the plainest code.</summary>
internal static class GoldenVocabularies
{
    public static ByteLevelBpeVocabulary Read(string name) => name == "gpt2" ? ReadGpt2() : ReadJson(GoldenLines.FilePath(name + "/tokenizer.json"), PreTokenizers.SmolLm);

    public static ByteLevelBpeVocabulary ReadJson(string path, PreTokenizer preTokenizer)
    {
        JsonElement file = JsonDocument.Parse(File.ReadAllBytes(path)).RootElement;
        JsonElement model = file.GetProperty("model");
        Dictionary<string, int> ids = model.GetProperty("vocab").EnumerateObject().ToDictionary(token => token.Name, token => token.Value.GetInt32());
        AddedToken[] added = [.. file.GetProperty("added_tokens").EnumerateArray().Select(token => new AddedToken(token.GetProperty("id").GetInt32(), token.GetProperty("content").GetString()!, token.GetProperty("special").GetBoolean()))];
        foreach (AddedToken token in added) ids[token.Content] = token.Id;
        IEnumerable<string[]> merges = model.GetProperty("merges").EnumerateArray().Select(merge => merge.EnumerateArray().Select(part => part.GetString()!).ToArray());
        return Make(ids, merges, preTokenizer) with { AddedTokens = added };
    }

    private static ByteLevelBpeVocabulary ReadGpt2()
    {
        Dictionary<string, int> ids = JsonSerializer.Deserialize<Dictionary<string, int>>(GoldenLines.Bytes("gpt2/vocab.json"))!;
        return Make(ids, File.ReadLines(GoldenLines.FilePath("gpt2/merges.txt")).Where(line => line.Length > 0 && !line.StartsWith("#version", StringComparison.Ordinal)).Select(line => line.Split(' ')), PreTokenizers.Gpt2);
    }

    private static ByteLevelBpeVocabulary Make(Dictionary<string, int> ids, IEnumerable<string[]> merges, PreTokenizer preTokenizer)
    {
        var tokens = new string?[ids.Values.Max() + 1];
        foreach ((string token, int id) in ids) tokens[id] = token;
        return new ByteLevelBpeVocabulary
        {
            Tokens = tokens,
            Merges = [.. merges.Select(merge => new BpeMerge(ids[merge[0]], ids[merge[1]], ids[merge[0] + merge[1]]))],
            PreTokenizer = preTokenizer,
        };
    }
}
