using System.Text.Json;
using TensorCompress.Templates.Values;

namespace TensorCompress.Templates;

/// <summary>
/// Turns the messages of a chat into the one text that a model was trained on. Encode the text without adding special tokens and with their texts parsed:
/// the template writes them itself. Immutable and safe for concurrent callers.
/// </summary>
public sealed class ChatTemplate
{
    /// <summary>The name of a model's only template.</summary>
    public const string DefaultName = "default";

    private const string ToolName = "tool_use";

    private readonly Dictionary<string, Lazy<JinjaTemplate>> _templates;
    private readonly KeyValuePair<string, Value>[] _specialTokens;

    /// <summary>A model's only template.</summary>
    /// <param name="source">The Jinja template; it is parsed when it is first used.</param>
    /// <param name="specialTokens">Texts of special tokens by the names that templates know, such as <c>bos_token</c>; null for none.</param>
    /// <param name="limits">Bounds; null for <see cref="TemplateLimits.Default"/>.</param>
    public ChatTemplate(string source, IReadOnlyDictionary<string, string>? specialTokens = null, TemplateLimits? limits = null)
        : this(new Dictionary<string, string> { [DefaultName] = source }, specialTokens, limits)
    {
    }

    /// <summary>Templates by name.</summary>
    /// <param name="sources">At least one Jinja template; each is parsed when it is first used.</param>
    /// <param name="specialTokens">Texts of special tokens by the names that templates know, such as <c>bos_token</c>; null for none.</param>
    /// <param name="limits">Bounds; null for <see cref="TemplateLimits.Default"/>.</param>
    /// <exception cref="ArgumentException">There is none.</exception>
    public ChatTemplate(IReadOnlyDictionary<string, string> sources, IReadOnlyDictionary<string, string>? specialTokens = null, TemplateLimits? limits = null)
    {
        ArgumentNullException.ThrowIfNull(sources);
        if (sources.Count == 0) throw new ArgumentException("At least one template is required.", nameof(sources));
        Sources = sources;
        SpecialTokens = specialTokens ?? new Dictionary<string, string>();
        _templates = sources.ToDictionary(entry => entry.Key, entry => new Lazy<JinjaTemplate>(() => JinjaTemplate.Parse(entry.Value, limits), LazyThreadSafetyMode.PublicationOnly));
        _specialTokens = [.. SpecialTokens.Select(token => KeyValuePair.Create<string, Value>(token.Key, new TextValue(token.Value)))];
    }

    /// <summary>The templates by name.</summary>
    public IReadOnlyDictionary<string, string> Sources { get; }

    /// <summary>Texts of special tokens by the names that templates know.</summary>
    public IReadOnlyDictionary<string, string> SpecialTokens { get; }

    /// <summary>Reads the template of a checkpoint folder: <c>chat_template.jinja</c>, else <c>chat_template.json</c>, else the one in <c>tokenizer_config.json</c>.</summary>
    /// <param name="folder">The folder.</param>
    /// <returns>Null where there is none.</returns>
    /// <exception cref="Storage.TensorFormatException">A file is damaged.</exception>
    public static ChatTemplate? ReadFolder(string folder) => ChatTemplateFiles.Read(folder);

    /// <summary>Renders messages.</summary>
    /// <param name="messages">The chat so far.</param>
    /// <param name="options">Tools, variables, and whether the assistant's turn begins; null for the defaults.</param>
    /// <exception cref="ArgumentException">There is no template of the name.</exception>
    /// <exception cref="TemplateException">The template is wrong, or refuses the messages, for instance because roles do not alternate.</exception>
    public RenderedTemplate Render(IReadOnlyList<ChatMessage> messages, ChatTemplateOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(messages);
        options ??= new ChatTemplateOptions();
        JinjaTemplate template = Choose(options);
        try
        {
            return template.Render(Variables(messages, options), options.Clock);
        }
        catch (TemplateException fault) when (!fault.HasPlace) // a variable that cannot be converted
        {
            throw fault.At("", 0);
        }
    }

    private JinjaTemplate Choose(ChatTemplateOptions options)
    {
        string name = options.TemplateName ?? (options.Tools is not null && _templates.ContainsKey(ToolName) ? ToolName : DefaultName);
        if (_templates.TryGetValue(name, out Lazy<JinjaTemplate>? template)) return template.Value;
        if (options.TemplateName is null && _templates.Count == 1) return _templates.Values.Single().Value;
        throw new ArgumentException($"There is no template '{name}'; templates: {string.Join(", ", _templates.Keys)}.", nameof(options));
    }

    private IEnumerable<KeyValuePair<string, Value>> Variables(IReadOnlyList<ChatMessage> messages, ChatTemplateOptions options)
    {
        foreach (KeyValuePair<string, Value> token in _specialTokens) yield return token;
        yield return new("messages", new ListValue([.. messages.Select(message => WithAliases(message.ToValue(), options.CopiesReasoning))]));
        yield return new("tools", OrNone(options.Tools));
        yield return new("documents", OrNone(options.Documents));
        yield return new("add_generation_prompt", BooleanValue.Of(options.AddGenerationPrompt));
        foreach ((string name, JsonElement value) in options.Variables) yield return new(name, JsonValues.Of(value));
    }

    private static Value OrNone(JsonElement? value) => value is JsonElement json ? JsonValues.Of(json) : NoneValue.None;

    private static DictValue WithAliases(DictValue message, bool copiesReasoning)
    {
        if (!copiesReasoning) return message;
        Value? reasoning = Find("reasoning_content") ?? Find("thinking") ?? Find("reasoning");
        if (reasoning is null) return message;
        if (Find("reasoning_content") is null) message.Set("reasoning_content", reasoning);
        if (Find("thinking") is null) message.Set("thinking", reasoning);
        return message;

        Value? Find(string name) => message.Find(new TextValue(name));
    }
}
