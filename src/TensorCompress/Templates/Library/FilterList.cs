using TensorCompress.Templates.Execution;
using TensorCompress.Templates.Values;

namespace TensorCompress.Templates.Library;

/// <summary>The filters: the one list of them.</summary>
internal static class FilterList
{
    private static readonly Dictionary<string, Func<RenderContext, Value, Arguments, Value>> All = new(StringComparer.Ordinal)
    {
        // Numbers
        ["abs"] = Of("abs", "", NumberFilters.Abs),
        ["float"] = Of("float", "default", NumberFilters.Float),
        ["int"] = Of("int", "default base", NumberFilters.Int),
        ["round"] = Of("round", "precision method", NumberFilters.Round),
        ["sum"] = Of("sum", "attribute start", NumberFilters.Sum),

        // Texts
        ["capitalize"] = OfText("capitalize", "", (context, text, _) => PythonCharacters.Capitalize(text)),
        ["center"] = OfText("center", "width", (context, text, arguments) => TextMethods.Center(context, text, arguments.Whole(0, 80), ' ')),
        ["e"] = OfText("escape", "", (context, text, _) => TextFilters.Escape(text)),
        ["escape"] = OfText("escape", "", (context, text, _) => TextFilters.Escape(text)),
        ["forceescape"] = OfText("forceescape", "", (context, text, _) => TextFilters.Escape(text)),
        ["format"] = TextFilters.Format,
        ["indent"] = OfTextAlone("indent", "width first blank", TextFilters.Indent),
        ["lower"] = OfText("lower", "", (context, text, _) => PythonCharacters.Lower(text)),
        ["replace"] = OfText("replace", "old new count", TextFilters.Replace),
        ["safe"] = OfText("safe", "", (_, text, _) => text),
        ["string"] = OfText("string", "", (_, text, _) => text),
        ["striptags"] = OfText("striptags", "", (context, text, _) => TextFilters.StripTags(text)),
        ["title"] = OfText("title", "", (context, text, _) => TextFilters.Title(text)),
        ["trim"] = OfText("trim", "chars", (context, text, arguments) => TextMethods.Strip(context, text, arguments.Text(0), fromStart: true, fromEnd: true)),
        ["truncate"] = OfTextAlone("truncate", "length killwords end leeway", TextFilters.Truncate),
        ["upper"] = OfText("upper", "", (context, text, _) => PythonCharacters.Upper(text)),
        ["urlencode"] = Of("urlencode", "", TextFilters.UrlEncode),
        ["wordcount"] = Of("wordcount", "", TextFilters.WordCount),
        ["wordwrap"] = OfText("wordwrap", "width break_long_words wrapstring", TextFilters.WordWrap),

        // Sequences and dicts
        ["batch"] = Of("batch", "linecount fill_with", SequenceFilters.Batch),
        ["count"] = Of("length", "", SequenceFilters.Length),
        ["dictsort"] = Of("dictsort", "case_sensitive by reverse", SequenceFilters.DictSort),
        ["first"] = Of("first", "", SequenceFilters.First),
        ["groupby"] = Of("groupby", "attribute default case_sensitive", SequenceFilters.GroupBy),
        ["items"] = Of("items", "", SequenceFilters.Items),
        ["join"] = Of("join", "d attribute", SequenceFilters.Join),
        ["last"] = Of("last", "", SequenceFilters.Last),
        ["length"] = Of("length", "", SequenceFilters.Length),
        ["list"] = Of("list", "", SequenceFilters.List),
        ["max"] = Of("max", "case_sensitive attribute", (context, value, arguments) => SequenceFilters.Extreme(context, value, arguments, isMax: true)),
        ["min"] = Of("min", "case_sensitive attribute", (context, value, arguments) => SequenceFilters.Extreme(context, value, arguments, isMax: false)),
        ["reverse"] = Of("reverse", "", SequenceFilters.Reverse),
        ["slice"] = Of("slice", "slices fill_with", SequenceFilters.Slice),
        ["sort"] = Of("sort", "reverse case_sensitive attribute", SequenceFilters.Sort),
        ["unique"] = Of("unique", "case_sensitive attribute", SequenceFilters.Unique),

        // Filters and tests of the items of sequences
        ["map"] = SelectionFilters.Map,
        ["reject"] = (context, value, arguments) => SelectionFilters.Select(context, value, arguments, keeps: false),
        ["rejectattr"] = (context, value, arguments) => SelectionFilters.SelectByAttribute(context, value, arguments, keeps: false),
        ["select"] = (context, value, arguments) => SelectionFilters.Select(context, value, arguments, keeps: true),
        ["selectattr"] = (context, value, arguments) => SelectionFilters.SelectByAttribute(context, value, arguments, keeps: true),

        // Anything
        ["attr"] = Of("attr", "name", SequenceFilters.Attribute),
        ["d"] = Of("default", "default_value boolean", SequenceFilters.Default),
        ["default"] = Of("default", "default_value boolean", SequenceFilters.Default),
        ["tojson"] = Of("tojson", "ensure_ascii indent separators sort_keys", JsonText.ToJson),
    };

    public static bool Has(string name) => All.ContainsKey(name);

    /// <exception cref="TemplateException">There is no such filter, or it does not fit the value.</exception>
    public static Value Apply(RenderContext context, string name, Value value, Arguments arguments)
    {
        context.Step();
        return All.TryGetValue(name, out Func<RenderContext, Value, Arguments, Value>? filter)
            ? filter(context, value, arguments)
            : throw new TemplateException(TemplateErrorKind.Unsupported, $"there is no filter '{name}'; filters: {string.Join(", ", All.Keys.Order(StringComparer.Ordinal))}");
    }

    private static Func<RenderContext, Value, Arguments, Value> Of(string name, string parameters, Func<RenderContext, Value, BoundArguments, Value> apply)
    {
        string[] names = parameters.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return (context, value, arguments) => apply(context, value, new BoundArguments("the filter " + name, names, arguments));
    }

    // The few filters of texts that take nothing else.
    private static Func<RenderContext, Value, Arguments, Value> OfTextAlone(string name, string parameters, Func<RenderContext, string, BoundArguments, string> apply)
    {
        Func<RenderContext, Value, Arguments, Value> filter = OfText(name, parameters, apply);
        return (context, value, arguments) => value is TextValue ? filter(context, value, arguments) : throw new TemplateException(
            value is UndefinedValue ? TemplateErrorKind.Undefined : TemplateErrorKind.Value, $"the filter {name} takes a text, not a value of type {value.TypeName}");
    }

    // For filters of texts, any value is the text that it prints as.
    private static Func<RenderContext, Value, Arguments, Value> OfText(string name, string parameters, Func<RenderContext, string, BoundArguments, string> apply) =>
        Of(name, parameters, (context, value, arguments) =>
        {
            string text = PythonText.Of(context, value);
            context.Scan(text.Length * 4L);
            context.AllocateText(text.Length * 2L);
            string result = apply(context, text, arguments);
            return ReferenceEquals(result, text) && value is TextValue ? value : context.Text(result);
        });
}
