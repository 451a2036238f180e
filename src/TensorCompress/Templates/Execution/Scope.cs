using TensorCompress.Templates.Values;

namespace TensorCompress.Templates.Execution;

/// <summary>Variables of a part of a template, and the part around it. What is set here is not seen there.</summary>
internal sealed class Scope(Scope? outer)
{
    private Dictionary<string, Value>? _variables;

    public Value? Find(string name)
    {
        for (Scope? scope = this; scope is not null; scope = scope.Outer)
        {
            if (scope._variables is not null && scope._variables.TryGetValue(name, out Value? value)) return value;
        }

        return null;
    }

    public void Set(string name, Value value) => (_variables ??= new Dictionary<string, Value>(StringComparer.Ordinal))[name] = value;

    private Scope? Outer { get; } = outer;
}
