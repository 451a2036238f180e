using System.Globalization;
using TensorCompress.Tokenization.Unicode;

namespace TensorCompress.Tokenization.Expressions;

/// <summary>
/// Reads regular expressions in the syntax that tokenizer files are written in (Oniguruma with Ruby's rules): code points, nested and intersected classes, possessive
/// quantifiers. What it does not know, back references for instance, is refused by name.
/// </summary>
internal sealed class ExpressionParser
{
    private const int MaxLength = 1 << 14;
    private const int MaxDepth = 64;
    private const int MaxRepeat = 1000;

    private readonly string _pattern;
    private int _at;
    private int _depth;
    private bool _ignoresCase;
    private bool _dotTakesLines;
    private bool _skipsBlanks;

    private ExpressionParser(string pattern) => _pattern = pattern;

    /// <summary>Reads an expression.</summary>
    /// <exception cref="NotSupportedException">The expression has something that is not supported.</exception>
    /// <exception cref="FormatException">It is not well formed.</exception>
    public static ExpressionNode Parse(string pattern)
    {
        if (pattern.Length > MaxLength) throw new NotSupportedException($"an expression of {pattern.Length} characters (at most {MaxLength})");
        var parser = new ExpressionParser(pattern);
        ExpressionNode node = parser.ReadChoice();
        return parser._at == pattern.Length ? node : throw parser.Fault("a parenthesis too many");
    }

    private ExpressionNode ReadChoice()
    {
        if (++_depth > MaxDepth) throw new NotSupportedException($"groups more than {MaxDepth} deep");
        (bool ignoresCase, bool dotTakesLines, bool skipsBlanks) = (_ignoresCase, _dotTakesLines, _skipsBlanks);
        var choices = new List<ExpressionNode> { ReadSequence() };
        while (Take('|')) choices.Add(ReadSequence());
        (_ignoresCase, _dotTakesLines, _skipsBlanks) = (ignoresCase, dotTakesLines, skipsBlanks); // options end with their group
        _depth--;
        return choices.Count == 1 ? choices[0] : new ChoiceNode(choices);
    }

    private ExpressionNode ReadSequence()
    {
        var parts = new List<ExpressionNode>();
        while (_at < _pattern.Length && _pattern[_at] is not ('|' or ')'))
        {
            if (SkipsHere()) continue;
            if (ReadAtom() is ExpressionNode atom) parts.Add(ReadQuantifiers(atom));
        }

        return parts.Count == 1 ? parts[0] : new SequenceNode(parts);
    }

    private bool SkipsHere()
    {
        if (!_skipsBlanks) return false;
        if (char.IsWhiteSpace(_pattern[_at])) _at++;
        else if (_pattern[_at] == '#') while (_at < _pattern.Length && _pattern[_at] != '\n') _at++;
        else return false;
        return true;
    }

    // Null where it only sets options.
    private ExpressionNode? ReadAtom()
    {
        switch (_pattern[_at])
        {
            case '(':
                _at++;
                return ReadGroup();
            case '[':
                return new SetNode(new ExpressionSetParser(_pattern, ref _at, _ignoresCase).Set);
            case '.':
                _at++;
                return new SetNode(_dotTakesLines ? CodePointSet.All : CodePointSet.Of('\n').Negate());
            case '^':
                _at++;
                return new AnchorNode(AnchorKind.LineStart);
            case '$':
                _at++;
                return new AnchorNode(AnchorKind.LineEnd);
            case '*' or '+' or '?':
                throw Fault("a quantifier without anything to repeat");
            case '\\' when _at + 1 < _pattern.Length && Anchor(_pattern[_at + 1]) is AnchorKind anchor:
                _at += 2;
                return new AnchorNode(anchor);
            case '\\':
                return new SetNode(Fold(ExpressionEscapes.Read(_pattern, ref _at)));
            default:
                int codePoint = CodePoints.At(_pattern, _at, out int length);
                _at += length;
                return new SetNode(Fold(CodePointSet.Of(codePoint)));
        }
    }

    private CodePointSet Fold(CodePointSet set) => _ignoresCase ? CaseFolding.Close(set) : set;

    private static AnchorKind? Anchor(char letter) => letter switch
    {
        'A' => AnchorKind.TextStart,
        'z' => AnchorKind.TextEnd,
        'Z' => AnchorKind.LastLineEnd,
        'b' => AnchorKind.WordBoundary,
        'B' => AnchorKind.NoWordBoundary,
        _ => null,
    };

    private ExpressionNode? ReadGroup()
    {
        if (!Take('?')) return Close(ReadChoice());
        if (Take(':')) return Close(ReadChoice());
        if (Take('>')) return new AtomicNode(Close(ReadChoice()));
        if (Take('=')) return new LookNode(Close(ReadChoice()), IsBehind: false, IsNegative: false);
        if (Take('!')) return new LookNode(Close(ReadChoice()), IsBehind: false, IsNegative: true);
        if (Take('#'))
        {
            while (_at < _pattern.Length && _pattern[_at] != ')') _at++;
            return Take(')') ? null : throw Fault("a comment without an end");
        }

        if (Take('<') || (_at < _pattern.Length && _pattern[_at] == 'P' && Take('P') && Take('<')))
        {
            if (Take('=')) return new LookNode(Close(ReadChoice()), IsBehind: true, IsNegative: false);
            if (Take('!')) return new LookNode(Close(ReadChoice()), IsBehind: true, IsNegative: true);
            while (_at < _pattern.Length && _pattern[_at] != '>') _at++; // the name of a group has no meaning without back references
            return Take('>') ? Close(ReadChoice()) : throw Fault("a group's name without an end");
        }

        return ReadOptions();
    }

    private ExpressionNode? ReadOptions()
    {
        bool value = true;
        (bool ignoresCase, bool dotTakesLines, bool skipsBlanks) = (_ignoresCase, _dotTakesLines, _skipsBlanks);
        for (; _at < _pattern.Length; _at++)
        {
            switch (_pattern[_at])
            {
                case '-':
                    value = false;
                    break;
                case 'i':
                    _ignoresCase = value;
                    break;
                case 'm':
                    _dotTakesLines = value;
                    break;
                case 'x':
                    _skipsBlanks = value;
                    break;
                case ')':
                    _at++;
                    return null; // until the enclosing group ends
                case ':':
                    _at++;
                    ExpressionNode body = Close(ReadChoice());
                    (_ignoresCase, _dotTakesLines, _skipsBlanks) = (ignoresCase, dotTakesLines, skipsBlanks);
                    return body;
                default:
                    throw new NotSupportedException($"the group '(?{_pattern[_at]}'");
            }
        }

        throw Fault("a group without an end");
    }

    private ExpressionNode Close(ExpressionNode body) => Take(')') ? body : throw Fault("a group without an end");

    private ExpressionNode ReadQuantifiers(ExpressionNode atom)
    {
        while (_at < _pattern.Length)
        {
            int before = _at;
            bool isBraced = false;
            (int min, int max) = _pattern[_at] switch
            {
                '*' => (0, RepeatNode.Unlimited),
                '+' => (1, RepeatNode.Unlimited),
                '?' => (0, 1),
                _ => (-1, -1),
            };
            if (min >= 0) _at++;
            else if (!ReadBraces(out min, out max)) break;
            else isBraced = true;
            RepeatKind kind = Take('?') ? RepeatKind.Lazy : !isBraced && Take('+') ? RepeatKind.Possessive : RepeatKind.Greedy;
            if (min > MaxRepeat || (max != RepeatNode.Unlimited && max > MaxRepeat)) throw new NotSupportedException($"the quantifier '{_pattern[before.._at]}' (at most {MaxRepeat})");
            if (atom is AnchorNode or LookNode) throw new NotSupportedException("a repeated condition");
            if (max == RepeatNode.Unlimited && atom.CanBeEmpty) throw new NotSupportedException("an unlimited repetition of what can be empty");
            atom = new RepeatNode(atom, min, max, kind);
        }

        return atom;
    }

    // {n}, {n,}, {n,m}, {,m}; anything else is ordinary text.
    private bool ReadBraces(out int min, out int max)
    {
        (min, max) = (0, 0);
        if (_pattern[_at] != '{') return false;
        int end = _pattern.IndexOf('}', _at);
        if (end < 0) return false;
        string[] bounds = _pattern[(_at + 1)..end].Split(',');
        if (bounds.Length > 2 || bounds.All(bound => bound.Length == 0) || !Bound(bounds[0], 0, out min)) return false;
        if (bounds.Length == 1) max = min;
        else if (!Bound(bounds[1], RepeatNode.Unlimited, out max)) return false;
        if (max < min) throw Fault("a quantifier whose bounds are the wrong way round");
        _at = end + 1;
        return true;
    }

    private static bool Bound(string text, int missing, out int value)
    {
        value = missing;
        return text.Length == 0 || int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value);
    }

    private bool Take(char expected)
    {
        if (_at >= _pattern.Length || _pattern[_at] != expected) return false;
        _at++;
        return true;
    }

    private FormatException Fault(string what) => new($"it has {what} at character {_at}");
}
