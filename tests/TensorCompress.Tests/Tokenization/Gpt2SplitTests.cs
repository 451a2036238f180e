using System.Text.RegularExpressions;
using TensorCompress.Tokenization;

namespace TensorCompress.Tests.Tokenization;

public sealed partial class Gpt2SplitTests
{
    [GeneratedRegex(@"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")]
    private static partial Regex Gpt2Expression();

    [Fact]
    public void Gpt2Split_cuts_like_the_expression_in_the_basic_plane()
    {
        // .NET's expressions see UTF-16 units, so the oracle holds without surrogates only.
        var random = new Random(3);
        for (int trial = 0; trial < 5000; trial++)
        {
            string text = string.Concat(TextSamples.Text(random, random.Next(1, 30)).Where(c => !char.IsSurrogate(c)));
            Assert.Equal(Gpt2Expression().Matches(text).Select(match => match.Value), Split(PreTokenizers.Gpt2, text));
        }
    }

    [Theory]
    [InlineData("𝐀𝐁c 𠀀𠀀", new[] { "𝐀𝐁c", " 𠀀𠀀" })]
    [InlineData("a𝟙𝟚 𝟛", new[] { "a", "𝟙𝟚", " 𝟛" })]
    [InlineData("🚀𝐀", new[] { "🚀", "𝐀" })]
    [InlineData("a  b", new[] { "a", " ", " b" })]
    [InlineData("a \n b", new[] { "a", " \n", " b" })]
    [InlineData("a\nb", new[] { "a", "\n", "b" })]
    [InlineData("a   ", new[] { "a", "   " })]
    [InlineData("I'll we'Re", new[] { "I", "'ll", " we", "'", "Re" })]
    [InlineData(" 's", new[] { " '", "s" })]
    [InlineData("\u00A0x", new[] { "\u00A0", "x" })]
    public void Gpt2Split_cuts_code_points(string text, string[] words) => Assert.Equal(words, Split(PreTokenizers.Gpt2, text));

    [Fact]
    public void Gpt2Split_reads_a_lone_surrogate_as_a_symbol() =>
        Assert.Equal(["a", "\uD800", "b", "\uDC00"], Split(PreTokenizers.Gpt2, "a\uD800b\uDC00"));

    [Theory]
    [InlineData("a12b", new[] { "a", "1", "2", "b" })]
    [InlineData("a  1", new[] { "a", "  ", "1" })] // blanks end where the number begins: none is left for it
    [InlineData("a 1 b", new[] { "a", " ", "1", " b" })]
    [InlineData("½Ⅷ𝟙", new[] { "½", "Ⅷ", "𝟙" })]
    public void SmolLm_sets_every_digit_apart(string text, string[] words) => Assert.Equal(words, Split(PreTokenizers.SmolLm, text));

    [Fact]
    public void Digits_can_keep_runs_of_digits_together() =>
        Assert.Equal(["a", "12", "b", "3"], Split(new PreTokenizer("test", """{"type":"Digits","individual_digits":false}"""), "a12b3"));

    [Fact]
    public void PreTokenizers_refuse_an_unknown_name_and_list_the_known_ones()
    {
        NotSupportedException e = Assert.Throws<NotSupportedException>(() => PreTokenizers.Get("no-such-bpe"));
        Assert.Contains("'no-such-bpe'", e.Message, StringComparison.Ordinal);
        foreach (string name in PreTokenizers.Names) Assert.Contains(name, e.Message, StringComparison.Ordinal);
        Assert.Same(PreTokenizers.SmolLm, PreTokenizers.Get("smollm"));
        Assert.Same(PreTokenizers.Gpt2, PreTokenizers.Get("gpt2"));
    }

    private static List<string> Split(PreTokenizer preTokenizer, string text) => SubwordTokenizer.Words(preTokenizer.Stages, text);
}
