namespace TensorCompress.Templates;

/// <summary>A part of a text.</summary>
/// <param name="Start">First UTF-16 unit.</param>
/// <param name="Length">UTF-16 units.</param>
public readonly record struct TextSpan(int Start, int Length)
{
    /// <summary>The unit after the last.</summary>
    public int End => Start + Length;
}

/// <summary>What a template made of its variables.</summary>
/// <param name="Text">The text.</param>
/// <param name="GenerationSpans">What stood in <c>{% generation %}</c> blocks: the words of the assistant, in order.</param>
public sealed record RenderedTemplate(string Text, IReadOnlyList<TextSpan> GenerationSpans);
