using TensorCompress.Templates.Values;

namespace TensorCompress.Templates.Syntax;

/// <summary>
/// Splits a template into tokens, one at a time. Text outside of tags is trimmed as Hugging Face sets Jinja: the newline after a block or comment goes
/// (trim_blocks), and so do blanks before one that begins its line (lstrip_blocks); <c>-</c> takes all white space, <c>+</c> leaves it.
/// </summary>
internal sealed class TemplateLexer(string source)
{
    private readonly TagLexer _tag = new(source);
    private int _position;
    private bool _isInTag;
    private bool _isBlock;
    private Token? _pending;

    /// <summary>The next token; <see cref="TokenKind.End"/> for ever at the end.</summary>
    public Token Next()
    {
        if (_pending is Token pending)
        {
            _pending = null;
            return pending;
        }

        return _isInTag ? NextInTag() : NextOutside();
    }

    private Token NextInTag()
    {
        Token token = _tag.Next(ref _position, _isBlock);
        if (token.Kind is TokenKind.VariableEnd or TokenKind.BlockEnd or TokenKind.End) _isInTag = false;
        return token;
    }

    // Returns the text up to the next tag, and keeps that tag's beginning for the next call; skips comments.
    private Token NextOutside()
    {
        while (true)
        {
            int start = _position;
            int open = FindTag(start);
            if (open < 0)
            {
                _position = source.Length;
                return start < source.Length ? new Token(TokenKind.Data, start, source[start..]) : new Token(TokenKind.End, source.Length, "");
            }

            char kind = source[open + 1];
            string text = Trimmed(start, open, isBlock: kind != '{');
            _position = open + 2;
            if (At(_position) is '-' or '+') _position++;
            if (kind == '#')
            {
                SkipComment(open);
            }
            else if (kind == '%' && TryReadRaw(open, out Token raw))
            {
                if (text.Length == 0) return raw;
                _pending = raw;
            }
            else
            {
                _isInTag = true;
                _isBlock = kind == '%';
                _tag.Begin();
                var begin = new Token(_isBlock ? TokenKind.BlockBegin : TokenKind.VariableBegin, open, "");
                if (text.Length == 0) return begin;
                _pending = begin;
            }

            if (text.Length > 0) return new Token(TokenKind.Data, start, text);
        }
    }

    private int FindTag(int start)
    {
        for (int open = start; (open = source.IndexOf('{', open)) >= 0; open++)
        {
            if (At(open + 1) is '{' or '%' or '#') return open;
        }

        return -1;
    }

    // The text before a tag, without what the tag takes away from it.
    private string Trimmed(int start, int open, bool isBlock)
    {
        char sign = At(open + 2);
        int end = open;
        if (sign == '-')
        {
            while (end > start && PythonCharacters.IsSpace(source[end - 1])) end--;
        }
        else if (sign != '+' && isBlock)
        {
            int line = end;
            while (line > start && source[line - 1] != '\n' && PythonCharacters.IsSpace(source[line - 1])) line--;
            if (line == 0 || source[line - 1] == '\n') end = line;
        }

        return source[start..end];
    }

    private void SkipComment(int open)
    {
        int close = source.IndexOf("#}", _position, StringComparison.Ordinal);
        if (close < 0) throw new TemplateException(TemplateErrorKind.Syntax, "the comment has no end").At(source, open);
        char sign = close > _position ? source[close - 1] : '\0';
        _position = AfterEnd(source, close + 2, sign, trimsLine: true);
    }

    // {% raw %}: everything up to {% endraw %} is text.
    private bool TryReadRaw(int open, out Token raw)
    {
        raw = default;
        int content = AfterWord(_position, "raw");
        if (content < 0) return false;
        if (source.AsSpan(content).StartsWith("-%}")) content = AfterEnd(source, content + 3, '-', trimsLine: false);
        else if (source.AsSpan(content).StartsWith("%}")) content += 2;
        else return false;

        for (int end = content; (end = source.IndexOf("{%", end, StringComparison.Ordinal)) >= 0; end += 2)
        {
            int after = AfterWord(end + (At(end + 2) is '-' or '+' ? 3 : 2), "endraw");
            if (after < 0) continue;
            char sign = At(after);
            if (sign is '-' or '+') after++;
            if (!source.AsSpan(after).StartsWith("%}")) continue;
            raw = new Token(TokenKind.Data, content, Trimmed(content, end, isBlock: true));
            _position = AfterEnd(source, after + 2, sign, trimsLine: true);
            return true;
        }

        throw new TemplateException(TemplateErrorKind.Syntax, "'raw' has no 'endraw'").At(source, open);
    }

    // The position after white space, a word, and white space; -1 where something else stands.
    private int AfterWord(int position, string word)
    {
        position = SkipSpace(source, position);
        return source.AsSpan(position).StartsWith(word) ? SkipSpace(source, position + word.Length) : -1;
    }

    private char At(int position) => position < source.Length ? source[position] : '\0';

    /// <summary>Where text goes on after the end of a tag.</summary>
    internal static int AfterEnd(string source, int position, char sign, bool trimsLine)
    {
        if (sign == '-') return SkipSpace(source, position);
        return trimsLine && sign != '+' && position < source.Length && source[position] == '\n' ? position + 1 : position;
    }

    internal static int SkipSpace(string source, int position)
    {
        while (position < source.Length && PythonCharacters.IsSpace(source[position])) position++;
        return position;
    }
}
