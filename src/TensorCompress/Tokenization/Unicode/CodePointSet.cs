namespace TensorCompress.Tokenization.Unicode;

/// <summary>An immutable set of Unicode code points: sorted runs for the set algebra, and a bitmap of the basic plane for fast look-ups.</summary>
internal sealed class CodePointSet
{
    public const int End = 0x110000;

    private const int BasicPlane = 0x10000;

    private readonly int[] _bounds; // ascending; at each one membership changes, beginning with "outside"
    private ulong[]? _bitmap;

    private CodePointSet(int[] bounds) => _bounds = bounds;

    /// <summary>No code point.</summary>
    public static CodePointSet Empty { get; } = new([]);

    /// <summary>Every code point.</summary>
    public static CodePointSet All { get; } = new([0, End]);

    public bool IsEmpty => _bounds.Length == 0;

    /// <summary>The set of the code points from <paramref name="first"/> to <paramref name="last"/>, both included.</summary>
    public static CodePointSet Range(int first, int last) => new([first, last + 1]);

    /// <summary>The set of some code points, in any order.</summary>
    public static CodePointSet Of(params ReadOnlySpan<int> codePoints)
    {
        int[] sorted = codePoints.ToArray();
        Array.Sort(sorted);
        var bounds = new List<int>();
        foreach (int codePoint in sorted) Append(bounds, codePoint, codePoint + 1);
        return new CodePointSet([.. bounds]);
    }

    /// <summary>The set of ascending ranges, each first and last code point.</summary>
    public static CodePointSet OfRanges(IEnumerable<(int First, int Last)> ranges)
    {
        var bounds = new List<int>();
        foreach ((int first, int last) in ranges) Append(bounds, first, last + 1);
        return new CodePointSet([.. bounds]);
    }

    public CodePointSet Union(CodePointSet other) => Combine(other, static (left, right) => left | right);

    public CodePointSet Intersect(CodePointSet other) => Combine(other, static (left, right) => left & right);

    public CodePointSet Except(CodePointSet other) => Combine(other, static (left, right) => left & !right);

    public CodePointSet Negate() => All.Except(this);

    public bool Contains(int codePoint)
    {
        if (codePoint < BasicPlane) return ((_bitmap ??= BuildBitmap())[codePoint >> 6] >> codePoint & 1) != 0;
        int index = Array.BinarySearch(_bounds, codePoint);
        return ((index >= 0 ? index + 1 : ~index) & 1) != 0;
    }

    /// <summary>All members, in ascending order.</summary>
    public IEnumerable<int> Members()
    {
        for (int i = 0; i < _bounds.Length; i += 2)
        {
            for (int codePoint = _bounds[i]; codePoint < _bounds[i + 1]; codePoint++) yield return codePoint;
        }
    }

    /// <summary>The only member of a set of one, or -1.</summary>
    public int Single() => _bounds.Length == 2 && _bounds[1] == _bounds[0] + 1 ? _bounds[0] : -1;

    private static void Append(List<int> bounds, int start, int end)
    {
        if (bounds.Count > 0 && bounds[^1] >= start) bounds[^1] = Math.Max(bounds[^1], end);
        else bounds.AddRange([start, end]);
    }

    private CodePointSet Combine(CodePointSet other, Func<bool, bool, bool> rule)
    {
        var bounds = new List<int>();
        int left = 0;
        int right = 0;
        bool isInside = false;
        while (left < _bounds.Length || right < other._bounds.Length)
        {
            int at = Math.Min(left < _bounds.Length ? _bounds[left] : End, right < other._bounds.Length ? other._bounds[right] : End);
            while (left < _bounds.Length && _bounds[left] == at) left++;
            while (right < other._bounds.Length && other._bounds[right] == at) right++;
            bool isMember = rule((left & 1) != 0, (right & 1) != 0);
            if (isMember != isInside) bounds.Add(at);
            isInside = isMember;
        }

        return new CodePointSet([.. bounds]);
    }

    private ulong[] BuildBitmap()
    {
        var bitmap = new ulong[BasicPlane / 64];
        for (int i = 0; i < _bounds.Length && _bounds[i] < BasicPlane; i += 2)
        {
            int end = Math.Min(_bounds[i + 1], BasicPlane);
            for (int codePoint = _bounds[i]; codePoint < end; codePoint++) bitmap[codePoint >> 6] |= 1UL << codePoint;
        }

        return bitmap;
    }
}
