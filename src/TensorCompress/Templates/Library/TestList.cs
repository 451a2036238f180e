using System.Numerics;
using TensorCompress.Templates.Execution;
using TensorCompress.Templates.Values;

namespace TensorCompress.Templates.Library;

/// <summary>The tests, which stand after <c>is</c>: the one list of them.</summary>
internal static class TestList
{
    private static readonly Dictionary<string, Func<RenderContext, Value, Arguments, bool>> All = new(StringComparer.Ordinal)
    {
        ["boolean"] = Of((_, value) => value is BooleanValue),
        ["callable"] = Of((_, value) => value is CallableValue),
        ["defined"] = Of((_, value) => value is not UndefinedValue),
        ["divisibleby"] = OfTwo((context, value, other) => !Operators.Apply(context, "%", value, other).IsTruthy),
        ["eq"] = OfTwo(Comparisons.AreEqual),
        ["=="] = OfTwo(Comparisons.AreEqual),
        ["equalto"] = OfTwo(Comparisons.AreEqual),
        ["escaped"] = Of((_, _) => false),
        ["even"] = Of((context, value) => !Operators.Apply(context, "%", value, IntegerValue.Of(2)).IsTruthy),
        ["false"] = Of((_, value) => ReferenceEquals(value, BooleanValue.False)),
        ["filter"] = Of((_, value) => value is TextValue name && FilterList.Has(name.Text)),
        ["float"] = Of((_, value) => value is FloatValue),
        ["ge"] = OfTwo((context, value, other) => Comparisons.Compare(context, value, other) >= 0),
        [">="] = OfTwo((context, value, other) => Comparisons.Compare(context, value, other) >= 0),
        ["greaterthan"] = OfTwo((context, value, other) => Comparisons.Compare(context, value, other) > 0),
        ["gt"] = OfTwo((context, value, other) => Comparisons.Compare(context, value, other) > 0),
        [">"] = OfTwo((context, value, other) => Comparisons.Compare(context, value, other) > 0),
        ["in"] = OfTwo((context, value, other) => Comparisons.Contains(context, other, value)),
        ["integer"] = Of((_, value) => value is IntegerValue),
        ["iterable"] = Of((_, value) => value.Items is not null),
        ["le"] = OfTwo((context, value, other) => Comparisons.Compare(context, value, other) <= 0),
        ["<="] = OfTwo((context, value, other) => Comparisons.Compare(context, value, other) <= 0),
        ["lessthan"] = OfTwo((context, value, other) => Comparisons.Compare(context, value, other) < 0),
        ["lt"] = OfTwo((context, value, other) => Comparisons.Compare(context, value, other) < 0),
        ["<"] = OfTwo((context, value, other) => Comparisons.Compare(context, value, other) < 0),
        ["lower"] = Of((context, value) => TextMethods.HasCase(context, PythonText.Of(context, value), isUpper: false)),
        ["mapping"] = Of((_, value) => value is DictValue),
        ["ne"] = OfTwo((context, value, other) => !Comparisons.AreEqual(context, value, other)),
        ["!="] = OfTwo((context, value, other) => !Comparisons.AreEqual(context, value, other)),
        ["none"] = Of((_, value) => value is NoneValue),
        ["number"] = Of((_, value) => Numbers.Is(value)),
        ["odd"] = Of((context, value) => Comparisons.AreEqual(context, Operators.Apply(context, "%", value, IntegerValue.Of(2)), IntegerValue.Of(1))),
        ["sameas"] = OfTwo((_, value, other) => IsSame(value, other)),
        ["sequence"] = Of((_, value) => value.IsSequence || value is UndefinedValue),
        ["string"] = Of((_, value) => value is TextValue),
        ["test"] = Of((_, value) => value is TextValue name && Has(name.Text)),
        ["true"] = Of((_, value) => ReferenceEquals(value, BooleanValue.True)),
        ["undefined"] = Of((_, value) => value is UndefinedValue),
        ["upper"] = Of((context, value) => TextMethods.HasCase(context, PythonText.Of(context, value), isUpper: true)),
    };

    public static bool Has(string name) => All.ContainsKey(name);

    /// <exception cref="TemplateException">There is no such test, or it does not fit the value.</exception>
    public static bool Apply(RenderContext context, string name, Value value, Arguments arguments)
    {
        context.Step();
        return All.TryGetValue(name, out Func<RenderContext, Value, Arguments, bool>? test)
            ? test(context, value, arguments)
            : throw new TemplateException(TemplateErrorKind.Unsupported, $"there is no test '{name}'; tests: {string.Join(", ", All.Keys.Order(StringComparer.Ordinal))}");
    }

    private static Func<RenderContext, Value, Arguments, bool> Of(Func<RenderContext, Value, bool> test) => (context, value, arguments) =>
        arguments.Positional.Count + arguments.Named.Count == 0 ? test(context, value) : throw new TemplateException(TemplateErrorKind.Value, "the test takes no argument");

    private static Func<RenderContext, Value, Arguments, bool> OfTwo(Func<RenderContext, Value, Value, int, bool> test) => OfTwo((context, value, other) => test(context, value, other, 0));

    private static Func<RenderContext, Value, Arguments, bool> OfTwo(Func<RenderContext, Value, Value, bool> test) => (context, value, arguments) =>
        arguments.Positional.Count + arguments.Named.Count == 1
            ? test(context, value, arguments.Positional.Count == 1 ? arguments.Positional[0] : arguments.Named[0].Value)
            : throw new TemplateException(TemplateErrorKind.Value, "the test takes one argument");

    // Python compares identities. Equal small numbers and texts are one object there too.
    private static bool IsSame(Value value, Value other) => (value, other) switch
    {
        (TextValue a, TextValue b) => a.Text == b.Text,
        (IntegerValue a, IntegerValue b) => a.Number == b.Number && BigInteger.Abs(a.Number) <= 256,
        _ => ReferenceEquals(value, other),
    };
}
