using TensorCompress.Templates.Execution;
using TensorCompress.Templates.Values;

namespace TensorCompress.Templates.Library;

/// <summary>The methods of one type of value: the one list of them for each type. Methods that change a value are refused.</summary>
internal sealed class MethodList
{
    private static readonly HashSet<string> Changing = new(StringComparer.Ordinal)
    {
        "append", "clear", "extend", "insert", "pop", "popitem", "remove", "reverse", "setdefault", "sort", "update",
    };

    // Python's built-in methods take their arguments by place, but for these.
    private static readonly HashSet<string> TakesNames = new(StringComparer.Ordinal) { "expandtabs", "replace", "rsplit", "split", "splitlines" };

    private readonly Dictionary<string, Func<RenderContext, Value, Arguments, Value>> _methods = new(StringComparer.Ordinal);

    private MethodList()
    {
    }

    public static MethodList Text { get; } = CreateText();

    public static MethodList Sequence { get; } = CreateSequence();

    public static MethodList Dict { get; } = CreateDict();

    /// <summary>The method of a value; null where the type has none of the name.</summary>
    public FunctionValue? Find(Value owner, string name) =>
        _methods.TryGetValue(name, out Func<RenderContext, Value, Arguments, Value>? method) ? new FunctionValue(name, (context, arguments) => method(context, owner, arguments)) : null;

    /// <summary>Whether an attribute would change the value, or show what is behind it.</summary>
    public static bool IsForbidden(Value owner, string name) =>
        (owner is DictValue or ListValue && Changing.Contains(name) && !(owner is DictValue && name is "append" or "extend" or "insert" or "remove" or "reverse" or "sort"))
        || (name.Length > 4 && name.StartsWith("__", StringComparison.Ordinal) && name.EndsWith("__", StringComparison.Ordinal));

    private static MethodList CreateText()
    {
        var list = new MethodList();
        list.AddTexts("capitalize", (_, text) => PythonCharacters.Capitalize(text));
        list.AddTexts("casefold", (_, text) => PythonCharacters.Fold(text));
        list.AddTexts("lower", (_, text) => PythonCharacters.Lower(text));
        list.AddTexts("swapcase", (_, text) => PythonCharacters.SwapCase(text));
        list.AddTexts("title", (_, text) => PythonCharacters.Title(text));
        list.AddTexts("upper", (_, text) => PythonCharacters.Upper(text));
        list.AddText("strip", "chars", (context, text, arguments) => new TextValue(TextMethods.Strip(context, text, arguments.Text(0), fromStart: true, fromEnd: true)));
        list.AddText("lstrip", "chars", (context, text, arguments) => new TextValue(TextMethods.Strip(context, text, arguments.Text(0), fromStart: true, fromEnd: false)));
        list.AddText("rstrip", "chars", (context, text, arguments) => new TextValue(TextMethods.Strip(context, text, arguments.Text(0), fromStart: false, fromEnd: true)));
        list.AddText("removeprefix", "prefix", TextMethods.RemovePrefix);
        list.AddText("removesuffix", "suffix", TextMethods.RemoveSuffix);
        list.AddText("center", "width fillchar", (context, text, arguments) => context.Text(TextMethods.Center(context, text, arguments.Whole(0, 0), TextMethods.Fill(arguments, 1))));
        list.AddText("ljust", "width fillchar", (context, text, arguments) => TextMethods.Justify(context, text, arguments, atEnd: true));
        list.AddText("rjust", "width fillchar", (context, text, arguments) => TextMethods.Justify(context, text, arguments, atEnd: false));
        list.AddText("zfill", "width", TextMethods.ZeroFill);
        list.AddText("expandtabs", "tabsize", TextMethods.ExpandTabs);
        list.AddText("split", "sep maxsplit", (context, text, arguments) => TextSplitting.Split(context, text, arguments, fromEnd: false));
        list.AddText("rsplit", "sep maxsplit", (context, text, arguments) => TextSplitting.Split(context, text, arguments, fromEnd: true));
        list.AddText("splitlines", "keepends", TextSplitting.SplitLines);
        list.AddText("partition", "sep", (context, text, arguments) => TextSplitting.Partition(context, text, arguments, atLast: false));
        list.AddText("rpartition", "sep", (context, text, arguments) => TextSplitting.Partition(context, text, arguments, atLast: true));
        list.AddText("replace", "old new count", (context, text, arguments) =>
            context.Text(TextMethods.Replace(context, text, arguments.RequiredText(0), arguments.RequiredText(1), arguments.Whole(2, -1))));
        list.AddText("join", "iterable", TextMethods.Join);
        list.Add("format", (context, owner, arguments) => context.Text(BraceFormat.Apply(context, ((TextValue)owner).Text, arguments)));
        foreach ((string name, bool isLast, bool mustBeThere) in (ReadOnlySpan<(string, bool, bool)>)[("find", false, false), ("rfind", true, false), ("index", false, true), ("rindex", true, true)])
            list.AddParts(name, (context, part, sought) => TextMethods.Find(context, part, sought, isLast, mustBeThere));
        list.AddParts("count", TextMethods.Count);
        list.AddParts("startswith", (context, part, sought) => BooleanValue.Of(TextMethods.BordersWith(context, part, sought, atEnd: false)));
        list.AddParts("endswith", (context, part, sought) => BooleanValue.Of(TextMethods.BordersWith(context, part, sought, atEnd: true)));
        list.AddQuestion("isalnum", TextClasses.IsAlphanumeric);
        list.AddQuestion("isalpha", TextClasses.IsLetter);
        list.AddQuestion("isascii", (text, index) => text[index] < 128, whenEmpty: true);
        list.AddQuestion("isdecimal", TextClasses.IsDecimal);
        list.AddQuestion("isdigit", TextClasses.IsDigit);
        list.AddQuestion("isnumeric", TextClasses.IsNumeric);
        list.AddQuestion("isprintable", PythonCharacters.IsPrintable, whenEmpty: true);
        list.AddQuestion("isspace", (text, index) => PythonCharacters.IsSpace(text[index]));
        list.AddText("islower", "", (context, text, _) => BooleanValue.Of(TextMethods.HasCase(context, text, isUpper: false)));
        list.AddText("isupper", "", (context, text, _) => BooleanValue.Of(TextMethods.HasCase(context, text, isUpper: true)));
        list.AddText("istitle", "", (_, text, _) => BooleanValue.Of(text.AsSpan().ContainsAnyExcept(' ') && PythonCharacters.Title(text) == text && TextClasses.HasCased(text)));
        return list;
    }

    private static MethodList CreateSequence()
    {
        var list = new MethodList();
        list.Add("count", "value", (context, owner, arguments) => IntegerValue.Of(context.Iterate(owner).Count(item => Comparisons.AreEqual(context, item, arguments.Required(0)))));
        list.Add("index", "value start stop", SequenceFilters.IndexOf);
        list.Add("copy", "", (_, owner, _) => owner);
        return list;
    }

    private static MethodList CreateDict()
    {
        var list = new MethodList();
        list.Add("copy", "", (_, owner, _) => owner);
        list.Add("get", "key default", (context, owner, arguments) =>
        {
            Value key = arguments.Required(0);
            KeyComparer.ThrowIfNoKey(key);
            if (key is TextValue text) context.Scan(text.Text.Length);
            return ((DictValue)owner).Find(key) ?? arguments.Optional(1, NoneValue.None);
        });
        list.Add("items", "", (context, owner, _) => new DictViewValue("dict_items", SequenceFilters.Pairs(context, (DictValue)owner)));
        list.Add("keys", "", (context, owner, _) => new DictViewValue("dict_keys", context.ToList(owner)));
        list.Add("values", "", (context, owner, _) =>
        {
            context.AllocateItems(owner.Length!.Value);
            return new DictViewValue("dict_values", [.. ((DictValue)owner).Pairs.Values]);
        });
        return list;
    }

    private void Add(string name, Func<RenderContext, Value, Arguments, Value> method) => _methods.Add(name, method);

    private void Add(string name, string parameters, Func<RenderContext, Value, BoundArguments, Value> method)
    {
        string[] names = parameters.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        bool takesNames = TakesNames.Contains(name);
        Add(name, (context, owner, arguments) =>
        {
            if (!takesNames && arguments.Named.Count > 0) throw new TemplateException(TemplateErrorKind.Value, $"{name} takes no named arguments");
            return method(context, owner, new BoundArguments(name, names, arguments));
        });
    }

    private void AddText(string name, string parameters, Func<RenderContext, string, BoundArguments, Value> method) => Add(name, parameters, (context, owner, arguments) =>
    {
        string text = ((TextValue)owner).Text;
        context.Scan(text.Length * 4L);
        context.AllocateText(text.Length);
        return method(context, text, arguments);
    });

    private void AddTexts(string name, Func<RenderContext, string, string> method) => AddText(name, "", (context, text, _) => context.Text(method(context, text)));

    // Methods that look for something in a part of the text.
    private void AddParts(string name, Func<RenderContext, TextPart, Value, Value> method) => Add(name, "sub start end", (context, owner, arguments) =>
        method(context, TextPart.Of(context, (TextValue)owner, arguments), arguments.Required(0)));

    // Whether all characters are of a class.
    private void AddQuestion(string name, Func<string, int, bool> isOfClass, bool whenEmpty = false) => AddText(name, "", (_, text, _) =>
    {
        if (text.Length == 0) return BooleanValue.Of(whenEmpty);
        for (int i = 0; i < text.Length; i++)
        {
            if (!isOfClass(text, i)) return BooleanValue.False;
            if (char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1])) i++;
        }

        return BooleanValue.True;
    });
}
