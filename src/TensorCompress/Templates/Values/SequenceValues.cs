using TensorCompress.Templates.Library;

namespace TensorCompress.Templates.Values;

/// <summary>Values in order that can be taken by index: a list, a tuple or a range.</summary>
internal abstract class SequenceValue : Value
{
    public abstract int Count { get; }

    public abstract Value this[int index] { get; }

    public override int? Length => Count;

    public override bool IsTruthy => Count > 0;

    public override bool IsSequence => true;

    public override IEnumerable<Value> Items
    {
        get
        {
            for (int i = 0; i < Count; i++) yield return this[i];
        }
    }

    public override Value? Attribute(string name) => MethodList.Sequence.Find(this, name);

    /// <summary>A sequence of the same type with other items.</summary>
    public abstract SequenceValue With(IReadOnlyList<Value> items);
}

internal sealed class ListValue(IReadOnlyList<Value> items) : SequenceValue
{
    public override string TypeName => "list";

    public override int Count => items.Count;

    public override Value this[int index] => items[index];

    public override SequenceValue With(IReadOnlyList<Value> items) => new ListValue(items);
}

internal sealed class TupleValue(IReadOnlyList<Value> items) : SequenceValue
{
    /// <summary>Names of the items where they have some: the groups of <c>groupby</c>.</summary>
    public IReadOnlyList<string> Names { get; init; } = [];

    public override string TypeName => "tuple";

    public override int Count => items.Count;

    public override Value this[int index] => items[index];

    public override SequenceValue With(IReadOnlyList<Value> items) => new TupleValue(items);

    public override Value? Attribute(string name)
    {
        for (int i = 0; i < Names.Count; i++)
        {
            if (Names[i] == name) return items[i];
        }

        return base.Attribute(name);
    }
}

/// <summary>Whole numbers at equal distances.</summary>
internal sealed class RangeValue(long start, long stop, long step, int count) : SequenceValue
{
    public long Start { get; } = start;

    public long Stop { get; } = stop;

    public long Step { get; } = step;

    public override string TypeName => "range";

    public override int Count { get; } = count;

    public override Value this[int index] => IntegerValue.Of(Start + (index * Step));

    public override SequenceValue With(IReadOnlyList<Value> items) => new ListValue(items);
}
