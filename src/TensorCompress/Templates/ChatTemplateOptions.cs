using System.Text.Json;

namespace TensorCompress.Templates;

/// <summary>What a chat template is told beside the messages.</summary>
public sealed record ChatTemplateOptions
{
    /// <summary>Whether the text ends with the beginning of the assistant's turn, for the model to go on from.</summary>
    public bool AddGenerationPrompt { get; init; } = true;

    /// <summary>Tools that the model may call: a JSON array of function descriptions; null for none.</summary>
    public JsonElement? Tools { get; init; }

    /// <summary>Documents for models that answer from them: a JSON array; null for none.</summary>
    public JsonElement? Documents { get; init; }

    /// <summary>Further variables that a template may know, such as <c>enable_thinking</c>. They come before the special tokens of the same name.</summary>
    public IReadOnlyDictionary<string, JsonElement> Variables { get; init; } = new Dictionary<string, JsonElement>();

    /// <summary>Which template, where a model has several; null for <c>tool_use</c> where there are tools and it exists, else <c>default</c>.</summary>
    public string? TemplateName { get; init; }

    /// <summary>
    /// Whether a message's <c>reasoning_content</c>, <c>thinking</c> or <c>reasoning</c> is also there under the first two names, as Hugging Face's transformers 5 has it.
    /// </summary>
    public bool CopiesReasoning { get; init; } = true;

    /// <summary>Gives templates that ask for it the date; null for the system's clock.</summary>
    public TimeProvider? Clock { get; init; }
}
