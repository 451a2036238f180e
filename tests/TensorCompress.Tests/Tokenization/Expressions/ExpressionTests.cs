using System.Text.RegularExpressions;
using TensorCompress.Tokenization.Expressions;

namespace TensorCompress.Tests.Tokenization.Expressions;

public sealed class ExpressionTests
{
    /// <summary>Expressions in the syntax that .NET shares, in which its engine is an oracle for texts without surrogates.</summary>
    public static TheoryData<string> SharedSyntax =>
    [
        @"'(?:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+",
        @"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?:'s|'t)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s+(?!\S)|\s+",
        @"(?:a|ab)(?:c|bcd)(?:d*)", @"a*?b|x+?", @"(?>a+|ab)b|a", @"(?<=a)b|(?<![0-9])[a-c]", @"\bthe\b|\B.", @"(?:ab?){2,3}", @"[a-c-]+|[^]a]x|\x41", @"\d{1,3}(?=(?:\d{3})*\b)", @"\s+\z|x\Z",
    ];

    [Theory]
    [MemberData(nameof(SharedSyntax))]
    public void Expression_matches_as_dotnet_does_in_the_basic_plane(string pattern)
    {
        var expression = new Expression(pattern);
        var oracle = new Regex(pattern, RegexOptions.CultureInvariant);
        var random = new Random(31);
        for (int trial = 0; trial < 1500; trial++)
        {
            string text = string.Concat(TextSamples.Text(random, random.Next(1, 25)).Where(c => !char.IsSurrogate(c)));
            // The two engines have different word characters beyond ASCII.
            if (trial % 2 == 0 || pattern.Contains(@"\b", StringComparison.OrdinalIgnoreCase)) text = string.Concat(Enumerable.Range(0, 20).Select(_ => "aabbcdx0 1the\n"[random.Next(14)]));
            Assert.Equal(oracle.Matches(text).Where(match => match.Length > 0).Select(match => (match.Index, match.Value)), Matches(expression, text));
        }
    }

    [Theory]
    [InlineData(@"(?i:'s|k)", "'ſ \u212A K", new[] { "'ſ", "\u212A", "K" })] // the long s, the sign of kelvin
    [InlineData(@"\p{L}+", "𝐀𠀀x1", new[] { "𝐀𠀀x" })]
    [InlineData(@".", "🚀\n", new[] { "🚀" })]
    [InlineData(@"[𐐀-𐑏]+|\p{N}", "𐐀𐐨𝟙", new[] { "𐐀𐐨", "𝟙" })]
    [InlineData(@"[a[bc]]+", "abcd", new[] { "abc" })]
    [InlineData(@"[\p{L}&&[^\p{Han}]]+", "ab漢c", new[] { "ab", "c" })]
    [InlineData(@"[^(\s|[.,])]+", "a.b|c d", new[] { "a", "b", "c", "d" })]
    [InlineData(@"\s+$", "a  \nb ", new[] { "  ", " " })] // before every line feed
    [InlineData(@"a++b|a", "aaac", new[] { "a", "a", "a" })]
    [InlineData(@"x?+x|y", "xy", new[] { "y" })]
    [InlineData(@"(?:ab){1,2}+c", "ababababc", new[] { "ababababc" })] // not possessive: repeated
    [InlineData(@"[[:alpha:]]+|[[:^alpha:]]", "ab1", new[] { "ab", "1" })]
    [InlineData(@"\h+|\x{1F680}|a{,2}b", "fF🚀 aab", new[] { "fF", "🚀", "aab" })]
    [InlineData(@"a{x}", "a{x}", new[] { "a{x}" })]
    [InlineData("(?x) a  b # comment\n |(?-x: c)", "ab c", new[] { "ab", " c" })]
    [InlineData(@"\p{^L}\P{L}", "a12", new[] { "12" })]
    public void Expression_has_the_rules_of_oniguruma(string pattern, string text, string[] matches) => Assert.Equal(matches, Matches(new Expression(pattern), text).Select(match => match.Value));

    [Theory]
    [InlineData(@"(a)\1")]
    [InlineData(@"\p{NoSuchThing}")]
    [InlineData(@"(a*)*")]
    [InlineData(@"a{2000}")]
    [InlineData(@"(?<=a+)b")]
    [InlineData(@"\R")]
    [InlineData(@"(?n:a)")]
    public void Expression_refuses_what_it_does_not_know(string pattern) => Assert.Throws<NotSupportedException>(() => new Expression(pattern));

    [Theory]
    [InlineData("(a")]
    [InlineData("a)")]
    [InlineData("[a")]
    [InlineData("*a")]
    [InlineData("a{3,1}")]
    [InlineData("[z-a]")]
    [InlineData("a\\")]
    [InlineData(@"\p{L")]
    [InlineData(@"\x{110000}")]
    public void Expression_says_what_is_not_well_formed(string pattern) => Assert.Throws<FormatException>(() => new Expression(pattern));

    [Theory]
    [InlineData(@"^(a+)+$", "a", "!")]
    [InlineData(@"\s+$|\s", " ", "x")]
    [InlineData(@"(?:a|aa)+b", "a", "c")]
    [InlineData(@"(?:a?){20}a{20}b|z", "a", "c")]
    [InlineData(@"a*a*a*a*b", "a", "c")]
    [InlineData(@"[ab]++c|z", "ab", "d")]
    public void Expression_takes_linear_time(string pattern, string unit, string end)
    {
        var expression = new Expression(pattern);
        string text = string.Concat(Enumerable.Repeat(unit, 40_000)) + end;
        Timing.AssertLinear(text, 2, length => Matches(expression, text[^length..]));
    }

    private static List<(int Index, string Value)> Matches(Expression expression, string text)
    {
        var matches = new List<(int, string)>();
        var state = new MatchState();
        state.Reset();
        for (int from = 0; from < text.Length && expression.Find(text, from, state, out int start, out int end); from = Math.Max(end, start + 1))
        {
            if (end > start) matches.Add((start, text[start..end]));
        }

        return matches;
    }
}
