using System.Text;
using System.Text.Json;
using TensorCompress.Storage;

namespace TensorCompress.Models;

/// <summary>Finds the chat template among the files that travel with a model.</summary>
internal static class ChatTemplateFiles
{
    private const string TemplateFile = "chat_template.jinja";
    private const string Property = "chat_template";

    /// <summary>The text of <c>chat_template.jinja</c>, else that of <c>tokenizer_config.json</c> (of several the one named <c>default</c>), else null.</summary>
    public static string? Read(IReadOnlyList<CompanionFile> files)
    {
        if (Bytes(files, TemplateFile) is { } template) return Encoding.UTF8.GetString(template);
        if (Bytes(files, "tokenizer_config.json") is not { } settings) return null;
        using JsonDocument document = JsonDocuments.Parse(settings, "tokenizer_config.json");
        if (!document.RootElement.TryGetProperty(Property, out JsonElement value)) return null;
        return value.ValueKind switch
        {
            JsonValueKind.String => value.GetString(),
            JsonValueKind.Array => value.EnumerateArray().Where(IsDefault).Select(entry => entry.GetProperty("template").GetString()).FirstOrDefault(),
            _ => null,
        };
    }

    private static bool IsDefault(JsonElement entry) =>
        entry.ValueKind == JsonValueKind.Object && entry.TryGetProperty("name", out JsonElement name) && name.ValueKind == JsonValueKind.String && name.GetString() == "default"
        && entry.TryGetProperty("template", out JsonElement template) && template.ValueKind == JsonValueKind.String;

    private static byte[]? Bytes(IReadOnlyList<CompanionFile> files, string name) => files.FirstOrDefault(file => file.Name == name)?.ReadAll();
}
