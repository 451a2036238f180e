using TensorCompress.Templates.Execution;

namespace TensorCompress.Templates.Values;

/// <summary>What filters such as <c>map</c> give: items that are made when they are asked for, once.</summary>
internal sealed class GeneratorValue(IEnumerable<Value> items) : Value
{
    private readonly IEnumerator<Value> _items = items.GetEnumerator();

    public override string TypeName => "generator";

    public override IEnumerable<Value> Items
    {
        get
        {
            while (_items.MoveNext()) yield return _items.Current;
        }
    }
}

/// <summary>The one kind of value whose attributes a template may set.</summary>
internal sealed class NamespaceValue : Value
{
    public DictValue Attributes { get; } = new();

    public override string TypeName => "Namespace";

    public override Value? Attribute(string name) => Attributes.Find(new TextValue(name));

    public void Set(string name, Value value) => Attributes.Set(name, value);
}

/// <summary>Something that can be called.</summary>
internal abstract class CallableValue : Value
{
    /// <summary>Its name, for messages.</summary>
    public abstract string Name { get; }

    public abstract Value Call(RenderContext context, Arguments arguments);
}

/// <summary>A function that is built in, or a method with the value it belongs to.</summary>
internal sealed class FunctionValue(string name, Func<RenderContext, Arguments, Value> call) : CallableValue
{
    public override string TypeName => "function";

    public override string Name => name;

    public override Value Call(RenderContext context, Arguments arguments) => call(context, arguments);
}
