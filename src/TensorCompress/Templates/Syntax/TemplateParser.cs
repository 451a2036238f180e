namespace TensorCompress.Templates.Syntax;

/// <summary>Tags and text: the whole of a template.</summary>
internal sealed class TemplateParser
{
    private readonly TokenReader _tokens;
    private readonly ExpressionParser _expressions;
    private int _loopDepth;

    private TemplateParser(TokenReader tokens)
    {
        _tokens = tokens;
        _expressions = new ExpressionParser(tokens);
    }

    /// <summary>Parses a template whose line ends are normalised.</summary>
    public static Body Parse(string source, int maxDepth)
    {
        var parser = new TemplateParser(new TokenReader(source, maxDepth));
        return parser.ParseBody();
    }

    // Statements up to a tag that begins with one of the words, of which the opening and the word are taken; the end of the template where none are given.
    private Body ParseBody(params ReadOnlySpan<string> ends)
    {
        _tokens.Enter();
        var statements = new List<Statement>();
        while (true)
        {
            Token token = _tokens.Take();
            if (token.Kind == TokenKind.Data)
            {
                statements.Add(new TextStatement(token.Position, token.Text));
            }
            else if (token.Kind == TokenKind.VariableBegin)
            {
                statements.Add(new PrintStatement(token.Position, _expressions.ParseTuple()));
                _tokens.Expect(TokenKind.VariableEnd, "'}}'");
            }
            else if (token.Kind == TokenKind.BlockBegin)
            {
                if (_tokens.Current.Kind == TokenKind.Name && ends.Contains(_tokens.Current.Text)) break;
                statements.Add(ParseTag(ends));
            }
            else if (ends.IsEmpty)
            {
                break;
            }
            else
            {
                throw _tokens.Fault($"the template ends where '{string.Join("' or '", ends)}' is due", token.Position);
            }
        }

        _tokens.Leave();
        return new Body(statements);
    }

    private Body ParseBodyToEnd(string end)
    {
        EndTag();
        Body body = ParseBody(end);
        _tokens.Take();
        EndTag();
        return body;
    }

    private void EndTag() => _tokens.Expect(TokenKind.BlockEnd, "'%}'");

    private Statement ParseTag(ReadOnlySpan<string> ends)
    {
        Token tag = _tokens.Expect(TokenKind.Name, "the name of a tag");
        switch (tag.Text)
        {
            case "if": return ParseIf(tag.Position);
            case "for": return ParseFor(tag.Position);
            case "set": return ParseSet(tag.Position);
            case "with": return ParseWith(tag.Position);
            case "filter": return new FilterStatement(tag.Position, ParseFilters(), ParseBodyToEnd("endfilter"));
            case "macro": return ParseMacro(tag.Position);
            case "call": return ParseCall(tag.Position);
            case "generation": return new GenerationStatement(tag.Position, WithoutLoop(() => ParseBodyToEnd("endgeneration")));
            case "block": return ParseBlock(tag.Position);
            case "print":
                return ParsePrint(tag.Position);
            case "break" or "continue":
                if (_loopDepth == 0) throw _tokens.Fault($"'{tag.Text}' stands outside of a loop", tag.Position);
                EndTag();
                return tag.Text == "break" ? new BreakStatement(tag.Position) : new ContinueStatement(tag.Position);
            case "include" or "import" or "from" or "extends":
                throw _tokens.Fault($"'{tag.Text}' is refused: a chat template sees its messages and no other template", tag.Position, TemplateErrorKind.Forbidden);
            default:
                string due = ends.IsEmpty ? "" : $"; '{string.Join("' or '", ends)}' is due";
                throw _tokens.Fault($"there is no tag '{tag.Text}'{due}", tag.Position, TemplateErrorKind.Unsupported);
        }
    }

    private PrintStatement ParsePrint(int position)
    {
        var items = new List<Expression>();
        do items.Add(_expressions.Parse());
        while (_tokens.Skip(","));
        EndTag();
        return new PrintStatement(position, new ConcatenationExpression(position, items));
    }

    private IfStatement ParseIf(int position)
    {
        var branches = new List<(Expression, Body)>();
        Body otherwise = Body.Empty;
        while (true)
        {
            Expression condition = _expressions.ParseTuple(withConditions: false);
            EndTag();
            branches.Add((condition, ParseBody("elif", "else", "endif")));
            Token end = _tokens.Take();
            if (end.Text == "elif") continue;
            if (end.Text == "else") otherwise = ParseBodyToEnd("endif");
            else EndTag();
            return new IfStatement(position, branches, otherwise);
        }
    }

    private ForStatement ParseFor(int position)
    {
        Target target = ParseTargets("in");
        if (!_tokens.SkipName("in")) throw _tokens.Fault($"'in' is due, and {_tokens.Current} stands there");
        Expression items = _expressions.ParseTuple(withConditions: false, endWord: "recursive");
        Expression? filter = _tokens.SkipName("if") ? _expressions.Parse() : null;
        bool isRecursive = _tokens.SkipName("recursive");
        EndTag();
        _loopDepth++;
        Body body = ParseBody("endfor", "else");
        _loopDepth--;
        Body otherwise = Body.Empty;
        if (_tokens.Take().Text == "else") otherwise = ParseBodyToEnd("endfor");
        else EndTag();
        return new ForStatement(position, target, items, filter, isRecursive, body, otherwise);
    }

    private Statement ParseSet(int position)
    {
        Target target = ParseTargets(null);
        if (_tokens.Skip("="))
        {
            Expression value = _expressions.ParseTuple();
            EndTag();
            return new SetStatement(position, target, value);
        }

        IReadOnlyList<FilterCall> filters = _tokens.Skip("|") ? ParseFilters() : [];
        return new SetBlockStatement(position, target, filters, ParseBodyToEnd("endset"));
    }

    private WithStatement ParseWith(int position)
    {
        var variables = new List<(Target, Expression)>();
        while (_tokens.Current.Kind != TokenKind.BlockEnd)
        {
            if (variables.Count > 0) _tokens.Expect(",");
            Target target = ParseTarget();
            _tokens.Expect("=");
            variables.Add((target, _expressions.Parse()));
        }

        return new WithStatement(position, variables, ParseBodyToEnd("endwith"));
    }

    private List<FilterCall> ParseFilters()
    {
        var filters = new List<FilterCall> { _expressions.ParseFilter() };
        while (_tokens.Skip("|")) filters.Add(_expressions.ParseFilter());
        return filters;
    }

    private MacroStatement ParseMacro(int position)
    {
        string name = ParseName();
        return new MacroStatement(position, ParseMacro(name, ParseParameters, "endmacro"));
    }

    private CallStatement ParseCall(int position)
    {
        CallExpression? call = null;
        MacroSyntax caller = ParseMacro(
            "caller",
            () =>
            {
                List<(string, Expression?)> parameters = _tokens.Current.Is("(") ? ParseParameters() : [];
                call = _expressions.Parse() as CallExpression ?? throw _tokens.Fault("'call' takes a call of a macro", position);
                return parameters;
            },
            "endcall");
        return new CallStatement(position, call!, caller);
    }

    private MacroSyntax ParseMacro(string name, Func<List<(string Name, Expression? Default)>> parameters, string end)
    {
        HashSet<string>? outer = _expressions.NamesSeen;
        var seen = new HashSet<string>(StringComparer.Ordinal);
        _expressions.NamesSeen = seen;
        List<(string Name, Expression? Default)> declared = parameters();
        Body body = WithoutLoop(() => ParseBodyToEnd(end));
        _expressions.NamesSeen = outer;
        outer?.UnionWith(seen);
        bool Speaks(string word) => seen.Contains(word) && !declared.Exists(parameter => parameter.Name == word);
        return new MacroSyntax(name, declared, body, Speaks("caller"), Speaks("varargs"), Speaks("kwargs"));
    }

    private List<(string Name, Expression? Default)> ParseParameters()
    {
        _tokens.Expect("(");
        var parameters = new List<(string Name, Expression? Default)>();
        while (!_tokens.Skip(")"))
        {
            if (parameters.Count > 0) _tokens.Expect(",");
            string name = ParseName();
            Expression? value = _tokens.Skip("=") ? _expressions.Parse() : null;
            if (value is null && parameters.Count > 0 && parameters[^1].Default is not null) throw _tokens.Fault("a parameter without a default follows one with a default");
            parameters.Add((name, value));
        }

        return parameters;
    }

    private ScopeStatement ParseBlock(int position)
    {
        ParseName();
        bool seesOuter = _tokens.SkipName("scoped");
        EndTag();
        Body body = WithoutLoop(() => ParseBody("endblock"));
        _tokens.Take();
        if (_tokens.Current.Kind == TokenKind.Name) _tokens.Take(); // the name again
        EndTag();
        return new ScopeStatement(position, body, seesOuter);
    }

    // A macro's body is not part of the loop around it.
    private Body WithoutLoop(Func<Body> parse)
    {
        (int outer, _loopDepth) = (_loopDepth, 0);
        Body body = parse();
        _loopDepth = outer;
        return body;
    }

    private Target ParseTargets(string? endWord)
    {
        int position = _tokens.Current.Position;
        var targets = new List<Target>();
        bool isTuple = false;
        while (!_expressions.IsEnd(endWord) && !_tokens.Current.Is("=") && !_tokens.Current.Is("|"))
        {
            targets.Add(ParseTarget());
            if (!_tokens.Skip(",")) break;
            isTuple = true;
        }

        if (targets.Count == 0) throw _tokens.Fault($"a name is due, and {_tokens.Current} stands there");
        return targets.Count == 1 && !isTuple ? targets[0] : new TupleTarget(position, targets);
    }

    private Target ParseTarget()
    {
        int position = _tokens.Current.Position;
        if (_tokens.Skip("("))
        {
            _tokens.Enter();
            Target inner = ParseTargets(null);
            _tokens.Expect(")");
            _tokens.Leave();
            return inner;
        }

        string name = ParseName();
        return _tokens.Skip(".") ? new AttributeTarget(position, name, _tokens.Expect(TokenKind.Name, "the name of an attribute").Text) : new NameTarget(position, name);
    }

    private string ParseName()
    {
        Token name = _tokens.Expect(TokenKind.Name, "a name");
        return name.Text is "true" or "false" or "none" or "True" or "False" or "None" ? throw _tokens.Fault($"'{name.Text}' cannot be set", name.Position) : name.Text;
    }
}
