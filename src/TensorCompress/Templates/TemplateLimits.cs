namespace TensorCompress.Templates;

/// <summary>
/// What a template may cost. Templates come with models from strangers: each bound ends in a <see cref="TemplateException"/> of kind
/// <see cref="TemplateErrorKind.Limit"/> instead of a process that hangs or dies.
/// </summary>
public sealed record TemplateLimits
{
    /// <summary>The bounds that are used where a caller gives none; the longest published templates stay far below them.</summary>
    public static TemplateLimits Default { get; } = new();

    /// <summary>UTF-16 units of a template.</summary>
    public int SourceLength { get; init; } = 512 << 10;

    /// <summary>Depth of brackets, operators and blocks within each other.</summary>
    public int SyntaxDepth { get; init; } = 100;

    /// <summary>Steps of one rendering: expressions evaluated, passes of loops, and pieces of 256 characters that an operation looks at.</summary>
    public long Steps { get; init; } = 500_000;

    /// <summary>Macros, calls and recursive loops within each other.</summary>
    public int CallDepth { get; init; } = 250;

    /// <summary>UTF-16 units of the result.</summary>
    public int OutputLength { get; init; } = 4 << 20;

    /// <summary>Bytes of text and lists that one rendering makes, on the way included.</summary>
    public long WorkingBytes { get; init; } = 40 << 20;

    /// <summary>Numbers of a <c>range</c>.</summary>
    public int RangeLength { get; init; } = 100_000;
}
