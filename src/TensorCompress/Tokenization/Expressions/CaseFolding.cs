using System.Text;
using TensorCompress.Tokenization.Unicode;

namespace TensorCompress.Tokenization.Expressions;

/// <summary>Unicode's simple case folding: which code points are the same where case does not count. The long s is an s, the sign of kelvin a k.</summary>
internal static class CaseFolding
{
    private const int LastWithCase = 0x1E943;

    // Foldings that the mappings of .NET's invariant culture leave out.
    private static readonly (int CodePoint, int Folded)[] More =
    [
        (0xB5, 0x3BC), (0x17F, 's'), (0x345, 0x3B9), (0x3C2, 0x3C3), (0x3D0, 0x3B2), (0x3D1, 0x3B8), (0x3D5, 0x3C6), (0x3D6, 0x3C0), (0x3F0, 0x3BA), (0x3F1, 0x3C1),
        (0x3F5, 0x3B5), (0x1E9B, 0x1E61), (0x1E9E, 0xDF), (0x1FBE, 0x3B9), (0x2126, 0x3C9), (0x212A, 'k'), (0x212B, 0xE5),
    ];

    private static readonly Lazy<int[][]> Groups = new(BuildGroups);

    /// <summary>The set with everything that is the same but for case.</summary>
    public static CodePointSet Close(CodePointSet set)
    {
        var more = new List<int>();
        foreach (int[] group in Groups.Value)
        {
            if (Array.Exists(group, set.Contains)) more.AddRange(group);
        }

        return set.Union(CodePointSet.Of([.. more]));
    }

    private static int[][] BuildGroups()
    {
        var more = More.ToDictionary(pair => pair.CodePoint, pair => pair.Folded);
        HashSet<int> targets = [.. more.Values];
        var groups = new Dictionary<int, List<int>>();
        for (int codePoint = 0; codePoint <= LastWithCase; codePoint++)
        {
            if (!Rune.TryCreate(codePoint, out Rune rune)) continue;
            if (!more.TryGetValue(codePoint, out int folded)) folded = Rune.ToLowerInvariant(Rune.ToUpperInvariant(rune)).Value;
            if (folded == codePoint && Rune.ToUpperInvariant(rune) == rune && !targets.Contains(codePoint)) continue;
            if (!groups.TryGetValue(folded, out List<int>? group)) groups.Add(folded, group = []);
            group.Add(codePoint);
        }

        return [.. groups.Values.Where(group => group.Count > 1).Select(group => group.ToArray())];
    }
}
