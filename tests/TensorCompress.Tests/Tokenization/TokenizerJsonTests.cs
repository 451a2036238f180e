using System.Text;
using System.Text.Json.Nodes;
using TensorCompress.Storage;
using TensorCompress.Tests.TestKit;
using TensorCompress.Tokenization;

namespace TensorCompress.Tests.Tokenization;

public sealed class TokenizerJsonTests
{
    private const string Small = """
        {"version":"1.0","truncation":null,"padding":null,
         "added_tokens":[{"id":4,"content":"<s>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}],
         "normalizer":null,"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"use_regex":true},"post_processor":null,
         "decoder":{"type":"ByteLevel"},
         "model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2,"aba":3},"merges":["a b","ab a"]}}
        """;

    [Fact]
    public void TokenizerJson_reads_merges_as_texts_and_as_pairs()
    {
        Tokenizer texts = Read(Small);
        Tokenizer pairs = Read(Small.Replace("\"a b\",\"ab a\"", "[\"a\",\"b\"],[\"ab\",\"a\"]", StringComparison.Ordinal));
        Tokenizer escaped = Read(Small.Replace("\"a b\"", "\"\\u0061 \\u0062\"", StringComparison.Ordinal));
        foreach (Tokenizer tokenizer in (Tokenizer[])[texts, pairs, escaped]) Assert.Equal([3, 2, 4, 2], tokenizer.Encode("abaab<s>ab", new EncodeOptions()));
    }

    [Theory]
    [InlineData("\"a b\",\"ab a\"", "\"a c\"", TensorFormatError.Value)] // a part that is no token
    [InlineData("\"a b\",\"ab a\"", "\"b a\"", TensorFormatError.Value)] // a result that is no token
    [InlineData("\"a b\",\"ab a\"", "\"ab\"", TensorFormatError.Value)]
    [InlineData("\"a b\",\"ab a\"", "\"a b a\"", TensorFormatError.Value)]
    [InlineData("\"a b\",\"ab a\"", "\" a\"", TensorFormatError.Value)]
    [InlineData("\"a b\",\"ab a\"", "[\"a\"]", TensorFormatError.Value)]
    [InlineData("\"a b\",\"ab a\"", "[\"a\",\"b\",\"a\"]", TensorFormatError.Value)]
    [InlineData("\"a b\",\"ab a\"", "[\"a\",1]", TensorFormatError.Value)]
    [InlineData("\"a b\",\"ab a\"", "1", TensorFormatError.Structure)]
    [InlineData("\"a b\",\"ab a\"", "\"a \\ud800\"", TensorFormatError.Encoding)]
    [InlineData("\"b\":1", "\"a\":1", TensorFormatError.Duplicate)]
    [InlineData("\"b\":1", "\"\\u0061\":1", TensorFormatError.Duplicate)]
    [InlineData("\"b\":1", "\"b\":0", TensorFormatError.Duplicate)]
    [InlineData("\"b\":1", "\"b\":-1", TensorFormatError.Value)]
    [InlineData("\"b\":1", "\"b\":1.0", TensorFormatError.Value)]
    [InlineData("\"b\":1", "\"b\":1e3", TensorFormatError.Value)]
    [InlineData("\"b\":1", "\"b\":2147483648", TensorFormatError.Value)]
    [InlineData("\"b\":1", "\"b\":9223372036854775808", TensorFormatError.Value)]
    [InlineData("\"b\":1", "\"b\":\"1\"", TensorFormatError.Structure)]
    [InlineData("\"b\":1", "\"b\":2147483646", TensorFormatError.Limit)]
    [InlineData("\"b\":1", "\"b\":4000000", TensorFormatError.Limit)]
    [InlineData("\"b\":1", "\"\\ud800\":1", TensorFormatError.Encoding)]
    [InlineData("\"content\":\"<s>\"", "\"content\":\"\"", TensorFormatError.Value)]
    [InlineData("\"content\":\"<s>\"", "\"content\":\"a\"", TensorFormatError.Inconsistent)]
    [InlineData("\"content\":\"<s>\"", "\"content\":\"x\",\"content\":\"y\"", TensorFormatError.Duplicate)]
    [InlineData("\"id\":4", "\"id\":3", TensorFormatError.Duplicate)]
    [InlineData("\"id\":4", "\"id\":-4", TensorFormatError.Value)]
    [InlineData("\"special\":true", "\"special\":1", TensorFormatError.Structure)]
    [InlineData("\"added_tokens\":[", "\"added_tokens\":{},\"x\":[", TensorFormatError.Structure)]
    [InlineData("\"model\":", "\"modell\":", TensorFormatError.Structure)]
    [InlineData("\"vocab\":", "\"vocabulary\":", TensorFormatError.Structure)]
    [InlineData("\"merges\":", "\"merge\":", TensorFormatError.Structure)]
    [InlineData("\"model\":", "\"model\":{},\"model\":", TensorFormatError.Duplicate)]
    public void TokenizerJson_says_how_a_file_is_wrong(string right, string wrong, TensorFormatError kind)
    {
        Assert.Contains(right, Small, StringComparison.Ordinal);
        TensorFormatException e = Assert.Throws<TensorFormatException>(() => Read(Small.Replace(right, wrong, StringComparison.Ordinal)));
        Assert.Equal(kind, e.Kind);
        Assert.Equal("some.json", e.File);
    }

    [Theory]
    [InlineData("\"type\":\"BPE\"", "\"type\":\"Ngram\"", "'Ngram'")]
    [InlineData("\"normalizer\":null", "\"normalizer\":{\"type\":\"Shout\"}", "'Shout'")]
    [InlineData("\"post_processor\":null", "\"post_processor\":{\"type\":\"Sandwich\"}", "'Sandwich'")]
    [InlineData("\"decoder\":{\"type\":\"ByteLevel\"}", "\"decoder\":{\"type\":\"CTC\"}", "'CTC'")]
    [InlineData("\"pre_tokenizer\":{\"type\":\"ByteLevel\"", "\"pre_tokenizer\":{\"type\":\"UnicodeScripts\"", "'UnicodeScripts'")]
    [InlineData("\"pre_tokenizer\":{", "\"pre_tokenizer\":{\"type\":\"Metaspace\",\"prepend_scheme\":\"second\"},\"x\":{", "'second'")]
    [InlineData("\"pre_tokenizer\":{", "\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"a\"},\"behavior\":\"Thrown\"},\"x\":{", "'Thrown'")]
    [InlineData("\"pre_tokenizer\":{", "\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Glob\":\"a\"},\"behavior\":\"Isolated\"},\"x\":{", "'Glob'")]
    [InlineData("\"pre_tokenizer\":{", "\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(a)\\\\1\"},\"behavior\":\"Isolated\"},\"x\":{", "'\\1'")]
    [InlineData("\"pre_tokenizer\":{", "\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"\\\\p{Klingon}\"},\"behavior\":\"Isolated\"},\"x\":{", "'Klingon'")]
    [InlineData("\"type\":\"BPE\"", "\"type\":\"BPE\",\"dropout\":0.1", "dropout")]
    public void TokenizerJson_refuses_what_it_does_not_know_by_name(string known, string unknown, string name)
    {
        Assert.Contains(known, Small, StringComparison.Ordinal);
        TensorFormatException e = Assert.Throws<TensorFormatException>(() => Read(Small.Replace(known, unknown, StringComparison.Ordinal)));
        Assert.Equal(TensorFormatError.Unsupported, e.Kind);
        Assert.Contains(name, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TokenizerJson_accepts_settings_without_effect()
    {
        Tokenizer tokenizer = Read(Small.Replace("\"type\":\"BPE\"", "\"type\":\"BPE\",\"dropout\":0.0,\"end_of_word_suffix\":\"\",\"fuse_unk\":true,\"byte_fallback\":false", StringComparison.Ordinal)
            .Replace("\"truncation\":null", "\"truncation\":{\"max_length\":1}", StringComparison.Ordinal));
        Assert.Equal([3, 2], tokenizer.Encode("abaab", new EncodeOptions()));
    }

    [Fact]
    public void TokenizerJson_reads_a_template_of_special_tokens()
    {
        Tokenizer tokenizer = Read(Small.Replace("\"post_processor\":null", """
            "post_processor":{"type":"Sequence","processors":[{"type":"ByteLevel"},{"type":"TemplateProcessing",
              "single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}},{"SpecialToken":{"id":"</s>","type_id":0}}],
              "pair":[],"special_tokens":{"<s>":{"id":"<s>","ids":[4],"tokens":["<s>"]},"</s>":{"id":"</s>","ids":[0,1],"tokens":["a","b"]}}}]}
            """, StringComparison.Ordinal));
        Assert.Equal([4, 2, 0, 1], tokenizer.Encode("ab", new EncodeOptions()));
        Assert.Equal([2], tokenizer.Encode("ab", new EncodeOptions(AddSpecialTokens: false)));
        byte[] written = TokenizerJson.Write(GoldenVocabularies.Read("smollm") with { PrefixIds = [1], SuffixIds = [2, 0] });
        Assert.Equal([1, 2, 0], TokenizerJson.Read(written).Encode("", new EncodeOptions()));
    }

    [Fact]
    public void TokenizerJson_refuses_cut_and_ill_formed_files_as_such()
    {
        byte[] file = GoldenLines.Bytes("smollm/tokenizer.json");
        for (int part = 0; part < 64; part++) AssertEncodingFault(file[..(file.Length * part / 64)]);
        AssertEncodingFault([0xEF, 0xBB, 0xBF, .. file]);
        AssertEncodingFault([.. file, (byte)'}']);
        AssertEncodingFault([.. "{\"a\":\""u8, 0xFF, .. "\"}"u8]);
        AssertEncodingFault([.. Enumerable.Repeat((byte)'[', 100_000)]);
        Assert.Equal(TensorFormatError.Structure, Assert.Throws<TensorFormatException>(() => TokenizerJson.Read("[]"u8.ToArray())).Kind);
        Assert.Equal(TensorFormatError.Structure, Assert.Throws<TensorFormatException>(() => TokenizerJson.Read("null"u8.ToArray())).Kind);
    }

    [Fact]
    public void TokenizerJson_answers_any_changed_byte_with_a_tokenizer_or_a_format_fault()
    {
        byte[] file = Encoding.UTF8.GetBytes(Small);
        var random = new Random(10);
        int read = 0;
        int refused = 0;
        for (int trial = 0; trial < 20_000; trial++)
        {
            byte[] changed = [.. file];
            for (int i = 0; i <= trial % 3; i++) changed[random.Next(changed.Length)] = (byte)(trial % 2 == 0 ? random.Next(256) : file[random.Next(file.Length)]);
            try
            {
                TokenizerJson.Read(changed).Encode("abab <s>", new EncodeOptions());
                read++;
            }
            catch (TensorFormatException)
            {
                refused++;
            }
        }

        Assert.True(read > 500 && refused > 500, $"{read} read, {refused} refused");
    }

    [Fact]
    public void TokenizerJson_takes_little_memory_for_huge_declared_ids()
    {
        byte[] file = Encoding.UTF8.GetBytes(Small.Replace("\"b\":1", "\"b\":3999999", StringComparison.Ordinal));
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Throws<TensorFormatException>(() => TokenizerJson.Read(file));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }

    [Fact]
    public void TokenizerJson_writes_what_it_reads()
    {
        ByteLevelBpeVocabulary vocabulary = GoldenVocabularies.Read("smollm");
        byte[] written = TokenizerJson.Write(vocabulary);
        AssertSameJson(GoldenLines.Bytes("smollm/tokenizer.json"), written);
        Assert.Equal(written, TokenizerJson.Write(vocabulary));
        SubwordTokenizer tokenizer = SubwordTokenizer.FromByteLevelBpe(vocabulary);
        Tokenizer again = TokenizerJson.Read(written);
        AssertSameIds(tokenizer, again);
    }

    [Fact]
    public void TokenizerJson_writes_the_vocabulary_of_a_gguf_file() =>
        AssertSameJson(GoldenLines.Bytes("smollm/tokenizer.json"), TokenizerJson.Write(GgufMetadata.ReadVocabulary(GoldenLines.FilePath("smollm/vocab.gguf"))));

    [SharedFact]
    public void TokenizerJson_of_SmolLm_from_gguf_equals_the_published_one() =>
        AssertSameJson(
            File.ReadAllBytes(SharedData.Path("models/smollm2-135m/hf/tokenizer.json")),
            TokenizerJson.Write(GgufMetadata.ReadVocabulary(SharedData.Path("models/smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf"))));

    private static Tokenizer Read(string json) => TokenizerJson.Read(Encoding.UTF8.GetBytes(json), "some.json");

    private static void AssertEncodingFault(byte[] file) =>
        Assert.Equal(TensorFormatError.Encoding, Assert.Throws<TensorFormatException>(() => TokenizerJson.Read(file)).Kind);

    // Equal but for what has no effect: the post-processor ByteLevel (offsets only) and options of decoders.
    private static void AssertSameJson(byte[] expected, byte[] actual)
    {
        JsonObject left = JsonNode.Parse(expected)!.AsObject();
        JsonObject right = JsonNode.Parse(actual)!.AsObject();
        foreach (JsonObject json in (JsonObject[])[left, right])
        {
            json.Remove("post_processor");
            json["decoder"] = json["decoder"]!["type"]!.GetValue<string>();
        }

        Assert.True(JsonNode.DeepEquals(left, right));
        Assert.Equal(left["model"]!["vocab"]!.AsObject().Count, right["model"]!["vocab"]!.AsObject().Count);
    }

    private static void AssertSameIds(Tokenizer left, Tokenizer right)
    {
        var random = new Random(11);
        for (int trial = 0; trial < 200; trial++)
        {
            string text = TextSamples.Text(random, 30) + "<|im_end|>";
            Assert.Equal(left.Encode(text, new EncodeOptions()), right.Encode(text, new EncodeOptions()));
        }
    }
}
