using System.Text.Json;

namespace TensorCompress.Tests.Tokenization;

/// <summary>Small files with texts and their ids, kept with the tests; lines of JSON.</summary>
internal static class GoldenLines
{
    private static readonly string Folder = Path.Combine(FindCheckout(), "tests", "TensorCompress.Tests", "Goldens", "Tokenization");

    public static string FilePath(string relative) => Path.Combine(Folder, relative);

    public static byte[] Bytes(string relative) => File.ReadAllBytes(FilePath(relative));

    public static IEnumerable<JsonElement> Read(string path)
    {
        foreach (string line in File.ReadLines(path))
        {
            if (line.Length > 0) yield return JsonDocument.Parse(line).RootElement;
        }
    }

    public static int[] Ids(JsonElement line, string name = "ids") => [.. line.GetProperty(name).EnumerateArray().Select(id => id.GetInt32())];

    public static string? Text(JsonElement line, string name) => line.TryGetProperty(name, out JsonElement value) ? value.GetString() : null;

    private static string FindCheckout()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "TensorCompress.sln"))) return folder.FullName;
        }

        throw new InvalidOperationException("The tests do not run below the checkout.");
    }
}
