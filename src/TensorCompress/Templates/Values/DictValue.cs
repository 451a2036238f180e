using TensorCompress.Templates.Library;

namespace TensorCompress.Templates.Values;

/// <summary>Keys with values, in the order in which they were added.</summary>
internal sealed class DictValue : Value
{
    private readonly OrderedDictionary<Value, Value> _items;

    public DictValue(int capacity = 0)
    {
        _items = new OrderedDictionary<Value, Value>(capacity, KeyComparer.Instance);
    }

    public override string TypeName => "dict";

    public int Count => _items.Count;

    public override int? Length => _items.Count;

    public override bool IsTruthy => _items.Count > 0;

    public override IEnumerable<Value> Items => _items.Keys;

    public OrderedDictionary<Value, Value> Pairs => _items;

    // Python's dict has __getitem__, so that Jinja takes it for a sequence.
    public override bool IsSequence => true;

    /// <summary>Only for the code that makes the dict; keys are checked by <see cref="KeyComparer.ThrowIfNoKey"/>.</summary>
    public void Set(Value key, Value value)
    {
        KeyComparer.ThrowIfNoKey(key);
        _items[key] = value;
    }

    public void Set(string key, Value value) => _items[new TextValue(key)] = value;

    /// <summary>The value of a key; null where there is none, or the key can be none.</summary>
    public Value? Find(Value key) => KeyComparer.IsKey(key) ? _items.GetValueOrDefault(key) : null;

    public override Value? Attribute(string name) => MethodList.Dict.Find(this, name);
}

/// <summary>What <c>items()</c>, <c>keys()</c> and <c>values()</c> of a dict give: can be iterated any number of times, but not indexed.</summary>
internal sealed class DictViewValue(string typeName, IReadOnlyList<Value> items) : Value
{
    public override string TypeName => typeName;

    public override int? Length => items.Count;

    public override bool IsTruthy => items.Count > 0;

    public override IEnumerable<Value> Items => items;
}
