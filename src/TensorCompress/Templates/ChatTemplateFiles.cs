using System.Text.Json;
using System.Text.Unicode;
using TensorCompress.Storage;

namespace TensorCompress.Templates;

/// <summary>The places where a checkpoint folder keeps its chat template.</summary>
internal static class ChatTemplateFiles
{
    private const string JinjaName = "chat_template.jinja";
    private const string JsonName = "chat_template.json";
    private const string ConfigName = "tokenizer_config.json";
    private const string TokensName = "special_tokens_map.json";
    private const string Property = "chat_template";
    private const string FurtherFolder = "additional_chat_templates";
    private const long MaxTemplateBytes = 4 << 20;

    private static readonly string[] TokenNames = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

    public static ChatTemplate? Read(string folder)
    {
        var tokens = new Dictionary<string, string>();
        Dictionary<string, string> sources = ReadConfig(Path.Combine(folder, ConfigName), tokens);
        ReadConfig(Path.Combine(folder, TokensName), tokens);
        Dictionary<string, string> separate = ReadConfig(Path.Combine(folder, JsonName), []);
        if (separate.Count > 0) sources = separate;
        Dictionary<string, string> files = ReadFiles(folder);
        if (files.Count > 0) sources = files;
        return sources.Count > 0 ? new ChatTemplate(sources, tokens) : null;
    }

    private static Dictionary<string, string> ReadFiles(string folder)
    {
        var sources = new Dictionary<string, string>();
        string main = Path.Combine(folder, JinjaName), further = Path.Combine(folder, FurtherFolder);
        if (File.Exists(main)) sources[ChatTemplate.DefaultName] = ReadText(main);
        if (!Directory.Exists(further)) return sources;
        foreach (string file in Directory.EnumerateFiles(further, "*.jinja").Order(StringComparer.Ordinal)) sources.TryAdd(Path.GetFileNameWithoutExtension(file), ReadText(file));
        return sources;
    }

    private static string ReadText(string path)
    {
        using ByteSource source = ByteSource.OpenFile(path);
        if (source.Length > MaxTemplateBytes) throw new TensorFormatException(TensorFormatError.Limit, $"a template of {source.Length} bytes; at most {MaxTemplateBytes} are read", path);
        var bytes = new byte[source.Length];
        source.Read(0, bytes);
        return Utf8.IsValid(bytes) ? System.Text.Encoding.UTF8.GetString(bytes) : throw new TensorFormatException(TensorFormatError.Encoding, "not valid UTF-8", path);
    }

    // Tokens that are there already stay; templates are given back.
    private static Dictionary<string, string> ReadConfig(string path, Dictionary<string, string> tokens)
    {
        if (!File.Exists(path)) return [];
        using JsonDocument config = JsonDocuments.Read(path);
        foreach (string name in TokenNames)
        {
            if (config.RootElement.TryGetProperty(name, out JsonElement value) && TokenText(value, name, path) is string text) tokens.TryAdd(name, text);
        }

        return config.RootElement.TryGetProperty(Property, out JsonElement template) ? Templates(template, path) : [];
    }

    // A text, or an object that describes the token.
    private static string? TokenText(JsonElement value, string name, string path) => value.ValueKind switch
    {
        JsonValueKind.Null => null,
        JsonValueKind.String => value.GetString(),
        JsonValueKind.Object when value.TryGetProperty("content", out JsonElement content) && content.ValueKind == JsonValueKind.String => content.GetString(),
        _ => throw new TensorFormatException(TensorFormatError.Type, $"{name} is neither a text nor an object with a content", path),
    };

    // One text, or a list of objects with name and template; the newest writers use an object of texts.
    private static Dictionary<string, string> Templates(JsonElement value, string path)
    {
        var sources = new Dictionary<string, string>();
        switch (value.ValueKind)
        {
            case JsonValueKind.Null:
                break;
            case JsonValueKind.String:
                sources[ChatTemplate.DefaultName] = value.GetString()!;
                break;
            case JsonValueKind.Array:
                foreach (JsonElement entry in value.EnumerateArray()) Add(Required(entry, "name"), Required(entry, "template"));
                break;
            case JsonValueKind.Object:
                foreach (JsonProperty entry in value.EnumerateObject()) Add(entry.Name, TextOf(entry.Value, entry.Name));
                break;
            default:
                throw new TensorFormatException(TensorFormatError.Type, $"{Property} is neither a text nor a list of named templates", path);
        }

        return sources;

        void Add(string name, string source)
        {
            if (!sources.TryAdd(name, source)) throw new TensorFormatException(TensorFormatError.Duplicate, $"two templates are named {name}", path);
        }

        string Required(JsonElement entry, string name) => entry.ValueKind == JsonValueKind.Object && entry.TryGetProperty(name, out JsonElement text)
            ? TextOf(text, name)
            : throw new TensorFormatException(TensorFormatError.Structure, $"a named template lacks its {name}", path);

        string TextOf(JsonElement text, string name) => text.ValueKind == JsonValueKind.String
            ? text.GetString()!
            : throw new TensorFormatException(TensorFormatError.Type, $"the {name} of a template is no text", path);
    }
}
