using System.Runtime.CompilerServices;
using TensorCompress.Templates.Library;
using TensorCompress.Templates.Syntax;
using TensorCompress.Templates.Values;

namespace TensorCompress.Templates.Execution;

/// <summary>Carries out the statements of a template.</summary>
internal sealed class Interpreter
{
    private readonly RenderContext _context;
    private readonly Evaluator _evaluator;
    private readonly Scope _root;
    private readonly TextBuffer _output;
    private readonly List<TextSpan> _generations = [];

    private Interpreter(RenderContext context, Scope root)
    {
        _context = context;
        _root = root;
        _evaluator = new Evaluator(context);
        _output = new TextBuffer(context, context.Limits.OutputLength);
    }

    private enum Outcome
    {
        Done,
        Break,
        Continue,
    }

    /// <summary>Renders a template.</summary>
    /// <param name="template">Its statements.</param>
    /// <param name="source">Its text, for the places of errors.</param>
    /// <param name="variables">What it can see.</param>
    /// <param name="context">Bounds and clock.</param>
    public static RenderedTemplate Render(Body template, string source, IEnumerable<KeyValuePair<string, Value>> variables, RenderContext context)
    {
        var globals = new Scope(null);
        foreach (FunctionValue function in FunctionList.All) globals.Set(function.Name, function);
        var root = new Scope(globals);
        foreach ((string name, Value value) in variables) root.Set(name, value);
        var interpreter = new Interpreter(context, root);
        try
        {
            interpreter.Run(template, root, interpreter._output);
            return new RenderedTemplate(interpreter._output.ToString(), interpreter._generations);
        }
        catch (TemplateException fault) when (!fault.HasPlace)
        {
            throw fault.At(source, interpreter._evaluator.Position);
        }
    }

    public Value Evaluate(Expression expression, Scope scope) => _evaluator.Evaluate(expression, scope);

    /// <summary>What statements print, as a text of its own.</summary>
    public string RunToText(Body body, Scope scope)
    {
        var buffer = new TextBuffer(_context);
        Run(body, scope, buffer);
        return buffer.ToString();
    }

    private Outcome Run(Body body, Scope scope, TextBuffer output)
    {
        if (!RuntimeHelpers.TryEnsureSufficientExecutionStack()) throw RenderContext.Limit("nested too deep for the stack");
        foreach (Statement statement in body.Statements)
        {
            _context.Step();
            _evaluator.Position = statement.Position;
            Outcome outcome = Run(statement, scope, output);
            if (outcome != Outcome.Done) return outcome;
        }

        return Outcome.Done;
    }

    private Outcome Run(Statement statement, Scope scope, TextBuffer output)
    {
        switch (statement)
        {
            case TextStatement text:
                output.Append(text.Text);
                return Outcome.Done;
            case PrintStatement print:
                output.Append(PythonText.Of(_context, Evaluate(print.Value, scope)));
                return Outcome.Done;
            case IfStatement choice:
                return RunIf(choice, scope, output);
            case ForStatement loop:
                return RunFor(loop, Evaluate(loop.Items, scope), 0, scope, output);
            case SetStatement set:
                Assign(set.Target, Evaluate(set.Value, scope), scope);
                return Outcome.Done;
            case SetBlockStatement set:
                Assign(set.Target, Filtered(set.Filters, set.Body, scope), scope);
                return Outcome.Done;
            case FilterStatement filter:
                output.Append(PythonText.Of(_context, Filtered(filter.Filters, filter.Body, scope)));
                return Outcome.Done;
            case MacroStatement macro:
                scope.Set(macro.Macro.Name, new MacroValue(macro.Macro, scope, this));
                return Outcome.Done;
            case CallStatement call:
                Value result = _evaluator.Call(call.Call, scope, new MacroValue(call.Caller, scope, this));
                output.Append(PythonText.Of(_context, result));
                return Outcome.Done;
            case WithStatement with:
                return RunWith(with, scope, output);
            case ScopeStatement block:
                return Run(block.Body, new Scope(block.SeesOuterVariables ? scope : _root), output);
            case GenerationStatement generation:
                RunGeneration(generation, scope, output);
                return Outcome.Done;
            default:
                return statement is BreakStatement ? Outcome.Break : Outcome.Continue;
        }
    }

    private Outcome RunIf(IfStatement choice, Scope scope, TextBuffer output)
    {
        foreach ((Expression condition, Body body) in choice.Branches)
        {
            if (Evaluate(condition, scope).IsTruthy) return Run(body, scope, output);
        }

        return Run(choice.Else, scope, output);
    }

    private Outcome RunFor(ForStatement syntax, Value items, int depth, Scope scope, TextBuffer output)
    {
        IEnumerable<Value> passes = _context.Iterate(items);
        int? count = items.Length;
        if (syntax.Filter is not null)
        {
            passes = passes.Where(item => IsTaken(syntax, item, scope));
            count = null;
        }

        var loop = new LoopValue(_context, passes, count, depth, syntax.IsRecursive ? (inner, level) => Recurse(syntax, inner, level, scope) : null);
        bool isAnyComplete = false; // a pass that ends in break or continue does not keep the else away
        while (loop.MoveNext(out Value item))
        {
            _context.Step(4);
            var pass = new Scope(scope);
            Assign(syntax.Target, item, pass);
            pass.Set("loop", loop);
            Outcome outcome = Run(syntax.Body, pass, output);
            if (outcome == Outcome.Break) break;
            isAnyComplete |= outcome == Outcome.Done;
        }

        return !isAnyComplete ? Run(syntax.Else, new Scope(scope), output) : Outcome.Done;
    }

    private bool IsTaken(ForStatement syntax, Value item, Scope scope)
    {
        var candidate = new Scope(scope);
        Assign(syntax.Target, item, candidate);
        return Evaluate(syntax.Filter!, candidate).IsTruthy;
    }

    private TextValue Recurse(ForStatement syntax, Value items, int depth, Scope scope)
    {
        _context.EnterCall();
        var buffer = new TextBuffer(_context);
        RunFor(syntax, items, depth, scope, buffer);
        _context.LeaveCall();
        return _context.Text(buffer.ToString());
    }

    private Outcome RunWith(WithStatement with, Scope scope, TextBuffer output)
    {
        var inner = new Scope(scope);
        foreach ((Target target, Expression value) in with.Variables) Assign(target, Evaluate(value, scope), inner);
        return Run(with.Body, inner, output);
    }

    // Places count in the whole result, so that a block within a macro or a captured text stands where the output is by then.
    private void RunGeneration(GenerationStatement generation, Scope scope, TextBuffer output)
    {
        string text = RunToText(generation.Body, new Scope(scope));
        _generations.Add(new TextSpan(_output.Length, text.Length));
        output.Append(text);
    }

    private Value Filtered(IReadOnlyList<FilterCall> filters, Body body, Scope scope)
    {
        Value value = _context.Text(RunToText(body, new Scope(scope)));
        foreach (FilterCall filter in filters) value = _evaluator.Filter(filter, value, scope);
        return value;
    }

    private void Assign(Target target, Value value, Scope scope)
    {
        switch (target)
        {
            case NameTarget name:
                scope.Set(name.Name, value);
                break;
            case AttributeTarget attribute:
                if (scope.Find(attribute.Namespace) is not NamespaceValue space)
                    throw new TemplateException(TemplateErrorKind.Forbidden, $"'{attribute.Namespace}' is no namespace: only attributes of namespaces can be set");
                space.Set(attribute.Name, value);
                break;
            case TupleTarget tuple:
                List<Value> items = _context.ToList(value);
                if (items.Count != tuple.Items.Count) throw new TemplateException(TemplateErrorKind.Value, $"{items.Count} values for {tuple.Items.Count} names");
                for (int i = 0; i < items.Count; i++) Assign(tuple.Items[i], items[i], scope);
                break;
        }
    }
}
