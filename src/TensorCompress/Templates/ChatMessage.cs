using System.Text.Json;
using TensorCompress.Templates.Values;

namespace TensorCompress.Templates;

/// <summary>A message of a chat.</summary>
public sealed class ChatMessage
{
    private readonly JsonElement? _json;

    /// <summary>A message of text.</summary>
    /// <param name="role">Who speaks: usually <c>system</c>, <c>user</c>, <c>assistant</c> or <c>tool</c>; the model's template decides which there are.</param>
    /// <param name="content">What is said.</param>
    public ChatMessage(string role, string content)
    {
        ArgumentNullException.ThrowIfNull(role);
        ArgumentNullException.ThrowIfNull(content);
        Role = role;
        Content = content;
    }

    private ChatMessage(JsonElement json)
    {
        _json = json;
        Role = Text(json, "role");
        Content = Text(json, "content");
    }

    /// <summary>Who speaks; null where a message from JSON does not say.</summary>
    public string? Role { get; }

    /// <summary>What is said; null where a message from JSON has none, or has parts instead of text.</summary>
    public string? Content { get; }

    /// <summary>A message with further properties, such as <c>tool_calls</c>, <c>name</c> or content in parts, as the templates know them.</summary>
    /// <param name="message">A JSON object; it is kept, so its document must stay open.</param>
    /// <exception cref="ArgumentException">It is no object.</exception>
    public static ChatMessage FromJson(JsonElement message) => message.ValueKind == JsonValueKind.Object
        ? new ChatMessage(message)
        : throw new ArgumentException($"A message is a JSON object, not {message.ValueKind}.", nameof(message));

    /// <summary>The messages of a JSON array.</summary>
    /// <exception cref="ArgumentException">It is no array, or not of objects.</exception>
    public static IReadOnlyList<ChatMessage> ListFromJson(JsonElement messages) => messages.ValueKind == JsonValueKind.Array
        ? [.. messages.EnumerateArray().Select(FromJson)]
        : throw new ArgumentException($"Messages are a JSON array, not {messages.ValueKind}.", nameof(messages));

    internal DictValue ToValue()
    {
        if (_json is JsonElement json) return (DictValue)JsonValues.Of(json);
        var value = new DictValue(2);
        value.Set("role", new TextValue(Role!));
        value.Set("content", new TextValue(Content!));
        return value;
    }

    private static string? Text(JsonElement json, string name) => json.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
