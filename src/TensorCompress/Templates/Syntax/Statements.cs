namespace TensorCompress.Templates.Syntax;

/// <summary>Something that is carried out.</summary>
/// <param name="Position">Where it stands in the template.</param>
internal abstract record Statement(int Position);

/// <summary>Text outside of tags.</summary>
internal sealed record TextStatement(int Position, string Text) : Statement(Position);

internal sealed record PrintStatement(int Position, Expression Value) : Statement(Position);

/// <summary>Conditions with their bodies, tried in order.</summary>
internal sealed record IfStatement(int Position, IReadOnlyList<(Expression Condition, Body Body)> Branches, Body Else) : Statement(Position);

internal sealed record ForStatement(int Position, Target Target, Expression Items, Expression? Filter, bool IsRecursive, Body Body, Body Else) : Statement(Position);

internal sealed record SetStatement(int Position, Target Target, Expression Value) : Statement(Position);

/// <summary><c>{% set name | filters %}body{% endset %}</c></summary>
internal sealed record SetBlockStatement(int Position, Target Target, IReadOnlyList<FilterCall> Filters, Body Body) : Statement(Position);

internal sealed record WithStatement(int Position, IReadOnlyList<(Target Target, Expression Value)> Variables, Body Body) : Statement(Position);

internal sealed record FilterStatement(int Position, IReadOnlyList<FilterCall> Filters, Body Body) : Statement(Position);

internal sealed record MacroStatement(int Position, MacroSyntax Macro) : Statement(Position);

/// <summary><c>{% call(parameters) macro(arguments) %}body{% endcall %}</c>: the body is the macro's <c>caller</c>.</summary>
internal sealed record CallStatement(int Position, CallExpression Call, MacroSyntax Caller) : Statement(Position);

/// <summary>What the assistant says: its place in the result is kept.</summary>
internal sealed record GenerationStatement(int Position, Body Body) : Statement(Position);

/// <summary>A part with variables of its own.</summary>
internal sealed record ScopeStatement(int Position, Body Body, bool SeesOuterVariables) : Statement(Position);

internal sealed record BreakStatement(int Position) : Statement(Position);

internal sealed record ContinueStatement(int Position) : Statement(Position);

/// <summary>Statements one after the other.</summary>
internal sealed record Body(IReadOnlyList<Statement> Statements)
{
    public static Body Empty { get; } = new([]);
}

/// <summary>A macro as it is written.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Parameters">Its parameters, those with a default last.</param>
/// <param name="Body">Its body.</param>
/// <param name="UsesCaller">Whether the body speaks of <c>caller</c>.</param>
/// <param name="TakesPositional">Whether it speaks of <c>varargs</c>: further arguments are allowed.</param>
/// <param name="TakesNamed">Whether it speaks of <c>kwargs</c>: further named arguments are allowed.</param>
internal sealed record MacroSyntax(
    string Name, IReadOnlyList<(string Name, Expression? Default)> Parameters, Body Body, bool UsesCaller, bool TakesPositional, bool TakesNamed);

/// <summary>Where a value goes.</summary>
internal abstract record Target(int Position);

internal sealed record NameTarget(int Position, string Name) : Target(Position);

/// <summary><c>namespace.name</c></summary>
internal sealed record AttributeTarget(int Position, string Namespace, string Name) : Target(Position);

internal sealed record TupleTarget(int Position, IReadOnlyList<Target> Items) : Target(Position);
