using System.Numerics;
using TensorCompress.Templates.Execution;
using TensorCompress.Templates.Values;

namespace TensorCompress.Templates.Library;

/// <summary>The functions that every template can call: the one list of them.</summary>
internal static class FunctionList
{
    public static IReadOnlyList<FunctionValue> All { get; } =
    [
        new("range", Range),
        new("dict", Dict),
        new("namespace", Namespace),
        new("joiner", (_, arguments) => new JoinerValue(new BoundArguments("joiner", ["sep"], arguments))),
        new("cycler", (_, arguments) => new CyclerValue(arguments)),
        new("raise_exception", Raise),
        new("strftime_now", Now),
    ];

    private static RangeValue Range(RenderContext context, Arguments arguments)
    {
        if (arguments.Named.Count > 0 || arguments.Positional.Count is 0 or > 3) throw Fault("range takes one to three numbers");
        long[] numbers = [.. arguments.Positional.Select(Whole)];
        (long start, long stop, long step) = numbers.Length switch
        {
            1 => (0L, numbers[0], 1L),
            2 => (numbers[0], numbers[1], 1L),
            _ => (numbers[0], numbers[1], numbers[2]),
        };
        if (step == 0) throw Fault("the step of a range is 0");
        BigInteger distance = step > 0 ? (BigInteger)stop - start : (BigInteger)start - stop;
        BigInteger width = BigInteger.Abs(step);
        BigInteger count = distance.Sign <= 0 ? BigInteger.Zero : (distance + width - 1) / width;
        return count <= context.Limits.RangeLength ? new RangeValue(start, stop, step, (int)count) : throw RenderContext.Limit($"a range of more than {context.Limits.RangeLength} numbers");
    }

    private static long Whole(Value value) => Numbers.Whole(value) switch
    {
        null => throw Fault($"range takes whole numbers, not a value of type {value.TypeName}"),
        BigInteger number when number < long.MinValue / 4 || number > long.MaxValue / 4 => throw RenderContext.Limit("the bounds of a range are too large"),
        BigInteger number => (long)number,
    };

    private static DictValue Dict(RenderContext context, Arguments arguments)
    {
        var dict = new DictValue();
        FillFrom(context, "dict", arguments, dict.Set);
        return dict;
    }

    private static NamespaceValue Namespace(RenderContext context, Arguments arguments)
    {
        var space = new NamespaceValue();
        FillFrom(context, "namespace", arguments, (key, value) => space.Set(PythonText.Of(context, key), value));
        return space;
    }

    // From a dict or from pairs, then from named arguments.
    private static void FillFrom(RenderContext context, string name, Arguments arguments, Action<Value, Value> set)
    {
        if (arguments.Positional.Count > 1) throw Fault($"{name} takes at most one argument without a name");
        if (arguments.Positional.Count == 1 && arguments.Positional[0] is DictValue dict)
        {
            context.AllocateItems(dict.Count * 16L);
            foreach ((Value key, Value value) in dict.Pairs) set(key, value);
        }
        else if (arguments.Positional.Count == 1)
        {
            foreach (Value pair in context.Iterate(arguments.Positional[0]))
            {
                List<Value> two = context.ToList(pair);
                if (two.Count != 2) throw Fault($"{name} takes pairs of a key and a value");
                set(two[0], two[1]);
            }
        }

        context.AllocateItems(arguments.Named.Count * 16L);
        foreach ((string key, Value value) in arguments.Named) set(new TextValue(key), value);
    }

    private static Value Raise(RenderContext context, Arguments arguments) =>
        throw new TemplateException(TemplateErrorKind.Raised, PythonText.Of(context, new BoundArguments("raise_exception", ["message"], arguments).Required(0)));

    private static TextValue Now(RenderContext context, Arguments arguments) =>
        context.Text(ClockText.Format(context, new BoundArguments("strftime_now", ["format"], arguments).RequiredText(0), context.Clock.GetLocalNow()));

    private static TemplateException Fault(string reason) => new(TemplateErrorKind.Value, reason);

    /// <summary>Gives nothing the first time it is called, and its separator from then on.</summary>
    private sealed class JoinerValue(BoundArguments arguments) : CallableValue
    {
        private readonly Value _separator = arguments.Optional(0, new TextValue(", "));
        private bool _isUsed;

        public override string TypeName => "Joiner";

        public override string Name => "joiner";

        public override Value Call(RenderContext context, Arguments arguments)
        {
            Value result = _isUsed ? _separator : TextValue.Empty;
            _isUsed = true;
            return result;
        }
    }

    /// <summary>Gives its items in turn.</summary>
    private sealed class CyclerValue : Value
    {
        private readonly IReadOnlyList<Value> _items;
        private int _index;

        public CyclerValue(Arguments arguments)
        {
            _items = arguments.Positional;
            if (_items.Count == 0) throw Fault("cycler needs items");
        }

        public override string TypeName => "Cycler";

        public override Value? Attribute(string name) => name switch
        {
            "current" => _items[_index],
            "next" => new FunctionValue("next", (_, _) => Next()),
            "reset" => new FunctionValue("reset", (_, _) => Reset()),
            _ => null,
        };

        private Value Next()
        {
            Value current = _items[_index];
            _index = (_index + 1) % _items.Count;
            return current;
        }

        private NoneValue Reset()
        {
            _index = 0;
            return NoneValue.None;
        }
    }
}
