using TensorCompress.Storage;

namespace TensorCompress.Tokenization.Json;

/// <summary>Which tokens begin and end a text, by id or by text, as a model's configuration files name them.</summary>
internal sealed record SpecialTokenSettings
{
    private const long MaxConfigBytes = 16L << 20;

    public int? BeginId { get; init; }

    public IReadOnlyList<int> EndIds { get; init; } = [];

    public string? BeginToken { get; init; }

    public string? EndToken { get; init; }

    /// <summary>File that named the ids, for messages; null where a caller did.</summary>
    public string? FileName { get; init; }

    public static SpecialTokenSettings Of(SpecialTokenIds ids) => new() { BeginId = ids.BeginOfText, EndIds = ids.EndOfText };

    /// <summary>Reads the files beside a model: ids from generation_config.json, what it lacks from config.json, texts from tokenizer_config.json.</summary>
    public static SpecialTokenSettings ReadFolder(string folder)
    {
        var settings = new SpecialTokenSettings();
        foreach (string name in (ReadOnlySpan<string>)["generation_config.json", "config.json"])
        {
            if (ReadConfig(folder, name) is JsonProperties config) settings = settings.OrIdsOf(config);
        }

        return ReadConfig(folder, "tokenizer_config.json") is JsonProperties tokenizer
            ? settings with { BeginToken = TextOf(tokenizer, "bos_token"), EndToken = TextOf(tokenizer, "eos_token") }
            : settings;
    }

    public static JsonProperties? ReadConfig(string folder, string name)
    {
        string path = Path.Combine(folder, name);
        return File.Exists(path) ? JsonSource.Parse(TokenizerFile.ReadAllBytes(path, MaxConfigBytes), path).Properties() : null;
    }

    /// <summary>Finds the ids in a vocabulary. A text that is not in it counts as not given.</summary>
    public SpecialTokenIds Resolve(IReadOnlyList<string?> tokens)
    {
        int? begin = BeginId ?? Find(tokens, BeginToken);
        // Chat models often name the end of a turn only in one of the places, so that all count.
        var ids = new SpecialTokenIds(begin, Find(tokens, EndToken) is int end ? EndIds.Append(end) : EndIds);
        foreach (int id in begin is int first ? ids.EndOfText.Prepend(first) : ids.EndOfText)
        {
            if (FileName is not null && id >= tokens.Count)
                throw new TensorFormatException(TensorFormatError.Inconsistent, $"The special id {id} is not in the vocabulary of {tokens.Count} tokens.", FileName);
        }

        return ids;
    }

    private SpecialTokenSettings OrIdsOf(JsonProperties config)
    {
        // Models of several parts keep the ids with their language model.
        JsonProperties? inner = config.Find("text_config")?.Properties();
        JsonSource? begin = config.Find("bos_token_id") ?? inner?.Find("bos_token_id");
        JsonSource? end = config.Find("eos_token_id") ?? inner?.Find("eos_token_id");
        return this with
        {
            BeginId = BeginId ?? (begin is JsonSource id ? id.Id() : null),
            EndIds = EndIds.Count > 0 || end is not JsonSource ids ? EndIds : ids.Utf8.Span[0] == '[' ? [.. ids.Items().Select(item => item.Id())] : [ids.Id()],
            FileName = FileName ?? config.Source.FileName,
        };
    }

    // A token is its text, or an object that describes it.
    private static string? TextOf(JsonProperties config, string name) => config.Find(name) switch
    {
        null => null,
        JsonSource value when value.Utf8.Span[0] == '{' => value.Properties().Require("content").String(),
        JsonSource value => value.String(),
    };

    private static int? Find(IReadOnlyList<string?> tokens, string? text)
    {
        for (int id = 0; text is not null && id < tokens.Count; id++)
        {
            if (tokens[id] == text) return id;
        }

        return null;
    }
}
