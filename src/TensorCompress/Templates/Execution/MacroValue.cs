using TensorCompress.Templates.Syntax;
using TensorCompress.Templates.Values;

namespace TensorCompress.Templates.Execution;

/// <summary>A macro, or the body of a call block, with the variables that it can see.</summary>
internal sealed class MacroValue(MacroSyntax syntax, Scope definedIn, Interpreter interpreter) : CallableValue
{
    public override string TypeName => "Macro";

    public override string Name => syntax.Name;

    public override Value? Attribute(string name) => name switch
    {
        "name" => new TextValue(Name),
        "arguments" => new TupleValue([.. syntax.Parameters.Select(parameter => new TextValue(parameter.Name))]),
        _ => null,
    };

    public override Value Call(RenderContext context, Arguments arguments)
    {
        var scope = new Scope(definedIn);
        context.EnterCall();
        Bind(context, scope, arguments);
        Value result = context.Text(interpreter.RunToText(syntax.Body, scope));
        context.LeaveCall();
        return result;
    }

    private void Bind(RenderContext context, Scope scope, Arguments arguments)
    {
        int parameterCount = syntax.Parameters.Count;
        context.Step(parameterCount + arguments.Positional.Count);
        if (arguments.Positional.Count > parameterCount && !syntax.TakesPositional)
            throw new TemplateException(TemplateErrorKind.Value, $"the macro {Name} takes at most {parameterCount} arguments, not {arguments.Positional.Count}");

        var named = new Dictionary<string, Value>(StringComparer.Ordinal);
        foreach ((string name, Value value) in arguments.Named) named[name] = value;
        if (syntax.UsesCaller) scope.Set("caller", named.Remove("caller", out Value? caller) ? caller : new UndefinedValue("there is no caller: the macro is not used by a call block"));
        for (int i = 0; i < parameterCount; i++)
        {
            (string name, Expression? other) = syntax.Parameters[i];
            bool isPositional = i < arguments.Positional.Count;
            bool isNamed = named.Remove(name, out Value? given);
            if (isPositional && isNamed) throw new TemplateException(TemplateErrorKind.Value, $"the macro {Name} is given {name} twice");
            // A default may use the parameters before it.
            scope.Set(
                name,
                isPositional ? arguments.Positional[i] : given ?? (other is null ? new UndefinedValue($"the parameter {name} is not given") : interpreter.Evaluate(other, scope)));
        }

        if (syntax.TakesPositional) scope.Set("varargs", new TupleValue([.. arguments.Positional.Skip(parameterCount)]));
        if (syntax.TakesNamed)
        {
            var rest = new DictValue();
            foreach ((string name, Value value) in named) rest.Set(name, value);
            scope.Set("kwargs", rest);
        }
        else if (named.Count > 0)
        {
            throw new TemplateException(TemplateErrorKind.Value, $"the macro {Name} has no parameter named {named.First().Key}");
        }
    }
}
