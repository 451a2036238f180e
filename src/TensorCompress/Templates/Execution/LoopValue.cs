using TensorCompress.Templates.Values;

namespace TensorCompress.Templates.Execution;

/// <summary>The variable <c>loop</c>: where a loop is. It looks ahead only when it is asked to, since a filter may depend on what the loop does.</summary>
internal sealed class LoopValue(RenderContext context, IEnumerable<Value> items, int? count, int depth, Func<Value, int, Value>? recurse) : CallableValue
{
    private readonly Queue<Value> _ahead = new();
    private IEnumerator<Value>? _items = items.GetEnumerator();
    private int? _length = count;
    private Value? _previous;
    private Value? _current;
    private Arguments? _lastChecked;

    public override string TypeName => "LoopContext";

    public override string Name => "loop";

    /// <summary>Index of the current pass, from 0; -1 before the first.</summary>
    public int Index { get; private set; } = -1;

    /// <summary>Goes on to the next item, if there is one.</summary>
    public bool MoveNext(out Value item)
    {
        item = NoneValue.None;
        if (!LookAhead(1)) return false;
        item = _ahead.Dequeue();
        _previous = _current;
        _current = item;
        Index++;
        return true;
    }

    public override Value? Attribute(string name) => name switch
    {
        "index" => IntegerValue.Of(Index + 1),
        "index0" => IntegerValue.Of(Index),
        "revindex" => IntegerValue.Of(Count - Index),
        "revindex0" => IntegerValue.Of(Count - Index - 1),
        "first" => BooleanValue.Of(Index == 0),
        "last" => BooleanValue.Of(!LookAhead(1)),
        "length" => IntegerValue.Of(Count),
        "depth" => IntegerValue.Of(depth + 1),
        "depth0" => IntegerValue.Of(depth),
        "previtem" => _previous ?? new UndefinedValue("there is no previous item"),
        "nextitem" => LookAhead(1) ? _ahead.Peek() : new UndefinedValue("there is no next item"),
        "cycle" => new FunctionValue("cycle", (_, arguments) => Cycle(arguments)),
        "changed" => new FunctionValue("changed", (_, arguments) => Changed(arguments)),
        _ => null,
    };

    /// <summary>A recursive loop runs over further items, one level deeper.</summary>
    public override Value Call(RenderContext caller, Arguments arguments)
    {
        if (recurse is null) throw new TemplateException(TemplateErrorKind.Value, "the loop is not marked 'recursive', so it cannot be called");
        return recurse(new BoundArguments(Name, ["items"], arguments).Required(0), depth + 1);
    }

    /// <summary>Number of passes; the items that are still to come are looked at.</summary>
    public int Count
    {
        get
        {
            if (_length is int known) return known;
            while (LookAhead(_ahead.Count + 1)) context.Allocate(16);
            _length = Index + 1 + _ahead.Count;
            return _length.Value;
        }
    }

    private bool LookAhead(int count)
    {
        while (_ahead.Count < count && _items is not null)
        {
            if (_items.MoveNext()) _ahead.Enqueue(_items.Current);
            else _items = null;
        }

        return _ahead.Count >= count;
    }

    private Value Cycle(Arguments arguments)
    {
        if (arguments.Positional.Count == 0) throw new TemplateException(TemplateErrorKind.Value, "cycle needs items");
        return arguments.Positional[Index % arguments.Positional.Count];
    }

    private BooleanValue Changed(Arguments arguments)
    {
        bool isSame = _lastChecked is not null && Comparisons.AreEqual(context, new TupleValue(_lastChecked.Positional), new TupleValue(arguments.Positional));
        _lastChecked = arguments;
        return BooleanValue.Of(!isSame);
    }
}
