using System.Text.Json;
using TensorCompress.Tokenization;

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

    /// <summary>Holds a tokenizer against the lines of a golden file; returns how many there were.</summary>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <param name="path">The file.</param>
    /// <param name="except">Lines, from 0, whose ids may differ.</param>
    /// <param name="decodes">Whether the decoded texts are compared too.</param>
    public static int Check(Tokenizer tokenizer, string path, IReadOnlySet<int>? except = null, bool decodes = true)
    {
        int count = 0;
        var faults = new List<string>();
        foreach (JsonElement line in Read(path))
        {
            string text = line.GetProperty("text").GetString()!;
            int[] ids = Ids(line);
            bool isExcepted = except?.Contains(count) == true;
            if (!isExcepted && !ids.AsSpan().SequenceEqual(tokenizer.Encode(text, new EncodeOptions(AddSpecialTokens: line.GetProperty("add_special_tokens").GetBoolean())))) faults.Add($"{count}: ids of {text}");
            if (decodes && !Decoded(line, "decoded").Contains(tokenizer.Decode(ids, skipSpecialTokens: false))) faults.Add($"{count}: decoded {text}");
            if (decodes && !Decoded(line, "decoded_skip").Contains(tokenizer.Decode(ids))) faults.Add($"{count}: decoded without special tokens {text}");
            count++;
        }

        Assert.True(faults.Count == 0, $"{faults.Count} faults in {path}: {string.Join("; ", faults.Take(5))}");
        return count;
    }

    // Newer and older versions of the reference decode some added tokens differently; either is right.
    private static string?[] Decoded(JsonElement line, string name) => [Text(line, name), Text(line, name + "_older") ?? Text(line, name)];

    private static string FindCheckout()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "TensorCompress.sln"))) return folder.FullName;
        }

        throw new InvalidOperationException("The tests do not run below the checkout.");
    }
}
