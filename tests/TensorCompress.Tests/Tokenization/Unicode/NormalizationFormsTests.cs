using TensorCompress.Tokenization.Unicode;

namespace TensorCompress.Tests.Tokenization.Unicode;

public sealed class NormalizationFormsTests
{
    [Theory]
    [InlineData("é", "e\u0301", "é", "e\u0301", "é")]
    [InlineData("e\u0301x", "e\u0301x", "éx", "e\u0301x", "éx")]
    [InlineData("q\u0307\u0323", "q\u0323\u0307", "q\u0323\u0307", "q\u0323\u0307", "q\u0323\u0307")] // ordered by class
    [InlineData("\u1E0B\u0323", "d\u0323\u0307", "\u1E0D\u0307", "d\u0323\u0307", "\u1E0D\u0307")]
    [InlineData("한글", "\u1112\u1161\u11AB\u1100\u1173\u11AF", "한글", "\u1112\u1161\u11AB\u1100\u1173\u11AF", "한글")]
    [InlineData("\u0958", "\u0915\u093C", "\u0915\u093C", "\u0915\u093C", "\u0915\u093C")] // excluded from composition
    [InlineData("\u212B", "A\u030A", "Å", "A\u030A", "Å")] // a singleton
    [InlineData("ﬁ²", "ﬁ²", "ﬁ²", "fi2", "fi2")]
    [InlineData("\uFDFA", "\uFDFA", "\uFDFA", "صلى الله عليه وسلم", "صلى الله عليه وسلم")]
    [InlineData("𝟙𝐀", "𝟙𝐀", "𝟙𝐀", "1A", "1A")]
    [InlineData("\U0001D15E", "\U0001D157\U0001D165", "\U0001D157\U0001D165", "\U0001D157\U0001D165", "\U0001D157\U0001D165")]
    [InlineData("ascii", "ascii", "ascii", "ascii", "ascii")]
    [InlineData("a\u0315\u0300\u05AE\u0300b", "a\u05AE\u0300\u0300\u0315b", "\u00E0\u05AE\u0300\u0315b", "a\u05AE\u0300\u0300\u0315b", "\u00E0\u05AE\u0300\u0315b")]
    public void NormalizationForms_give_the_forms_of_the_standard(string text, string nfd, string nfc, string nfkd, string nfkc)
    {
        Assert.Equal(nfd, Normalize(text, false, false));
        Assert.Equal(nfc, Normalize(text, false, true));
        Assert.Equal(nfkd, Normalize(text, true, false));
        Assert.Equal(nfkc, Normalize(text, true, true));
    }

    [Fact]
    public void NormalizationForms_agree_with_each_other()
    {
        var random = new Random(51);
        for (int trial = 0; trial < 3000; trial++)
        {
            string text = TextSamples.Text(random, random.Next(1, 15));
            string nfc = Normalize(text, false, true);
            string nfd = Normalize(text, false, false);
            Assert.Equal(nfc, Normalize(nfc, false, true));
            Assert.Equal(nfd, Normalize(nfc, false, false));
            Assert.Equal(nfc, Normalize(nfd, false, true));
            Assert.Equal(Normalize(text, true, false), Normalize(Normalize(nfd, true, true), true, false));
        }
    }

    [Fact]
    public void NormalizationForms_take_linear_time_for_any_marks()
    {
        string text = string.Concat(Enumerable.Repeat("\u0301\u0323", 200_000));
        Timing.AssertLinear(text, 3, length => Normalize(text[..length], false, true));
    }

    private static string Normalize(string text, bool isCompatible, bool composes)
    {
        var buffer = new TextBuffer();
        return NormalizationForms.Normalize(text, isCompatible, composes, buffer) ? buffer.Text.ToString() : text;
    }
}
