using System.Buffers;
using System.Text;

namespace TensorCompress.Tokenization.Splitting;

/// <summary>Finds added tokens in a text, the leftmost first and of several there the longest: a trie over UTF-16 units.</summary>
internal sealed class AddedTokenMatcher
{
    private readonly Dictionary<(int Node, char Unit), int> _children = [];
    private readonly List<AddedToken?> _tokenOfNode = [null];
    private readonly SearchValues<char> _firstUnits;

    public AddedTokenMatcher(IEnumerable<AddedToken> tokens)
    {
        var firstUnits = new HashSet<char>();
        foreach (AddedToken token in tokens)
        {
            firstUnits.Add(token.Content[0]);
            int node = 0;
            foreach (char unit in token.Content)
            {
                if (!_children.TryGetValue((node, unit), out int child))
                {
                    child = _tokenOfNode.Count;
                    _children.Add((node, unit), child);
                    _tokenOfNode.Add(null);
                }

                node = child;
            }

            _tokenOfNode[node] ??= token;
        }

        _firstUnits = SearchValues.Create([.. firstUnits]);
    }

    /// <summary>Finds the next token from an index on.</summary>
    /// <param name="text">The text.</param>
    /// <param name="from">Where the search begins; white space before it is not swallowed.</param>
    /// <param name="parseSpecial">Whether special tokens count; where not, their texts are passed over.</param>
    /// <param name="start">Where the match begins, swallowed white space included.</param>
    /// <param name="end">Where it ends, swallowed white space included.</param>
    public AddedToken? Find(ReadOnlySpan<char> text, int from, bool parseSpecial, out int start, out int end)
    {
        for (int at = from; ; at = end)
        {
            start = end = text.Length;
            int skipped = text[at..].IndexOfAny(_firstUnits);
            if (skipped < 0) return null;
            start = at + skipped;
            AddedToken? token = LongestAt(text[start..]);
            end = start + (token?.Content.Length ?? 1);
            if (token is null || (token.IsSpecial && !parseSpecial) || (token.IsSingleWord && TouchesWord(text, start, end))) continue;
            if (token.StripsLeft) start = from + text[from..start].TrimEnd().Length;
            if (token.StripsRight) end = text.Length - text[end..].TrimStart().Length;
            return token;
        }
    }

    private AddedToken? LongestAt(ReadOnlySpan<char> text)
    {
        AddedToken? longest = null;
        int node = 0;
        foreach (char unit in text)
        {
            if (!_children.TryGetValue((node, unit), out node)) break;
            longest = _tokenOfNode[node] ?? longest;
        }

        return longest;
    }

    private static bool TouchesWord(ReadOnlySpan<char> text, int start, int end)
    {
        Rune.DecodeLastFromUtf16(text[..start], out Rune before, out int lengthBefore);
        Rune.DecodeFromUtf16(text[end..], out Rune after, out int lengthAfter);
        return (lengthBefore > 0 && CharacterClasses.IsWordCharacter(before)) || (lengthAfter > 0 && CharacterClasses.IsWordCharacter(after));
    }
}
