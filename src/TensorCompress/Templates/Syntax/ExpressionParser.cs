using System.Globalization;
using System.Numerics;
using TensorCompress.Templates.Values;

namespace TensorCompress.Templates.Syntax;

/// <summary>Expressions, from the operator that binds least to the one that binds most; each level is one method.</summary>
internal sealed class ExpressionParser(TokenReader tokens)
{
    private const int MaxDigits = 4300; // Python's own bound
    private const int MaxNamed = 255;

    /// <summary>Names that expressions speak of while a macro is read; null outside of macros.</summary>
    public HashSet<string>? NamesSeen { get; set; }

    /// <summary>Any expression.</summary>
    public Expression Parse()
    {
        tokens.Enter();
        Expression expression = ParseOr();
        while (tokens.Current.IsName("if"))
        {
            int position = tokens.Take().Position;
            Expression condition = ParseOr();
            expression = new ConditionalExpression(position, condition, expression, tokens.SkipName("else") ? Parse() : null);
        }

        tokens.Leave();
        return expression;
    }

    /// <summary>An expression without an <c>if</c> after it: what <c>for</c> runs over.</summary>
    public Expression ParseOr()
    {
        Expression left = ParseAnd();
        while (tokens.Current.IsName("or"))
        {
            int position = tokens.Take().Position;
            left = new LogicalExpression(position, IsAnd: false, left, ParseAnd());
        }

        return left;
    }

    /// <summary>Expressions with commas between them, up to the end of the tag or a closing bracket: a tuple, or the one expression itself.</summary>
    /// <param name="withConditions">Whether an <c>if</c> may follow each.</param>
    /// <param name="mayBeEmpty">Whether nothing is the empty tuple.</param>
    /// <param name="endWord">A word that ends the list too.</param>
    public Expression ParseTuple(bool withConditions = true, bool mayBeEmpty = false, string? endWord = null)
    {
        int position = tokens.Current.Position;
        var items = new List<Expression>();
        bool isTuple = false;
        while (!IsEnd(endWord))
        {
            items.Add(withConditions ? Parse() : ParseOr());
            if (!tokens.Skip(",")) break;
            isTuple = true;
        }

        if (!isTuple && items.Count == 1) return items[0];
        return items.Count > 0 || mayBeEmpty ? new TupleExpression(position, items) : throw tokens.Fault($"an expression is due, and {tokens.Current} stands there");
    }

    public bool IsEnd(string? endWord) =>
        tokens.Current.Kind is TokenKind.VariableEnd or TokenKind.BlockEnd or TokenKind.End || tokens.Current.Is(")") || (endWord is not null && tokens.Current.IsName(endWord));

    /// <summary>Filters after each other: <c>| name(arguments) | name</c>.</summary>
    public FilterCall ParseFilter()
    {
        Token name = tokens.Expect(TokenKind.Name, "the name of a filter");
        string dotted = ParseDotted(name.Text);
        return new FilterCall(name.Position, dotted, tokens.Current.Is("(") ? ParseArguments() : CallArguments.None);
    }

    public CallArguments ParseArguments()
    {
        tokens.Expect("(");
        var positional = new List<Expression>();
        var named = new List<(string Name, Expression Value)>();
        Expression? spread = null, namedSpread = null;
        while (!tokens.Skip(")"))
        {
            if (positional.Count + named.Count > 0 || spread is not null || namedSpread is not null)
            {
                tokens.Expect(",");
                if (tokens.Skip(")")) break;
            }

            if (namedSpread is not null) throw tokens.Fault("no argument may follow **");
            if (tokens.Skip("**")) namedSpread = Parse();
            else if (tokens.Current.Kind == TokenKind.Name && tokens.Following.Is("=")) AddNamed(named);
            else if (spread is not null) throw tokens.Fault("only named arguments may follow *");
            else if (tokens.Skip("*")) spread = Parse();
            else if (named.Count > 0) throw tokens.Fault("an argument without a name follows one with a name");
            else positional.Add(Parse());
        }

        return positional.Count + named.Count == 0 && spread is null && namedSpread is null ? CallArguments.None : new CallArguments(positional, named, spread, namedSpread);
    }

    private void AddNamed(List<(string Name, Expression Value)> named)
    {
        Token name = tokens.Take();
        tokens.Take();
        if (named.Count > MaxNamed) throw tokens.Fault($"more than {MaxNamed} named arguments", name.Position, TemplateErrorKind.Limit);
        if (named.Exists(argument => argument.Name == name.Text)) throw tokens.Fault($"the argument {name.Text} is given twice", name.Position);
        named.Add((name.Text, Parse()));
    }

    private Expression ParseAnd()
    {
        Expression left = ParseNot();
        while (tokens.Current.IsName("and"))
        {
            int position = tokens.Take().Position;
            left = new LogicalExpression(position, IsAnd: true, left, ParseNot());
        }

        return left;
    }

    private Expression ParseNot()
    {
        if (!tokens.Current.IsName("not")) return ParseComparison();
        tokens.Enter();
        int position = tokens.Take().Position;
        var expression = new UnaryExpression(position, "not", ParseNot());
        tokens.Leave();
        return expression;
    }

    private Expression ParseComparison()
    {
        int position = tokens.Current.Position;
        Expression first = ParseSum();
        List<(string, Expression)>? rest = null;
        while (TakeComparison() is string operation) (rest ??= []).Add((operation, ParseSum()));
        return rest is null ? first : new ComparisonExpression(position, first, rest);
    }

    private string? TakeComparison()
    {
        Token token = tokens.Current;
        if (token.Kind == TokenKind.Operator && token.Text is "==" or "!=" or "<" or "<=" or ">" or ">=") return tokens.Take().Text;
        if (tokens.SkipName("in")) return "in";
        if (!token.IsName("not") || !tokens.Following.IsName("in")) return null;
        tokens.Take();
        tokens.Take();
        return "not in";
    }

    private Expression ParseSum()
    {
        Expression left = ParseConcatenation();
        while (tokens.Current.Is("+") || tokens.Current.Is("-"))
        {
            Token operation = tokens.Take();
            left = new BinaryExpression(operation.Position, operation.Text, left, ParseConcatenation());
        }

        return left;
    }

    private Expression ParseConcatenation()
    {
        Expression first = ParseProduct();
        if (!tokens.Current.Is("~")) return first;
        int position = tokens.Current.Position;
        var items = new List<Expression> { first };
        while (tokens.Skip("~")) items.Add(ParseProduct());
        return new ConcatenationExpression(position, items);
    }

    private Expression ParseProduct()
    {
        Expression left = ParsePower();
        while (tokens.Current.Kind == TokenKind.Operator && tokens.Current.Text is "*" or "/" or "//" or "%")
        {
            Token operation = tokens.Take();
            left = new BinaryExpression(operation.Position, operation.Text, left, ParsePower());
        }

        return left;
    }

    private Expression ParsePower()
    {
        Expression left = ParseUnary(withFilters: true);
        while (tokens.Current.Is("**"))
        {
            Token operation = tokens.Take();
            left = new BinaryExpression(operation.Position, operation.Text, left, ParseUnary(withFilters: true));
        }

        return left;
    }

    // A sign binds tighter than a filter, so that "-1|abs" is 1.
    private Expression ParseUnary(bool withFilters)
    {
        tokens.Enter();
        Expression expression;
        if (tokens.Current.Is("-") || tokens.Current.Is("+"))
        {
            Token sign = tokens.Take();
            expression = new UnaryExpression(sign.Position, sign.Text, ParseUnary(withFilters: false));
        }
        else
        {
            expression = ParsePrimary();
        }

        expression = ParsePostfix(expression);
        if (withFilters) expression = ParseFiltersAndTests(expression);
        tokens.Leave();
        return expression;
    }

    private Expression ParsePostfix(Expression expression)
    {
        while (true)
        {
            Token token = tokens.Current;
            if (token.Is(".")) expression = ParseAttribute(expression);
            else if (token.Is("[")) expression = ParseSubscript(expression);
            else if (token.Is("(")) expression = new CallExpression(token.Position, expression, ParseArguments());
            else return expression;
        }
    }

    private Expression ParseAttribute(Expression target)
    {
        int position = tokens.Take().Position;
        Token name = tokens.Take();
        return name.Kind switch
        {
            TokenKind.Name => new AttributeExpression(position, target, name.Text),
            TokenKind.Integer => new ItemExpression(position, target, new ConstantExpression(name.Position, Integer(name))),
            _ => throw tokens.Fault($"the name of an attribute is due, and {name} stands there", name.Position),
        };
    }

    private Expression ParseSubscript(Expression target)
    {
        int position = tokens.Take().Position;
        Expression result = ParseSubscripted(target, position);
        if (tokens.Current.Is(","))
        {
            var keys = new List<Expression> { (result as ItemExpression)?.Key ?? throw tokens.Fault("several slices at once are not supported", TemplateErrorKind.Unsupported) };
            while (tokens.Skip(",") && !tokens.Current.Is("]")) keys.Add(Parse());
            result = new ItemExpression(position, target, new TupleExpression(position, keys));
        }

        tokens.Expect("]");
        return result;
    }

    private Expression ParseSubscripted(Expression target, int position)
    {
        Expression? start = tokens.Current.Is(":") ? null : Parse();
        if (!tokens.Skip(":")) return new ItemExpression(position, target, start!);
        Expression? stop = EndsPart() ? null : Parse();
        Expression? step = tokens.Skip(":") && !EndsPart() ? Parse() : null;
        return new SliceExpression(position, target, start, stop, step);

        bool EndsPart() => tokens.Current.Is(":") || tokens.Current.Is("]") || tokens.Current.Is(",");
    }

    private Expression ParseFiltersAndTests(Expression expression)
    {
        while (true)
        {
            Token token = tokens.Current;
            if (tokens.Skip("|")) expression = new FilterExpression(token.Position, expression, ParseFilter());
            else if (token.IsName("is")) expression = ParseTest(expression);
            else if (token.Is("(")) expression = new CallExpression(token.Position, expression, ParseArguments());
            else return expression;
        }
    }

    private TestExpression ParseTest(Expression target)
    {
        int position = tokens.Take().Position;
        bool isNegated = tokens.SkipName("not");
        string name = ParseDotted(tokens.Expect(TokenKind.Name, "the name of a test").Text);
        CallArguments arguments = CallArguments.None;
        Token token = tokens.Current;
        if (token.Is("(")) arguments = ParseArguments();
        else if (token.IsName("is")) throw tokens.Fault("a test cannot follow a test");
        else if (BeginsArgument(token)) arguments = new CallArguments([ParsePostfix(ParsePrimary())], [], null, null);
        return new TestExpression(position, target, name, arguments, isNegated);
    }

    // One argument of a test needs no brackets: "x is divisibleby 3".
    private static bool BeginsArgument(Token token) => token.Kind switch
    {
        TokenKind.Name => token.Text is not ("else" or "or" or "and"),
        TokenKind.Text or TokenKind.Integer or TokenKind.Float => true,
        _ => token.Is("[") || token.Is("{"),
    };

    private string ParseDotted(string name)
    {
        while (tokens.Skip(".")) name += "." + tokens.Expect(TokenKind.Name, "a name").Text;
        return name;
    }

    private Expression ParsePrimary()
    {
        Token token = tokens.Take();
        switch (token.Kind)
        {
            case TokenKind.Name:
                return ParseName(token);
            case TokenKind.Integer:
                return new ConstantExpression(token.Position, Integer(token));
            case TokenKind.Float:
                return new ConstantExpression(token.Position, new FloatValue(double.Parse(token.Text.Replace("_", "", StringComparison.Ordinal), CultureInfo.InvariantCulture)));
            case TokenKind.Text:
                string text = token.Text;
                while (tokens.Current.Kind == TokenKind.Text) text += tokens.Take().Text;
                return new ConstantExpression(token.Position, new TextValue(text));
            case TokenKind.Operator when token.Text == "(":
                Expression inner = ParseTuple(mayBeEmpty: true);
                tokens.Expect(")");
                return inner;
            case TokenKind.Operator when token.Text == "[":
                return new ListExpression(token.Position, ParseItems("]", Parse));
            case TokenKind.Operator when token.Text == "{":
                return new DictExpression(token.Position, ParseItems("}", ParsePair));
            default:
                throw tokens.Fault($"an expression is due, and {token} stands there", token.Position);
        }
    }

    private Expression ParseName(Token name)
    {
        switch (name.Text)
        {
            case "true" or "True":
                return new ConstantExpression(name.Position, BooleanValue.True);
            case "false" or "False":
                return new ConstantExpression(name.Position, BooleanValue.False);
            case "none" or "None":
                return new ConstantExpression(name.Position, NoneValue.None);
            default:
                NamesSeen?.Add(name.Text);
                return new NameExpression(name.Position, name.Text);
        }
    }

    private (Expression Key, Expression Value) ParsePair()
    {
        Expression key = Parse();
        tokens.Expect(":");
        return (key, Parse());
    }

    private List<T> ParseItems<T>(string close, Func<T> parse)
    {
        var items = new List<T>();
        while (!tokens.Skip(close))
        {
            if (items.Count > 0)
            {
                tokens.Expect(",");
                if (tokens.Skip(close)) break;
            }

            items.Add(parse());
        }

        return items;
    }

    private IntegerValue Integer(Token token)
    {
        string digits = token.Text.Replace("_", "", StringComparison.Ordinal);
        if (digits.Length > MaxDigits) throw tokens.Fault($"a number of more than {MaxDigits} digits", token.Position, TemplateErrorKind.Limit);
        if (digits.Length > 1 && digits[0] == '0')
        {
            char mark = char.ToLowerInvariant(digits[1]);
            if (mark == 'x') return IntegerValue.Of(BigInteger.Parse("0" + digits[2..], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture));
            if (mark == 'b') return IntegerValue.Of(BigInteger.Parse("0" + digits[2..], NumberStyles.AllowBinarySpecifier, CultureInfo.InvariantCulture));
            if (mark == 'o') return IntegerValue.Of(digits[2..].Aggregate(BigInteger.Zero, (sum, digit) => (sum * 8) + (digit - '0')));
            if (digits.AsSpan().ContainsAnyExcept('0')) throw tokens.Fault("a number does not begin with 0", token.Position);
        }

        return IntegerValue.Of(BigInteger.Parse(digits, CultureInfo.InvariantCulture));
    }
}
