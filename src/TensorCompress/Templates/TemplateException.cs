using System.Globalization;
using TensorCompress.Storage;

namespace TensorCompress.Templates;

/// <summary>The ways in which a template can fail.</summary>
public enum TemplateErrorKind
{
    /// <summary>The text is not a template.</summary>
    Syntax,

    /// <summary>A tag, filter, test or function that is not supported.</summary>
    Unsupported,

    /// <summary>An operation that does not fit its values.</summary>
    Value,

    /// <summary>An attribute, a call or an operation of something that is not defined.</summary>
    Undefined,

    /// <summary>Something that templates must not do, such as changing a list.</summary>
    Forbidden,

    /// <summary>A bound of <see cref="TemplateLimits"/> would be exceeded.</summary>
    Limit,

    /// <summary>The template itself refused its input by <c>raise_exception</c>; the message is the template's.</summary>
    Raised,
}

/// <summary>A template is wrong, asks for too much, or refuses the messages.</summary>
public sealed class TemplateException : Exception
{
    private const int MaxReasonLength = 400;

    private TemplateException(TemplateErrorKind kind, string reason, string message, int line, int column)
        : base(message)
    {
        Kind = kind;
        Reason = reason;
        Line = line;
        Column = column;
    }

    // Thrown where the place is not known; whoever knows it calls At.
    internal TemplateException(TemplateErrorKind kind, string reason)
        : this(kind, reason, reason, 0, 0)
    {
    }

    /// <summary>The way in which it failed.</summary>
    public TemplateErrorKind Kind { get; }

    /// <summary>What was found and what is required; for <see cref="TemplateErrorKind.Raised"/> the text that the template gave.</summary>
    public string Reason { get; }

    /// <summary>Line of the template, from 1.</summary>
    public int Line { get; }

    /// <summary>Column in that line, from 1, in UTF-16 units.</summary>
    public int Column { get; }

    internal bool HasPlace => Line > 0;

    // What a template raises is handed on as it is: it is written for the caller.
    internal TemplateException At(string source, int position)
    {
        ReadOnlySpan<char> before = source.AsSpan(0, Math.Clamp(position, 0, source.Length));
        int line = before.Count('\n') + 1;
        int column = before.Length - before.LastIndexOf('\n');
        string message = Kind == TemplateErrorKind.Raised
            ? Reason
            : string.Create(CultureInfo.InvariantCulture, $"{PrintableText.Of(Reason, MaxReasonLength)} (line {line}, column {column}) [{Kind}]");
        return new TemplateException(Kind, Reason, message, line, column);
    }
}
