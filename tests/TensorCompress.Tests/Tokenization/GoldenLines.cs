using System.Text.Json;

namespace TensorCompress.Tests.Tokenization;

/// <summary>Lines of JSON with texts and their ids.</summary>
internal static class GoldenLines
{
    public static IEnumerable<JsonElement> Read(string path)
    {
        foreach (string line in File.ReadLines(path))
        {
            if (line.Length > 0) yield return JsonDocument.Parse(line).RootElement;
        }
    }

    public static int[] Ids(JsonElement line, string name = "ids") => [.. line.GetProperty(name).EnumerateArray().Select(id => id.GetInt32())];

    public static string? Text(JsonElement line, string name) => line.TryGetProperty(name, out JsonElement value) ? value.GetString() : null;
}
