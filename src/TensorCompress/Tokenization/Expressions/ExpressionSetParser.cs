using TensorCompress.Tokenization.Unicode;

namespace TensorCompress.Tokenization.Expressions;

/// <summary>Reads a class in brackets: ranges, escapes, classes within classes, POSIX names, and intersections.</summary>
internal ref struct ExpressionSetParser
{
    private const int MaxDepth = 32;

    private readonly string _pattern;
    private readonly bool _ignoresCase;
    private int _at;

    /// <summary>Reads the class that begins at an index and moves behind it.</summary>
    public ExpressionSetParser(string pattern, ref int at, bool ignoresCase)
    {
        _pattern = pattern;
        _ignoresCase = ignoresCase;
        _at = at;
        Set = Read(0);
        at = _at;
    }

    public CodePointSet Set { get; }

    private CodePointSet Read(int depth)
    {
        if (depth == MaxDepth) throw new NotSupportedException($"classes more than {MaxDepth} deep");
        int start = _at++; // the bracket
        bool isNegative = Take('^');
        CodePointSet? others = null; // what the intersections before leave
        CodePointSet set = CodePointSet.Empty;
        for (bool isFirst = true; ; isFirst = false)
        {
            if (_at >= _pattern.Length) throw new FormatException($"it has a class without an end at character {start}");
            if (_pattern[_at] == ']' && !isFirst)
            {
                _at++;
                break;
            }

            if (_pattern.AsSpan(_at).StartsWith("&&"))
            {
                _at += 2;
                others = others is null ? set : others.Intersect(set);
                set = CodePointSet.Empty;
                continue;
            }

            set = set.Union(ReadItem(depth));
        }

        if (others is not null) set = others.Intersect(set);
        if (_ignoresCase) set = CaseFolding.Close(set);
        return isNegative ? set.Negate() : set;
    }

    private CodePointSet ReadItem(int depth)
    {
        if (_pattern[_at] == '[') return ReadPosix() ?? Read(depth + 1);
        CodePointSet first = ReadCharacter();
        int low = first.Single();
        bool isRange = low >= 0 && _at + 1 < _pattern.Length && _pattern[_at] == '-' && _pattern[_at + 1] is not (']' or '[');
        if (!isRange) return first;
        _at++;
        CodePointSet last = ReadCharacter();
        int high = last.Single();
        if (high < 0) return first.Union(CodePointSet.Of('-')).Union(last);
        return high >= low ? CodePointSet.Range(low, high) : throw new FormatException($"it has a range whose ends are the wrong way round at character {_at}");
    }

    private CodePointSet ReadCharacter()
    {
        if (_pattern[_at] == '\\')
        {
            if (_at + 1 < _pattern.Length && _pattern[_at + 1] == 'b')
            {
                _at += 2;
                return CodePointSet.Of('\b');
            }

            return ExpressionEscapes.Read(_pattern, ref _at);
        }

        int codePoint = CodePoints.At(_pattern, _at, out int length);
        _at += length;
        return CodePointSet.Of(codePoint);
    }

    // [:alpha:] and [:^alpha:], only within a class.
    private CodePointSet? ReadPosix()
    {
        if (!_pattern.AsSpan(_at).StartsWith("[:")) return null;
        int end = _pattern.IndexOf(":]", _at, StringComparison.Ordinal);
        if (end < 0) return null;
        string name = _pattern[(_at + 2)..end];
        bool isNegative = name.StartsWith('^');
        if (isNegative) name = name[1..];
        if (name.Length == 0 || !name.All(char.IsAsciiLetter)) return null;
        CodePointSet set = CodePointSets.Find(name) ?? throw new NotSupportedException($"the class '[:{name}:]'");
        _at = end + 2;
        return isNegative ? set.Negate() : set;
    }

    private bool Take(char expected)
    {
        if (_at >= _pattern.Length || _pattern[_at] != expected) return false;
        _at++;
        return true;
    }
}
