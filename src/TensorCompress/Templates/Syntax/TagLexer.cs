namespace TensorCompress.Templates.Syntax;

/// <summary>The tokens between <c>{{</c> and <c>}}</c>, or <c>{%</c> and <c>%}</c>.</summary>
internal sealed class TagLexer(string source)
{
    // Longest first.
    private static readonly string[] Operators =
        ["//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".", ":", "|", ",", ";"];

    // Closing brackets that are due: within brackets }} and %} do not end the tag.
    private readonly Stack<char> _due = new();

    public void Begin() => _due.Clear();

    public Token Next(ref int position, bool isBlock)
    {
        position = TemplateLexer.SkipSpace(source, position);
        if (position >= source.Length) return new Token(TokenKind.End, source.Length, "");
        int start = position;
        if (_due.Count == 0 && TryEnd(ref position, isBlock)) return new Token(isBlock ? TokenKind.BlockEnd : TokenKind.VariableEnd, start, "");
        char first = source[start];
        if (char.IsAsciiDigit(first)) return ReadNumber(ref position);
        if (first is '"' or '\'') return ReadText(ref position);
        if (first == '_' || char.IsLetter(first))
        {
            while (position < source.Length && (source[position] == '_' || char.IsLetterOrDigit(source[position]))) position++;
            return new Token(TokenKind.Name, start, source[start..position]);
        }

        foreach (string operation in Operators)
        {
            if (!source.AsSpan(start).StartsWith(operation)) continue;
            if (operation.Length == 1) Balance(operation[0], start);
            position += operation.Length;
            return new Token(TokenKind.Operator, start, operation);
        }

        throw Fault($"the character '{first}' means nothing here", start);
    }

    private bool TryEnd(ref int position, bool isBlock)
    {
        char sign = source[position];
        int close = position + (sign == '-' || (sign == '+' && isBlock) ? 1 : 0);
        if (!source.AsSpan(close).StartsWith(isBlock ? "%}" : "}}")) return false;
        position = TemplateLexer.AfterEnd(source, close + 2, sign, trimsLine: isBlock);
        return true;
    }

    private void Balance(char bracket, int position)
    {
        switch (bracket)
        {
            case '(': _due.Push(')'); break;
            case '[': _due.Push(']'); break;
            case '{': _due.Push('}'); break;
            case ')' or ']' or '}':
                if (!_due.TryPop(out char due)) throw Fault($"'{bracket}' closes nothing", position);
                if (due != bracket) throw Fault($"'{bracket}' stands where '{due}' is due", position);
                break;
        }
    }

    private Token ReadNumber(ref int position)
    {
        int start = position;
        // After a dot a number is an index: "x.0.5" has no fraction.
        bool isIndex = start > 0 && source[start - 1] == '.';
        int end = Digits(start);
        bool isFloat = false;
        if (!isIndex)
        {
            if (end + 1 < source.Length && source[end] == '.' && char.IsAsciiDigit(source[end + 1]))
            {
                isFloat = true;
                end = Digits(end + 1);
            }

            int exponent = end + 1;
            if (end < source.Length && source[end] is 'e' or 'E')
            {
                if (exponent < source.Length && source[exponent] is '+' or '-') exponent++;
                if (exponent < source.Length && char.IsAsciiDigit(source[exponent]))
                {
                    isFloat = true;
                    end = Digits(exponent);
                }
            }
        }

        if (!isFloat && source[start] == '0' && end == start + 1 && end + 1 < source.Length && RadixDigits(char.ToLowerInvariant(source[end])) is string digits)
        {
            int last = end + 1;
            while (last < source.Length && (source[last] == '_' || digits.Contains(char.ToLowerInvariant(source[last])))) last++;
            if (last > end + 1) end = last;
        }

        position = end;
        return new Token(isFloat ? TokenKind.Float : TokenKind.Integer, start, source[start..end]);
    }

    private static string? RadixDigits(char mark) => mark switch
    {
        'x' => "0123456789abcdef",
        'o' => "01234567",
        'b' => "01",
        _ => null,
    };

    // Digits, with single underscores between them.
    private int Digits(int position)
    {
        while (position < source.Length
            && (char.IsAsciiDigit(source[position]) || (source[position] == '_' && position + 1 < source.Length && char.IsAsciiDigit(source[position + 1])))) position++;
        return position;
    }

    private Token ReadText(ref int position)
    {
        int start = position;
        char quote = source[start];
        bool hasEscapes = false;
        for (position++; position < source.Length && source[position] != quote; position++)
        {
            if (source[position] != '\\') continue;
            hasEscapes = true;
            position++;
        }

        if (position >= source.Length) throw Fault("the text literal has no end", start);
        position++;
        ReadOnlySpan<char> content = source.AsSpan(start + 1, position - start - 2);
        string text = hasEscapes ? EscapedText.Decode(content) ?? throw Fault("the text literal has an incomplete escape", start) : content.ToString();
        return new Token(TokenKind.Text, start, text);
    }

    private TemplateException Fault(string reason, int position) => new TemplateException(TemplateErrorKind.Syntax, reason).At(source, position);
}
