using TensorCompress.Tests.TestKit;
using TensorCompress.Tokenization;
using Xunit.Abstractions;

namespace TensorCompress.Tests.Tokenization;

/// <summary>How long tokenizers take: fast on ordinary text, linear on any.</summary>
[Collection(nameof(TimedTests))]
public sealed class TokenizerTimeTests(ITestOutputHelper output)
{
    private static readonly Tokenizer SmolLm = TokenizerJson.Read(GoldenLines.Bytes("smollm/tokenizer.json"));

    [SharedTheory]
    [InlineData("fixtures/tokenizers/bpe32768.json")]
    [InlineData("models/smollm2-135m/hf/tokenizer.json")]
    [InlineData("fixtures/tokenizers/trained/llama3/tokenizer.json")]
    [InlineData("fixtures/tokenizers/trained/llama2/tokenizer.json")]
    [InlineData("fixtures/tokenizers/trained/t5/tokenizer.json")]
    public void English_text_is_encoded_fast(string file)
    {
        Tokenizer tokenizer = TokenizerLoader.Load(SharedData.Path(file));
        string text = File.ReadAllText(SharedData.Path("data/tinystories.txt"));
        var ids = new List<int>(text.Length);
        TimeSpan best = Timing.Best(() =>
        {
            ids.Clear();
            tokenizer.Encode(text, ids, new EncodeOptions());
        }, 7);
        double rate = ids.Count / best.TotalSeconds;
        output.WriteLine($"{rate / 1e6:F2} million tokens per second on one core");
        Assert.True(rate > 300_000, $"{rate:F0} tokens per second");
    }

    [Theory]
    [InlineData("a", 1 << 20, 2)]
    [InlineData(" ", 10 << 20, 5)]
    [InlineData("\n", 10 << 20, 5)]
    [InlineData("\u0301", 10 << 19, 5)]
    [InlineData("1", 1 << 20, 2)]
    [InlineData("'s", 1 << 19, 2)]
    [InlineData("<|im_end", 1 << 17, 2)]
    public void Ten_million_of_one_kind_take_linear_time(string unit, int count, int seconds)
    {
        string text = string.Concat(Enumerable.Repeat(unit, count));
        var ids = new List<int>(text.Length * 2);
        output.WriteLine(Timing.AssertLinear(text, seconds, length =>
        {
            ids.Clear();
            SmolLm.Encode(text.AsSpan(0, length), ids, new EncodeOptions());
        }));
    }

    [Theory]
    [MemberData(nameof(TrainedTokenizerTests.CommittedFiles), MemberType = typeof(TrainedTokenizerTests))]
    public void A_long_text_of_one_kind_takes_linear_time(string path)
    {
        Tokenizer tokenizer = TokenizerLoader.Load(GoldenLines.FilePath(path));
        var ids = new List<int>();
        foreach (string unit in (string[])["a", " ", "\n", "🚀", "\u0301", "e\u0301", "1", "x ", "<s"])
        {
            // Each with something else at its end, so that nothing falls away as a whole.
            Dictionary<int, string> texts = new[] { 1 << 15, 1 << 18 }.ToDictionary(count => count, count => string.Concat(Enumerable.Repeat(unit, count)) + "x");
            output.WriteLine($"{unit}: " + Timing.AssertLinear(1 << 18, 3, count =>
            {
                ids.Clear();
                tokenizer.Encode(texts[count], ids, new EncodeOptions());
            }));
        }
    }

    [Fact]
    public void A_text_that_grows_when_it_is_normalised_is_bounded()
    {
        Tokenizer tokenizer = TokenizerJson.Read("""
            {"normalizer":{"type":"NFKC"},"pre_tokenizer":{"type":"WhitespaceSplit"},"decoder":{"type":"Fuse"},
             "model":{"type":"BPE","vocab":{"\u0635":0,"\u0644":1,"\u0649":2},"merges":[]}}
            """u8.ToArray());
        // U+FDFA is eighteen characters in compatibility form, of which the vocabulary has seven.
        output.WriteLine(Timing.AssertLinear(200_000, 5, count => Assert.Equal(7 * count, tokenizer.Encode(new string('\uFDFA', count), new EncodeOptions()).Length)));
        Assert.Throws<ArgumentException>(() => tokenizer.Encode(new string('\uFDFA', 1 << 23), new EncodeOptions()));
    }
}
