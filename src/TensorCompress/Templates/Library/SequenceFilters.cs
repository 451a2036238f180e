using System.Globalization;
using TensorCompress.Templates.Execution;
using TensorCompress.Templates.Values;

namespace TensorCompress.Templates.Library;

/// <summary>Filters of lists, dicts and other things with items.</summary>
internal static class SequenceFilters
{
    /// <summary>Takes a part of an item: an index, or names with dots between them; the item itself where none is given.</summary>
    public static Func<Value, Value> AttributeOf(RenderContext context, Value? attribute, Value? other = null, bool foldsCase = false)
    {
        Value[] path = attribute switch
        {
            null or NoneValue => [],
            TextValue text => [.. text.Text.Split('.').Select(part => int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out int index) ? IntegerValue.Of(index) : (Value)new TextValue(part))],
            _ => [attribute],
        };
        return item =>
        {
            foreach (Value part in path)
            {
                item = Access.Item(context, item, part);
                if (item is UndefinedValue && other is not null) item = other;
            }

            return foldsCase && item is TextValue text ? context.Text(PythonCharacters.Lower(text.Text)) : item;
        };
    }

    public static Value Attribute(RenderContext context, Value value, BoundArguments arguments)
    {
        string name = arguments.RequiredText(0);
        if (value is UndefinedValue undefined) throw new TemplateException(TemplateErrorKind.Undefined, undefined.Reason);
        return (MethodList.IsForbidden(value, name) ? null : value.Attribute(name)) ?? new UndefinedValue($"a value of type {value.TypeName} has no '{name}'");
    }

    public static Value Batch(RenderContext context, Value value, BoundArguments arguments)
    {
        int size = arguments.Whole(0, 0);
        if (size < 1) throw Fault("batch needs a size of at least 1");
        return new GeneratorValue(Batches(context, context.ToList(value), size, arguments[1]));
    }

    public static Value Default(RenderContext context, Value value, BoundArguments arguments) =>
        value is UndefinedValue || (arguments.Flag(1) && !value.IsTruthy) ? arguments.Optional(0, TextValue.Empty) : value;

    public static Value DictSort(RenderContext context, Value value, BoundArguments arguments)
    {
        if (value is not DictValue dict) throw Fault($"dictsort takes a dict, not a value of type {value.TypeName}");
        string by = arguments.Text(1) ?? "key";
        if (by is not ("key" or "value")) throw Fault("dictsort sorts by key or by value");
        Value[] pairs = [.. Pairs(context, dict)];
        Func<Value, Value> key = AttributeOf(context, IntegerValue.Of(by == "key" ? 0 : 1), foldsCase: !arguments.Flag(0));
        return new ListValue(Sorted(context, pairs, key, arguments.Flag(2)));
    }

    public static Value First(RenderContext context, Value value, BoundArguments arguments) =>
        context.Iterate(value).FirstOrDefault() ?? new UndefinedValue("the sequence is empty");

    public static Value GroupBy(RenderContext context, Value value, BoundArguments arguments)
    {
        bool foldsCase = !arguments.Flag(2);
        Func<Value, Value> key = AttributeOf(context, arguments.Required(0), arguments[1], foldsCase);
        Func<Value, Value> shown = AttributeOf(context, arguments.Required(0), arguments[1]);
        var groups = new List<(Value Key, List<Value> Items)>();
        foreach (Value item in Sorted(context, [.. context.ToList(value)], key, isReversed: false))
        {
            Value itemKey = key(item);
            if (groups.Count == 0 || !Comparisons.AreEqual(context, groups[^1].Key, itemKey)) groups.Add((itemKey, []));
            context.Allocate(64);
            groups[^1].Items.Add(item);
        }

        return new ListValue([.. groups.Select(group => new TupleValue([shown(group.Items[0]), new ListValue(group.Items)]) { Names = ["grouper", "list"] })]);
    }

    public static Value IndexOf(RenderContext context, Value owner, BoundArguments arguments)
    {
        var sequence = (SequenceValue)owner;
        int start = arguments.Whole(1, 0), stop = arguments.Whole(2, sequence.Count);
        if (start < 0) start = Math.Max(0, start + sequence.Count);
        if (stop < 0) stop += sequence.Count;
        for (int i = start; i < Math.Min(stop, sequence.Count); i++)
        {
            if (Comparisons.AreEqual(context, sequence[i], arguments.Required(0))) return IntegerValue.Of(i);
        }

        throw Fault("the list does not have the item");
    }

    public static Value Items(RenderContext context, Value value, BoundArguments arguments) => value switch
    {
        UndefinedValue => new GeneratorValue([]),
        DictValue dict => new GeneratorValue(Pairs(context, dict)),
        _ => throw Fault($"items takes a dict, not a value of type {value.TypeName}"),
    };

    public static Value Join(RenderContext context, Value value, BoundArguments arguments)
    {
        string separator = PythonText.Of(context, arguments.Optional(0, TextValue.Empty));
        Func<Value, Value> part = AttributeOf(context, arguments[1]);
        var buffer = new TextBuffer(context);
        bool isFirst = true;
        foreach (Value item in context.Iterate(value))
        {
            if (!isFirst) buffer.Append(separator);
            isFirst = false;
            buffer.Append(PythonText.Of(context, part(item)));
        }

        return new TextValue(buffer.ToString());
    }

    public static Value Last(RenderContext context, Value value, BoundArguments arguments)
    {
        if (value is GeneratorValue) throw Fault("a generator has no last item: make a list of it");
        return context.Iterate(value).LastOrDefault() ?? new UndefinedValue("the sequence is empty");
    }

    public static Value Length(RenderContext context, Value value, BoundArguments arguments)
    {
        if (value is TextValue text) context.Scan(text.Text.Length);
        return IntegerValue.Of(value.Length ?? throw Fault($"a value of type {value.TypeName} has no length"));
    }

    public static Value List(RenderContext context, Value value, BoundArguments arguments) => new ListValue(context.ToList(value));

    public static Value Extreme(RenderContext context, Value value, BoundArguments arguments, bool isMax)
    {
        Func<Value, Value> key = AttributeOf(context, arguments[1], foldsCase: !arguments.Flag(0));
        Value? best = null, bestKey = null;
        foreach (Value item in context.Iterate(value))
        {
            Value itemKey = key(item);
            if (bestKey is not null && !(isMax ? Comparisons.Compare(context, itemKey, bestKey) > 0 : Comparisons.Compare(context, itemKey, bestKey) < 0)) continue;
            (best, bestKey) = (item, itemKey);
        }

        return best ?? new UndefinedValue("the sequence is empty");
    }

    /// <summary>The pairs of a dict, as tuples.</summary>
    public static List<Value> Pairs(RenderContext context, DictValue dict)
    {
        context.AllocateItems(dict.Count * 10L);
        return [.. dict.Pairs.Select(pair => new TupleValue([pair.Key, pair.Value]))];
    }

    public static Value Reverse(RenderContext context, Value value, BoundArguments arguments)
    {
        if (value is TextValue text) return Access.Slice(context, text, null, null, IntegerValue.Of(-1));
        List<Value> items = context.ToList(value);
        items.Reverse();
        return new GeneratorValue(items);
    }

    public static Value Slice(RenderContext context, Value value, BoundArguments arguments)
    {
        int slices = arguments.Whole(0, 0);
        if (slices < 1) throw Fault("slice needs a number of at least 1");
        return new GeneratorValue(Slices(context, context.ToList(value), slices, arguments[1]));
    }

    public static Value Sort(RenderContext context, Value value, BoundArguments arguments)
    {
        bool foldsCase = !arguments.Flag(1);
        Func<Value, Value> key = AttributeOf(context, arguments[2], foldsCase: foldsCase);
        if (arguments[2] is TextValue text && text.Text.Contains(',', StringComparison.Ordinal))
        {
            Func<Value, Value>[] keys = [.. text.Text.Split(',').Select(part => AttributeOf(context, new TextValue(part), foldsCase: foldsCase))];
            key = item => new ListValue([.. keys.Select(part => part(item))]);
        }

        return new ListValue(Sorted(context, [.. context.ToList(value)], key, arguments.Flag(0)));
    }

    public static Value Unique(RenderContext context, Value value, BoundArguments arguments)
    {
        Func<Value, Value> key = AttributeOf(context, arguments[1], foldsCase: !arguments.Flag(0));
        return new GeneratorValue(Distinct(context, value, key));
    }

    private static IEnumerable<Value> Distinct(RenderContext context, Value value, Func<Value, Value> key)
    {
        var seen = new HashSet<Value>(KeyComparer.Instance);
        foreach (Value item in context.Iterate(value))
        {
            Value itemKey = key(item);
            KeyComparer.ThrowIfNoKey(itemKey);
            context.Allocate(40);
            if (seen.Add(itemKey)) yield return item;
        }
    }

    private static Value[] Sorted(RenderContext context, Value[] items, Func<Value, Value> key, bool isReversed)
    {
        context.AllocateItems(items.Length * 4L);
        (Value Key, Value Item)[] keyed = [.. items.Select(item => (key(item), item))];
        // Backwards, too, equal items keep their order.
        StableSort.Sort(keyed, (a, b) => isReversed ? Comparisons.Compare(context, b.Key, a.Key) ?? 0 : Comparisons.Compare(context, a.Key, b.Key) ?? 0);
        return [.. keyed.Select(entry => entry.Item)];
    }

    private static IEnumerable<Value> Batches(RenderContext context, List<Value> items, int size, Value? fill)
    {
        for (int start = 0; start < items.Count; start += size)
        {
            List<Value> batch = items.GetRange(start, Math.Min(size, items.Count - start));
            if (fill is not (null or NoneValue))
            {
                context.AllocateItems(size);
                while (batch.Count < size) batch.Add(fill);
            }

            yield return new ListValue(batch);
        }
    }

    // The first ones are one longer where the number does not divide.
    private static IEnumerable<Value> Slices(RenderContext context, List<Value> items, int slices, Value? fill)
    {
        int size = items.Count / slices, longer = items.Count % slices, start = 0;
        for (int slice = 0; slice < slices; slice++)
        {
            context.AllocateItems(size);
            List<Value> part = items.GetRange(start, size + (slice < longer ? 1 : 0));
            start += part.Count;
            if (fill is not (null or NoneValue) && slice >= longer) part.Add(fill);
            yield return new ListValue(part);
        }
    }

    private static TemplateException Fault(string reason) => new(TemplateErrorKind.Value, reason);
}
