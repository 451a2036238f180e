namespace TensorCompress.Templates.Values;

/// <summary>A value of a template. Values behave as Python's do; templates cannot change them, but for namespaces, loops and the like.</summary>
internal abstract class Value
{
    /// <summary>What Python calls the type, for messages.</summary>
    public abstract string TypeName { get; }

    /// <summary>Whether it counts as true.</summary>
    public virtual bool IsTruthy => true;

    /// <summary>Number of items or characters; null where it has none.</summary>
    public virtual int? Length => null;

    /// <summary>Its items in order; null where it cannot be iterated. A generator gives its items once.</summary>
    public virtual IEnumerable<Value>? Items => null;

    /// <summary>Whether items can be taken by index, and their number is known.</summary>
    public virtual bool IsSequence => false;

    /// <summary>A method or other attribute; null where there is none of the name.</summary>
    public virtual Value? Attribute(string name) => null;
}

/// <summary>What a name, attribute or key without a value has. It prints as nothing and has no items; nearly everything else about it is an error.</summary>
internal sealed class UndefinedValue(string reason) : Value
{
    /// <summary>What is not defined, for messages.</summary>
    public string Reason { get; } = reason;

    public override string TypeName => "undefined";

    public override bool IsTruthy => false;

    public override int? Length => 0;

    public override IEnumerable<Value> Items => [];
}

internal sealed class NoneValue : Value
{
    private NoneValue()
    {
    }

    public static NoneValue None { get; } = new();

    public override string TypeName => "NoneType";

    public override bool IsTruthy => false;
}
