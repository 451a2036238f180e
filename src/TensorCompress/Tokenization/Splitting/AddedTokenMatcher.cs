using System.Buffers;
using System.Text;
using TensorCompress.Tokenization.Words;

namespace TensorCompress.Tokenization.Splitting;

/// <summary>Finds added tokens in a text, the leftmost first and of several there the longest.</summary>
internal sealed class AddedTokenMatcher
{
    private readonly AddedToken[] _tokens;
    private readonly PrefixTree _tree = new();
    private readonly int[] _lengths;
    private readonly SearchValues<char> _firstUnits;

    /// <summary>Takes tokens and the texts that they are looked for by: their contents, or what a normaliser makes of these. One whose text is empty is never found.</summary>
    public AddedTokenMatcher(IEnumerable<(AddedToken Token, string Text)> tokens)
    {
        (AddedToken Token, string Text)[] found = [.. tokens.Where(entry => entry.Text.Length > 0)];
        _tokens = [.. found.Select(entry => entry.Token)];
        _lengths = [.. found.Select(entry => entry.Text.Length)];
        for (int i = 0; i < found.Length; i++) _tree.Add(found[i].Text, i);
        _firstUnits = SearchValues.Create([.. found.Select(entry => entry.Text[0]).Distinct()]);
    }

    /// <summary>Finds the next token from an index on.</summary>
    /// <param name="text">The text.</param>
    /// <param name="done">Where the piece before ends: white space before that is not swallowed.</param>
    /// <param name="from">Where the search begins; set to where the next one does.</param>
    /// <param name="parsesSpecial">Whether special tokens count; where not, their texts are passed over.</param>
    /// <param name="start">Where the match begins, swallowed white space included.</param>
    /// <param name="end">Where it ends, swallowed white space included.</param>
    public AddedToken? Find(ReadOnlySpan<char> text, int done, ref int from, bool parsesSpecial, out int start, out int end)
    {
        while (true)
        {
            start = end = text.Length;
            int skipped = text[from..].IndexOfAny(_firstUnits);
            if (skipped < 0) return null;
            start = from + skipped;
            int index = _tree.LongestAt(text[start..], out _);
            from = end = start + (index < 0 ? 1 : _lengths[index]);
            if (index < 0) continue;
            AddedToken token = _tokens[index];
            if ((token.IsSpecial && !parsesSpecial) || (token.IsSingleWord && TouchesWord(text, start, end))) continue;
            if (token.StripsLeft) start = Math.Max(text[..start].TrimEnd().Length, Math.Min(done, start));
            if (token.StripsRight) end = text.Length - text[end..].TrimStart().Length;
            return token;
        }
    }

    private static bool TouchesWord(ReadOnlySpan<char> text, int start, int end)
    {
        Rune.DecodeLastFromUtf16(text[..start], out Rune before, out int lengthBefore);
        Rune.DecodeFromUtf16(text[end..], out Rune after, out int lengthAfter);
        return (lengthBefore > 0 && CharacterClasses.IsWordCharacter(before)) || (lengthAfter > 0 && CharacterClasses.IsWordCharacter(after));
    }
}
