using System.Text.Json;
using TensorCompress.Templates.Execution;
using TensorCompress.Templates.Syntax;
using TensorCompress.Templates.Values;

namespace TensorCompress.Templates;

/// <summary>
/// A Jinja template as chat templates use it: the language, filters and settings of Hugging Face's renderer, which are Python's. A template sees the
/// variables that it is given and a clock, and nothing else; it cannot change them, and <see cref="TemplateLimits"/> bounds what it costs. Immutable and
/// safe for concurrent callers.
/// </summary>
public sealed class JinjaTemplate
{
    private readonly Body _body;
    private readonly string _normalized;
    private readonly TemplateLimits _limits;

    private JinjaTemplate(string source, string normalized, Body body, TemplateLimits limits)
    {
        Source = source;
        _normalized = normalized;
        _body = body;
        _limits = limits;
    }

    /// <summary>The template's text.</summary>
    public string Source { get; }

    /// <summary>Parses a template.</summary>
    /// <param name="source">Its text. Line ends of any kind count as one newline, and one newline at the end is dropped.</param>
    /// <param name="limits">Bounds; null for <see cref="TemplateLimits.Default"/>.</param>
    /// <exception cref="TemplateException">The text is no template, too long, or nested too deep.</exception>
    public static JinjaTemplate Parse(string source, TemplateLimits? limits = null)
    {
        ArgumentNullException.ThrowIfNull(source);
        limits ??= TemplateLimits.Default;
        if (source.Length > limits.SourceLength)
            throw new TemplateException(TemplateErrorKind.Limit, $"a template of {source.Length} characters; at most {limits.SourceLength} are read").At("", 0);
        string normalized = source.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n');
        if (normalized.EndsWith('\n')) normalized = normalized[..^1];
        return new JinjaTemplate(source, normalized, TemplateParser.Parse(normalized, limits.SyntaxDepth), limits);
    }

    /// <summary>Renders the template.</summary>
    /// <param name="variables">A JSON object: its properties are the variables.</param>
    /// <param name="clock">Gives <c>strftime_now</c> its time; null for the system's.</param>
    /// <exception cref="ArgumentException">The variables are no JSON object.</exception>
    /// <exception cref="TemplateException">The template fails on these variables, or costs more than its bounds allow.</exception>
    public RenderedTemplate Render(JsonElement variables, TimeProvider? clock = null)
    {
        if (variables.ValueKind != JsonValueKind.Object) throw new ArgumentException($"A JSON object is required, not {variables.ValueKind}.", nameof(variables));
        return Render(variables.EnumerateObject().Select(property => KeyValuePair.Create(property.Name, Convert(property.Value))), clock);
    }

    internal RenderedTemplate Render(IEnumerable<KeyValuePair<string, Value>> variables, TimeProvider? clock) =>
        Interpreter.Render(_body, _normalized, variables, new RenderContext(_limits, clock ?? TimeProvider.System));

    private static Value Convert(JsonElement value)
    {
        try
        {
            return JsonValues.Of(value);
        }
        catch (TemplateException fault)
        {
            throw fault.At("", 0);
        }
    }
}
