namespace TensorCompress.Templates.Syntax;

/// <summary>The tokens of a template with one token of foresight, and the depth to which its parts are nested.</summary>
internal sealed class TokenReader
{
    private readonly TemplateLexer _lexer;
    private readonly string _source;
    private readonly int _maxDepth;
    private Token? _next;
    private int _depth;

    public TokenReader(string source, int maxDepth)
    {
        _source = source;
        _maxDepth = maxDepth;
        _lexer = new TemplateLexer(source);
        Current = _lexer.Next();
    }

    public Token Current { get; private set; }

    /// <summary>The token after the current one.</summary>
    public Token Following => _next ??= _lexer.Next();

    /// <summary>Gives the current token and goes on.</summary>
    public Token Take()
    {
        Token taken = Current;
        Current = _next ?? _lexer.Next();
        _next = null;
        return taken;
    }

    /// <summary>Goes on if an operator is there.</summary>
    public bool Skip(string operation)
    {
        if (!Current.Is(operation)) return false;
        Take();
        return true;
    }

    /// <summary>Goes on if a word is there.</summary>
    public bool SkipName(string name)
    {
        if (!Current.IsName(name)) return false;
        Take();
        return true;
    }

    public Token Expect(TokenKind kind, string what) => Current.Kind == kind ? Take() : throw Fault($"{what} is due, and {Current} stands there");

    public void Expect(string operation)
    {
        if (!Skip(operation)) throw Fault($"'{operation}' is due, and {Current} stands there");
    }

    /// <summary>Begins a part within a part; <see cref="Leave"/> ends it.</summary>
    public void Enter()
    {
        if (++_depth > _maxDepth) throw new TemplateException(TemplateErrorKind.Limit, $"nested deeper than {_maxDepth} levels").At(_source, Current.Position);
    }

    public void Leave() => _depth--;

    public TemplateException Fault(string reason, TemplateErrorKind kind = TemplateErrorKind.Syntax) => Fault(reason, Current.Position, kind);

    public TemplateException Fault(string reason, int position, TemplateErrorKind kind = TemplateErrorKind.Syntax) => new TemplateException(kind, reason).At(_source, position);
}
