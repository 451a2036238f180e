using System.Collections.Concurrent;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using TensorCompress.Tests.TestKit;
using TensorCompress.Tokenization;

namespace TensorCompress.Tests.Tokenization;

public sealed class SubwordTokenizerTests
{
    private static readonly EncodeOptions Plain = new(ParseSpecialTokens: false, AddSpecialTokens: false);
    private static readonly Tokenizer SmolLm = TokenizerJson.Read(GoldenLines.Bytes("smollm/tokenizer.json"));
    private static readonly Tokenizer Gpt2 = TokenizerLoader.Load(GoldenLines.FilePath("gpt2/vocab.json"));

    public static TheoryData<string> Tokenizers => ["smollm", "gpt2"];

    [Theory]
    [InlineData("smollm")]
    [InlineData("smollm from GGUF")]
    [InlineData("gpt2")]
    public void SubwordTokenizer_gives_the_golden_ids_and_texts(string name)
    {
        string folder = name.Split(' ')[0];
        Tokenizer tokenizer = name == folder ? Get(name) : TokenizerFactory.FromGguf(GgufMetadata.ReadVocabulary(GoldenLines.FilePath("smollm/vocab.gguf")));
        Assert.True(GoldenLines.Check(tokenizer, GoldenLines.FilePath(folder + "/golden.jsonl")) > 150);
    }

    [Theory]
    [MemberData(nameof(Tokenizers))]
    public void SubwordTokenizer_merges_like_the_definition(string name)
    {
        Tokenizer tokenizer = Get(name);
        var naive = new NaiveByteLevelBpe(GoldenVocabularies.Read(name));
        var random = new Random(6);
        for (int trial = 0; trial < 300; trial++)
        {
            string text = TextSamples.Text(random, random.Next(1, 60), loneSurrogates: true);
            Assert.Equal(naive.Encode(text), tokenizer.Encode(text, Plain));
        }
    }

    [Theory]
    [MemberData(nameof(Tokenizers))]
    public void SubwordTokenizer_gives_every_text_back(string name)
    {
        Tokenizer tokenizer = Get(name);
        Prop.ForAll<string?>(text => tokenizer.Decode(tokenizer.Encode(text, Plain)) == Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text ?? "")))
            .Check(Config.QuickThrowOnFailure.WithMaxTest(1000).WithReplay(new Replay(new Rnd(7, 77), null)));
        var random = new Random(7);
        for (int trial = 0; trial < 500; trial++)
        {
            string text = TextSamples.Text(random, random.Next(1, 40));
            Assert.Equal(text, tokenizer.Decode(tokenizer.Encode(text, Plain)));
        }
    }

    [Theory]
    [MemberData(nameof(Tokenizers))]
    public void SubwordTokenizer_gives_every_byte_and_boundary_code_point_back(string name)
    {
        Tokenizer tokenizer = Get(name);
        var seen = new HashSet<byte>();
        for (int id = 0; id < tokenizer.VocabularySize; id++)
        {
            var bytes = new List<byte>();
            tokenizer.OpenText(bytes, isLive: true).Append(id);
            if (bytes.Count == 1) seen.Add(bytes[0]);
        }

        Assert.Equal(256, seen.Count);
        int[] boundaries = [0, 0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFD, 0xFFFE, 0xFFFF, 0x10000, 0x3FFFF, 0x40000, 0xFFFFF, 0x100000, 0x10FFFF];
        foreach (int value in boundaries)
        {
            string text = new Rune(value).ToString();
            Assert.Equal(text, tokenizer.Decode(tokenizer.Encode(text, Plain)));
        }
    }

    [Fact]
    public void SubwordTokenizer_reads_a_lone_surrogate_as_the_replacement_character()
    {
        // Not as attributes of a theory: those are stored as UTF-8, which has no lone surrogates.
        foreach (string text in (string[])["\uD800", "a\uDC00b", "a \uD83D", "\uDC00\uD800", "\uD800\uD83D\uDE80"])
        {
            string same = Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));
            Assert.Contains('\uFFFD', same);
            Assert.Equal(SmolLm.Encode(same, new EncodeOptions()), SmolLm.Encode(text, new EncodeOptions()));
        }
    }

    [Fact]
    public void SubwordTokenizer_parses_special_tokens_only_on_demand()
    {
        const string Text = "a<|im_end|>b";
        int[] parsed = SmolLm.Encode(Text, new EncodeOptions());
        int[] plain = SmolLm.Encode(Text, new EncodeOptions(ParseSpecialTokens: false));
        Assert.Contains(2, parsed);
        Assert.DoesNotContain(plain, SmolLm.IsSpecial);
        Assert.Equal(Text, SmolLm.Decode(plain));
        Assert.Equal(Text, SmolLm.Decode(parsed, skipSpecialTokens: false));
        Assert.Equal("ab", SmolLm.Decode(parsed));
    }

    [Fact]
    public void SubwordTokenizer_drops_bytes_without_a_token()
    {
        SubwordTokenizer tokenizer = Tiny(["a", "b", "ab"], [new(0, 1, 2)]);
        Assert.Equal([2, 0], tokenizer.Encode("axb\u00E9a", Plain));
        Assert.Empty(tokenizer.Encode("xyz", Plain));
    }

    [Fact]
    public void SubwordTokenizer_takes_whole_words_first_where_merges_are_ignored()
    {
        string[] tokens = ["a", "b", "c", "abc", "bc"];
        BpeMerge[] merges = [new(1, 2, 4)];
        Assert.Equal([0, 4], Tiny(tokens, merges).Encode("abc", Plain));
        Assert.Equal([3], Tiny(tokens, merges, vocabulary => vocabulary with { IgnoreMerges = true }).Encode("abc", Plain));
        Assert.Equal([0, 0, 4], Tiny(tokens, merges, vocabulary => vocabulary with { IgnoreMerges = true }).Encode("aabc", Plain));
        // But a control token is never a word of ordinary text.
        SubwordTokenizer special = Tiny(tokens, merges, vocabulary => vocabulary with { IgnoreMerges = true, AddedTokens = [new(3, "abc", true)] });
        Assert.Equal([0, 4], special.Encode("abc", Plain));
        Assert.Equal([3], special.Encode("abc", new EncodeOptions()));
    }

    [Fact]
    public void SubwordTokenizer_puts_ids_around_a_text()
    {
        SubwordTokenizer tokenizer = Tiny(["a", "<s>", "</s>"], [], vocabulary => vocabulary with { PrefixIds = [1], SuffixIds = [2, 2] });
        Assert.Equal([1, 0, 2, 2], tokenizer.Encode("a", new EncodeOptions()));
        Assert.Equal([1, 2, 2], tokenizer.Encode("", new EncodeOptions()));
        Assert.Equal([0], tokenizer.Encode("a", new EncodeOptions(AddSpecialTokens: false)));
    }

    [Fact]
    public void SubwordTokenizer_finds_the_longest_of_overlapping_added_tokens()
    {
        SubwordTokenizer tokenizer = Tiny(
            ["a", "b", "c", "d", "ab|", "abc|", "bcd|"], [],
            vocabulary => vocabulary with { AddedTokens = [new(4, "ab", true), new(5, "abc", false), new(6, "bcd", true)] });
        Assert.Equal([5, 3], tokenizer.Encode("abcd", new EncodeOptions()));
        Assert.Equal([4, 3, 6], tokenizer.Encode("abdbcd", new EncodeOptions()));
        // Not special: part of the vocabulary also where special texts are ordinary text.
        Assert.Equal([5, 0, 1], tokenizer.Encode("abcab", Plain));
    }

    [Fact]
    public void SubwordTokenizer_honours_what_added_tokens_ask_for()
    {
        string[] tokens = ["a", "b", "Ġ", "L", "R", "W", "N"];
        SubwordTokenizer tokenizer = Tiny(tokens, [], vocabulary => vocabulary with
        {
            AddedTokens = [new(3, "[L]", true, StripsLeft: true), new(4, "[R]", true, StripsRight: true), new(5, "ab", false, IsSingleWord: true), new(6, "ba", false, IsNormalized: true)],
        });
        int[] Encode(string text) => tokenizer.Encode(text, new EncodeOptions());
        Assert.Equal([0, 3, 2, 1], Encode("a  \n[L] b"));
        Assert.Equal([0, 2, 4, 1], Encode("a [R] \t b"));
        Assert.Equal([4, 3], Encode("[R]  [L]"));
        Assert.Equal([5, 2, 5], Encode("ab ab"));
        Assert.Equal([0, 1, 1], Encode("abb"));
        Assert.Equal([0, 0, 1], Encode("aab"));
        // What is normalized is looked for in what the others leave: "ab" goes before the "ba" that begins further left.
        Assert.Equal([1, 2, 5, 2, 6], Encode("b ab ba"));
        Assert.Equal([6, 1], Encode("bab"));
    }

    [Theory]
    [MemberData(nameof(Tokenizers))]
    public void TokenStreamDecoder_gives_whole_characters_for_every_prefix(string name)
    {
        Tokenizer tokenizer = Get(name);
        var random = new Random(8);
        for (int trial = 0; trial < 300; trial++)
        {
            // Every other text is of random ids: cut and ill-formed sequences.
            int[] ids = trial % 2 == 0
                ? tokenizer.Encode(TextSamples.Text(random, 20), Plain)
                : [.. Enumerable.Range(0, 40).Select(_ => random.Next(tokenizer.VocabularySize))];
            TokenStreamDecoder decoder = tokenizer.CreateDecoder();
            var streamed = new StringBuilder();
            var bytes = new List<byte>();
            TokenText text = tokenizer.OpenText(bytes, isLive: true);
            foreach (int id in ids)
            {
                string piece = decoder.Append(id);
                if (!tokenizer.IsSpecial(id)) text.Append(id);
                streamed.Append(piece);
                Assert.Equal(LongestWholeText([.. bytes]), streamed.ToString());
            }

            streamed.Append(decoder.Flush());
            Assert.Equal(Encoding.UTF8.GetString([.. bytes]), streamed.ToString());
            Assert.Equal(streamed.ToString(), tokenizer.Decode(ids));
        }
    }

    [Fact]
    public void SubwordTokenizer_is_safe_for_concurrent_callers()
    {
        var random = new Random(9);
        string[] texts = [.. Enumerable.Range(0, 64).Select(_ => TextSamples.Text(random, 50))];
        int[][] expected = [.. texts.Select(text => SmolLm.Encode(text, Plain))];
        var faults = new ConcurrentBag<int>();
        Thread[] threads = [.. Enumerable.Range(0, 4).Select(_ => new Thread(() =>
        {
            for (int i = 0; i < 500; i++)
            {
                if (!SmolLm.Encode(texts[i % 64], Plain).AsSpan().SequenceEqual(expected[i % 64])) faults.Add(i);
            }
        }))];
        foreach (Thread thread in threads) thread.Start();
        foreach (Thread thread in threads) thread.Join();
        Assert.Empty(faults);
    }

    [Fact]
    public void SubwordTokenizer_allocates_nothing_for_each_token()
    {
        string text = string.Concat(Enumerable.Repeat("Once upon a time, there was a naïve little dog named Max. ", 2000));
        var ids = new List<int>(text.Length);
        SmolLm.Encode(text, ids, Plain);
        ids.Clear();
        long before = GC.GetAllocatedBytesForCurrentThread();
        SmolLm.Encode(text, ids, Plain);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 4096);
    }

    [Fact]
    public void SubwordTokenizer_writes_nothing_into_a_buffer_that_is_too_small()
    {
        const string Text = "Once upon a time";
        int[] ids = SmolLm.Encode(Text, Plain);
        var buffer = new int[ids.Length + 1];
        Array.Fill(buffer, -1);
        Assert.Equal(ids.Length, SmolLm.Encode(Text, buffer.AsSpan(0, ids.Length - 1), Plain));
        Assert.All(buffer, id => Assert.Equal(-1, id));
        Assert.Equal(ids.Length, SmolLm.Encode(Text, buffer.AsSpan(0, ids.Length), Plain));
        Assert.Equal([.. ids, -1], buffer);
        using var guarded = new GuardedMemory<int>(ids.Length - 1);
        Assert.Equal(ids.Length, SmolLm.Encode(Text, guarded.Span, Plain));
        Assert.Equal(-1, guarded.Span.IndexOfAnyExcept(0));
    }

    [Fact]
    public void SubwordTokenizer_appends_nothing_where_it_fails()
    {
        List<int> ids = [7];
        Assert.Throws<ArgumentException>(() => SmolLm.Encode(new string('a', (1 << 27) + 1), ids, Plain));
        Assert.Equal([7], ids);
    }

    [Fact]
    public void SubwordTokenizer_refuses_ids_outside_of_its_vocabulary()
    {
        Assert.Throws<ArgumentException>(() => Tiny(["a"], [new(0, 0, 1)]));
        Assert.Throws<ArgumentException>(() => Tiny(["a"], [], vocabulary => vocabulary with { PrefixIds = [1] }));
        Assert.Throws<ArgumentException>(() => Tiny(["a"], [], vocabulary => vocabulary with { AddedTokens = [new(1, "x", true)] }));
        Assert.Throws<ArgumentException>(() => Tiny(["a"], [], vocabulary => vocabulary with { AddedTokens = [new(0, "", true)] }));
        Assert.Throws<ArgumentException>(() => SubwordTokenizer.FromByteLevelBpe(GoldenVocabularies.Read("smollm"), new SpecialTokenIds(2000)));
        Assert.Throws<ArgumentOutOfRangeException>(() => SmolLm.Piece(2000));
        Assert.Throws<ArgumentOutOfRangeException>(() => SmolLm.IsSpecial(-1));
        Assert.Throws<ArgumentOutOfRangeException>(() => SmolLm.Decode([2000]));
        Assert.Throws<ArgumentOutOfRangeException>(() => new SpecialTokenIds(-1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new SpecialTokenIds(null, 1, -2));
    }

    private static Tokenizer Get(string name) => name == "smollm" ? SmolLm : Gpt2;

    private static SubwordTokenizer Tiny(string[] tokens, BpeMerge[] merges, Func<ByteLevelBpeVocabulary, ByteLevelBpeVocabulary>? change = null)
    {
        var vocabulary = new ByteLevelBpeVocabulary { Tokens = tokens, Merges = merges, PreTokenizer = PreTokenizers.Gpt2 };
        return SubwordTokenizer.FromByteLevelBpe(change is null ? vocabulary : change(vocabulary));
    }

    // Without the bytes at the end that begin a character which more bytes could complete.
    private static string LongestWholeText(byte[] bytes)
    {
        for (int tail = 1; tail <= Math.Min(3, bytes.Length); tail++)
        {
            if (Rune.DecodeFromUtf8(bytes.AsSpan(bytes.Length - tail), out _, out int consumed) == System.Buffers.OperationStatus.NeedMoreData && consumed == tail)
                return Encoding.UTF8.GetString(bytes, 0, bytes.Length - tail);
        }

        return Encoding.UTF8.GetString(bytes);
    }
}
