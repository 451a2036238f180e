using System.Runtime.CompilerServices;
using TensorCompress.Templates.Library;
using TensorCompress.Templates.Syntax;
using TensorCompress.Templates.Values;

namespace TensorCompress.Templates.Execution;

/// <summary>Gives expressions their values.</summary>
internal sealed class Evaluator(RenderContext context)
{
    /// <summary>Place of what is being evaluated, for errors.</summary>
    public int Position { get; set; }

    public Value Evaluate(Expression expression, Scope scope)
    {
        context.Step();
        if (!RuntimeHelpers.TryEnsureSufficientExecutionStack()) throw RenderContext.Limit("nested too deep for the stack");
        switch (expression)
        {
            case ConstantExpression constant:
                return constant.Value;
            case NameExpression name:
                return scope.Find(name.Name) ?? new UndefinedValue($"'{name.Name}' is not defined");
            case AttributeExpression attribute:
                Value owner = Evaluate(attribute.Target, scope);
                Position = attribute.Position;
                return Access.Attribute(context, owner, attribute.Name);
            case ItemExpression item:
                return EvaluateItem(item, scope);
            case SliceExpression slice:
                return EvaluateSlice(slice, scope);
            case CallExpression call:
                return Call(call, scope, caller: null);
            case FilterExpression filter:
                return Filter(filter.Filter, Evaluate(filter.Target, scope), scope);
            case TestExpression test:
                return EvaluateTest(test, scope);
            case LogicalExpression logical:
                Value left = Evaluate(logical.Left, scope);
                return left.IsTruthy == logical.IsAnd ? Evaluate(logical.Right, scope) : left;
            case ConditionalExpression conditional:
                if (Evaluate(conditional.Condition, scope).IsTruthy) return Evaluate(conditional.Then, scope);
                return conditional.Else is null ? new UndefinedValue("the condition is false, and there is no else") : Evaluate(conditional.Else, scope);
            default:
                return EvaluateOperation(expression, scope);
        }
    }

    /// <summary>Calls a function or macro, for a call block with the block's body.</summary>
    public Value Call(CallExpression call, Scope scope, MacroValue? caller)
    {
        Value target = Evaluate(call.Target, scope);
        Arguments arguments = EvaluateArguments(call.Arguments, scope);
        if (caller is not null) arguments = arguments with { Named = [.. arguments.Named, new("caller", caller)] };
        Position = call.Position;
        return target switch
        {
            CallableValue callable => callable.Call(context, arguments),
            UndefinedValue undefined => throw new TemplateException(TemplateErrorKind.Undefined, undefined.Reason),
            _ => throw new TemplateException(TemplateErrorKind.Value, $"a value of type {target.TypeName} cannot be called"),
        };
    }

    public Value Filter(FilterCall filter, Value value, Scope scope)
    {
        Arguments arguments = EvaluateArguments(filter.Arguments, scope);
        Position = filter.Position;
        return FilterList.Apply(context, filter.Name, value, arguments);
    }

    private BooleanValue EvaluateTest(TestExpression test, Scope scope)
    {
        Value value = Evaluate(test.Target, scope);
        Arguments arguments = EvaluateArguments(test.Arguments, scope);
        Position = test.Position;
        return BooleanValue.Of(TestList.Apply(context, test.Name, value, arguments) != test.IsNegated);
    }

    private Value EvaluateItem(ItemExpression item, Scope scope)
    {
        Value target = Evaluate(item.Target, scope);
        Value key = Evaluate(item.Key, scope);
        Position = item.Position;
        return Access.Item(context, target, key);
    }

    private Value EvaluateSlice(SliceExpression slice, Scope scope)
    {
        Value target = Evaluate(slice.Target, scope);
        Value? start = slice.Start is null ? null : Evaluate(slice.Start, scope);
        Value? stop = slice.Stop is null ? null : Evaluate(slice.Stop, scope);
        Value? step = slice.Step is null ? null : Evaluate(slice.Step, scope);
        Position = slice.Position;
        return Access.Slice(context, target, start, stop, step);
    }

    private Value EvaluateOperation(Expression expression, Scope scope)
    {
        switch (expression)
        {
            case BinaryExpression binary:
                Value left = Evaluate(binary.Left, scope), right = Evaluate(binary.Right, scope);
                Position = binary.Position;
                return Operators.Apply(context, binary.Operator, left, right);
            case UnaryExpression unary:
                Value operand = Evaluate(unary.Operand, scope);
                Position = unary.Position;
                return unary.Operator == "not" ? BooleanValue.Of(!operand.IsTruthy) : Operators.Negate(operand, unary.Operator == "-");
            case ComparisonExpression comparison:
                return EvaluateComparison(comparison, scope);
            case ConcatenationExpression concatenation:
                var text = new TextBuffer(context);
                foreach (Expression item in concatenation.Items) text.Append(PythonText.Of(context, Evaluate(item, scope)));
                return new TextValue(text.ToString());
            case ListExpression list:
                return new ListValue(EvaluateAll(list.Items, scope));
            case TupleExpression tuple:
                return new TupleValue(EvaluateAll(tuple.Items, scope));
            default:
                return EvaluateDict((DictExpression)expression, scope);
        }
    }

    private BooleanValue EvaluateComparison(ComparisonExpression comparison, Scope scope)
    {
        Value left = Evaluate(comparison.First, scope);
        foreach ((string operation, Expression operand) in comparison.Rest)
        {
            Value right = Evaluate(operand, scope);
            Position = comparison.Position;
            if (!Holds(operation, left, right)) return BooleanValue.False;
            left = right;
        }

        return BooleanValue.True;
    }

    private bool Holds(string operation, Value left, Value right) => operation switch
    {
        "==" => Comparisons.AreEqual(context, left, right),
        "!=" => !Comparisons.AreEqual(context, left, right),
        "<" => Comparisons.Compare(context, left, right) < 0,
        "<=" => Comparisons.Compare(context, left, right) <= 0,
        ">" => Comparisons.Compare(context, left, right) > 0,
        ">=" => Comparisons.Compare(context, left, right) >= 0,
        "in" => Comparisons.Contains(context, right, left),
        _ => !Comparisons.Contains(context, right, left),
    };

    private Value[] EvaluateAll(IReadOnlyList<Expression> expressions, Scope scope)
    {
        context.AllocateItems(expressions.Count);
        var values = new Value[expressions.Count];
        for (int i = 0; i < values.Length; i++) values[i] = Evaluate(expressions[i], scope);
        return values;
    }

    private DictValue EvaluateDict(DictExpression expression, Scope scope)
    {
        context.AllocateItems(expression.Items.Count * 8L);
        var dict = new DictValue(expression.Items.Count);
        foreach ((Expression key, Expression value) in expression.Items) dict.Set(Evaluate(key, scope), Evaluate(value, scope));
        return dict;
    }

    private Arguments EvaluateArguments(CallArguments arguments, Scope scope)
    {
        if (ReferenceEquals(arguments, CallArguments.None)) return Arguments.None;
        var positional = new List<Value>(EvaluateAll(arguments.Positional, scope));
        if (arguments.Spread is not null) positional.AddRange(context.ToList(Evaluate(arguments.Spread, scope)));
        var named = new List<KeyValuePair<string, Value>>(arguments.Named.Count);
        foreach ((string name, Expression value) in arguments.Named) named.Add(new(name, Evaluate(value, scope)));
        if (arguments.NamedSpread is not null) named.AddRange(NamedItems(Evaluate(arguments.NamedSpread, scope)));
        return new Arguments(positional, named);
    }

    private List<KeyValuePair<string, Value>> NamedItems(Value value)
    {
        if (value is not DictValue dict) throw new TemplateException(TemplateErrorKind.Value, $"** takes a dict, not a value of type {value.TypeName}");
        context.AllocateItems(dict.Count * 4L);
        return [.. dict.Pairs.Select(pair => new KeyValuePair<string, Value>(
            pair.Key is TextValue name ? name.Text : throw new TemplateException(TemplateErrorKind.Value, "** takes a dict whose keys are texts"), pair.Value))];
    }
}
