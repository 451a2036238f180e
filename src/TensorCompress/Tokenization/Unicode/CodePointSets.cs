using System.Globalization;

namespace TensorCompress.Tokenization.Unicode;

/// <summary>Sets that expressions and tokenizers name: general categories, scripts, and what is made of them. The categories are those of .NET 10 (Unicode 16).</summary>
internal static class CodePointSets
{
    private static readonly Lazy<Dictionary<string, CodePointSet>> ByCategory = new(BuildCategories);

    /// <summary><c>\s</c>: White_Space.</summary>
    public static CodePointSet WhiteSpace { get; } = CodePointSet.OfRanges(
        Enumerable.Range(0, char.MaxValue + 1).Where(unit => char.IsWhiteSpace((char)unit)).Select(unit => (unit, unit)));

    /// <summary><c>\w</c>: letters, marks, decimal and letter numbers, connectors.</summary>
    public static CodePointSet Word { get; } = Category("L").Union(Category("M")).Union(Category("Nd")).Union(Category("Nl")).Union(Category("Pc"));

    /// <summary><c>\p{N}</c>.</summary>
    public static CodePointSet Number { get; } = Category("N");

    /// <summary>ASCII's punctuation with its symbols, and <c>\p{P}</c>.</summary>
    public static CodePointSet Punctuation { get; } = Category("P").Union(CodePointSet.OfRanges([('!', '/'), (':', '@'), ('[', '`'), ('{', '~')]));

    /// <summary>The set of a property's name, or null: a general category (<c>L</c>, <c>Lu</c>), a script (<c>Han</c>), or a POSIX class (<c>alpha</c>).</summary>
    public static CodePointSet? Find(string name) =>
        ByCategory.Value.GetValueOrDefault(name) ?? Scripts.Find(name) ?? name.ToLowerInvariant() switch
        {
            "any" => CodePointSet.All,
            "alpha" or "alphabetic" => Category("L").Union(Category("M")).Union(Category("Nl")),
            "digit" => Category("Nd"),
            "alnum" => Category("L").Union(Category("M")).Union(Category("N")),
            "space" or "white_space" => WhiteSpace,
            "upper" or "uppercase" => Category("Lu"),
            "lower" or "lowercase" => Category("Ll"),
            "punct" => Punctuation,
            "cntrl" => Category("Cc"),
            "word" => Word,
            _ => null,
        };

    /// <summary>A general category, by its one or two letters.</summary>
    public static CodePointSet Category(string name) => ByCategory.Value[name];

    private static Dictionary<string, CodePointSet> BuildCategories()
    {
        var ranges = new List<(int, int)>[30];
        for (int i = 0; i < ranges.Length; i++) ranges[i] = [];
        int start = 0;
        UnicodeCategory current = CharUnicodeInfo.GetUnicodeCategory(0);
        for (int codePoint = 1; codePoint <= CodePointSet.End; codePoint++)
        {
            // Nothing is assigned between the planes of ideographs and the last ones.
            if (codePoint == 0x40000) codePoint = 0xE0000;
            UnicodeCategory category = codePoint < CodePointSet.End ? CharUnicodeInfo.GetUnicodeCategory(codePoint) : (UnicodeCategory)(-1);
            if (category == current) continue;
            ranges[(int)current].Add((start, codePoint - 1));
            (start, current) = (codePoint, category);
        }

        string[] names = ["Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So", "Cn"];
        var sets = new Dictionary<string, CodePointSet>(StringComparer.Ordinal);
        for (int i = 0; i < names.Length; i++) sets.Add(names[i], CodePointSet.OfRanges(ranges[i]));
        foreach (string major in (ReadOnlySpan<string>)["L", "M", "N", "P", "S", "Z", "C"])
            sets.Add(major, names.Where(name => name[0] == major[0]).Select(name => sets[name]).Aggregate(static (left, right) => left.Union(right)));
        return sets;
    }
}
