using TensorCompress.Templates.Execution;
using TensorCompress.Templates.Values;

namespace TensorCompress.Templates.Library;

/// <summary>Filters that apply another filter or a test to each item. Their items are made when they are asked for.</summary>
internal static class SelectionFilters
{
    /// <summary><c>map('filter', arguments)</c> or <c>map(attribute='name', default=value)</c>.</summary>
    public static Value Map(RenderContext context, Value value, Arguments arguments)
    {
        IEnumerable<Value> items = Items(context, value);
        if (arguments.Positional.Count == 0)
        {
            var bound = new BoundArguments("the filter map", ["attribute", "default"], arguments);
            Func<Value, Value> part = SequenceFilters.AttributeOf(context, bound.Required(0), bound[1]);
            return new GeneratorValue(items.Select(part));
        }

        string name = arguments.Positional[0] is TextValue filter ? filter.Text : throw Fault("map takes the name of a filter");
        Arguments rest = arguments.Skip(1);
        return new GeneratorValue(items.Select(item => FilterList.Apply(context, name, item, rest)));
    }

    /// <summary><c>select('test', arguments)</c>, or what is true.</summary>
    public static Value Select(RenderContext context, Value value, Arguments arguments, bool keeps)
    {
        Func<Value, bool> test = Test(context, arguments);
        return new GeneratorValue(Items(context, value).Where(item => test(item) == keeps));
    }

    /// <summary><c>selectattr('attribute', 'test', arguments)</c>.</summary>
    public static Value SelectByAttribute(RenderContext context, Value value, Arguments arguments, bool keeps)
    {
        if (arguments.Positional.Count == 0) throw Fault("the name of an attribute is needed");
        Func<Value, Value> part = SequenceFilters.AttributeOf(context, arguments.Positional[0]);
        Func<Value, bool> test = Test(context, arguments.Skip(1));
        return new GeneratorValue(Items(context, value).Where(item => test(part(item)) == keeps));
    }

    // Of none, false and 0 nothing is taken; whatever else has no items is an error.
    private static IEnumerable<Value> Items(RenderContext context, Value value) => value.IsTruthy ? context.Iterate(value) : [];

    private static Func<Value, bool> Test(RenderContext context, Arguments arguments)
    {
        if (arguments.Positional.Count == 0) return item => item.IsTruthy;
        string name = arguments.Positional[0] is TextValue text ? text.Text : throw Fault("the name of a test is a text");
        Arguments rest = arguments.Skip(1);
        return item => TestList.Apply(context, name, item, rest);
    }

    private static TemplateException Fault(string reason) => new(TemplateErrorKind.Value, reason);
}
