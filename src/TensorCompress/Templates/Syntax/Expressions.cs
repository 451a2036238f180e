using TensorCompress.Templates.Values;

namespace TensorCompress.Templates.Syntax;

/// <summary>Something that has a value.</summary>
/// <param name="Position">Where it stands in the template.</param>
internal abstract record Expression(int Position);

internal sealed record ConstantExpression(int Position, Value Value) : Expression(Position);

internal sealed record NameExpression(int Position, string Name) : Expression(Position);

internal sealed record ListExpression(int Position, IReadOnlyList<Expression> Items) : Expression(Position);

internal sealed record TupleExpression(int Position, IReadOnlyList<Expression> Items) : Expression(Position);

internal sealed record DictExpression(int Position, IReadOnlyList<(Expression Key, Expression Value)> Items) : Expression(Position);

/// <summary><c>not</c>, <c>-</c> or <c>+</c> before a value.</summary>
internal sealed record UnaryExpression(int Position, string Operator, Expression Operand) : Expression(Position);

/// <summary>Arithmetic on two values.</summary>
internal sealed record BinaryExpression(int Position, string Operator, Expression Left, Expression Right) : Expression(Position);

/// <summary><c>and</c> or <c>or</c>: gives one of its operands.</summary>
internal sealed record LogicalExpression(int Position, bool IsAnd, Expression Left, Expression Right) : Expression(Position);

/// <summary>Values joined as text by <c>~</c>.</summary>
internal sealed record ConcatenationExpression(int Position, IReadOnlyList<Expression> Items) : Expression(Position);

/// <summary>A chain such as <c>1 &lt; x &lt;= 5</c>.</summary>
internal sealed record ComparisonExpression(int Position, Expression First, IReadOnlyList<(string Operator, Expression Operand)> Rest) : Expression(Position);

/// <summary><c>a if condition else b</c>; without else undefined.</summary>
internal sealed record ConditionalExpression(int Position, Expression Condition, Expression Then, Expression? Else) : Expression(Position);

/// <summary><c>target.name</c></summary>
internal sealed record AttributeExpression(int Position, Expression Target, string Name) : Expression(Position);

/// <summary><c>target[key]</c></summary>
internal sealed record ItemExpression(int Position, Expression Target, Expression Key) : Expression(Position);

/// <summary><c>target[start:stop:step]</c></summary>
internal sealed record SliceExpression(int Position, Expression Target, Expression? Start, Expression? Stop, Expression? Step) : Expression(Position);

internal sealed record CallExpression(int Position, Expression Target, CallArguments Arguments) : Expression(Position);

internal sealed record FilterExpression(int Position, Expression Target, FilterCall Filter) : Expression(Position);

/// <summary><c>target is name arguments</c>, or <c>is not</c>.</summary>
internal sealed record TestExpression(int Position, Expression Target, string Name, CallArguments Arguments, bool IsNegated) : Expression(Position);

/// <summary>A filter's name and arguments, without what it is applied to.</summary>
internal sealed record FilterCall(int Position, string Name, CallArguments Arguments);

/// <summary>Arguments in the order in which they stand; <c>*list</c> and <c>**dict</c> may follow.</summary>
internal sealed record CallArguments(IReadOnlyList<Expression> Positional, IReadOnlyList<(string Name, Expression Value)> Named, Expression? Spread, Expression? NamedSpread)
{
    public static CallArguments None { get; } = new([], [], null, null);
}
