using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using TensorCompress.Storage;
using TensorCompress.Tests.TestKit;
using TensorCompress.Tokenization;

namespace TensorCompress.Tests.Tokenization;

public sealed class Llama2cTokenizerTests
{
    private static readonly byte[] File512 = GoldenLines.Bytes("stories260K/tok512.bin");
    private static readonly Llama2cTokenizer Tokenizer = Llama2cTokenizer.Read(File512, 512);

    [Fact]
    public void Llama2cTokenizer_gives_the_ids_and_texts_of_run_c()
    {
        int count = 0;
        foreach (JsonElement line in GoldenLines.Read(GoldenLines.FilePath("stories260K/encodings.jsonl"))) count += CheckReference(Tokenizer, line);
        Assert.Equal(3, count);
    }

    [SharedFact]
    public void Llama2cTokenizer_gives_the_ids_of_babyllama()
    {
        Tokenizer tokenizer = TokenizerLoader.Load(SharedData.Path("models/babyllama361"), 361);
        JsonElement[] lines = [.. JsonDocument.Parse(File.ReadAllText(SharedData.Path("models/babyllama361/ref_logits.json"))).RootElement.EnumerateArray()];
        Assert.Equal(3, lines.Sum(line => CheckReference(tokenizer, line)));
    }

    [SharedFact]
    public void Llama2cTokenizer_reads_the_vocabulary_of_llama_2()
    {
        Tokenizer tokenizer = TokenizerLoader.Load(SharedData.Path("fixtures/tokenizers/llama2_tokenizer.bin"));
        Assert.Equal(32_000, tokenizer.VocabularySize);
        Assert.Equal([1, 15043, 3186], tokenizer.Encode("Hello world", new EncodeOptions()));
    }

    [Fact]
    public void Llama2cTokenizer_begins_a_text_without_its_dummy_blank()
    {
        int[] ids = Tokenizer.Encode("Once upon a time", new EncodeOptions());
        Assert.Equal(1, ids[0]);
        Assert.Equal("Once upon a time", Tokenizer.Decode(ids));
        Assert.Equal("Once upon a time", Tokenizer.Decode(ids.AsSpan(1)));
    }

    [Theory]
    [InlineData("", true, new[] { 1 })]
    [InlineData("", false, new int[0])]
    public void Llama2cTokenizer_puts_no_blank_before_an_empty_text(string text, bool add, int[] ids) =>
        Assert.Equal(ids, Tokenizer.Encode(text, new EncodeOptions(AddSpecialTokens: add)));

    [Fact]
    public void Llama2cTokenizer_merges_like_the_plain_loop_of_run_c()
    {
        var random = new Random(4);
        for (int trial = 0; trial < 400; trial++)
        {
            string text = trial % 2 == 0 ? TextSamples.Text(random, random.Next(1, 60), loneSurrogates: true) : EnglishLike(random);
            Assert.Equal(NaiveEncode(text), Tokenizer.Encode(text, new EncodeOptions(AddSpecialTokens: false)));
        }
    }

    [Fact]
    public void Llama2cTokenizer_gives_every_text_back()
    {
        var random = new Random(5);
        for (int trial = 0; trial < 500; trial++)
        {
            string text = TextSamples.Text(random, random.Next(1, 40));
            Assert.Equal(text, Tokenizer.Decode(Tokenizer.Encode(text, new EncodeOptions())));
        }
    }

    [Fact]
    public void Llama2cTokenizer_streams_what_it_decodes()
    {
        var random = new Random(12);
        for (int trial = 0; trial < 300; trial++)
        {
            int[] ids = [.. Enumerable.Range(0, 30).Select(_ => random.Next(512))];
            TokenStreamDecoder decoder = Tokenizer.CreateDecoder();
            Assert.Equal(Tokenizer.Decode(ids), string.Concat(ids.Select(decoder.Append)) + decoder.Flush());
        }

        TokenStreamDecoder stream = Tokenizer.CreateDecoder();
        Assert.Equal(["", "", "", "\u20AC", ""], ((int[])[1, 0xE2 + 3, 0x82 + 3, 0xAC + 3, 0xE2 + 3]).Select(stream.Append));
        Assert.Equal("\uFFFD", stream.Flush());
    }

    [Fact]
    public void Llama2cTokenizer_reads_a_lone_surrogate_as_the_replacement_character() =>
        Assert.Equal(Tokenizer.Encode("a\uFFFDb\uFFFD", new EncodeOptions()), Tokenizer.Encode("a\uD800b\uDC00", new EncodeOptions()));

    [Fact]
    public void Llama2cTokenizer_turns_byte_tokens_into_bytes()
    {
        for (int value = 0; value < 256; value++)
        {
            var bytes = new List<byte>();
            Tokenizer.OpenText(bytes, isLive: true).Append(value + 3);
            Assert.Equal([(byte)value], bytes);
        }
    }

    [Fact]
    public void Llama2cTokenizer_knows_its_special_ids()
    {
        Assert.Equal(1, Tokenizer.BeginOfTextId);
        Assert.Equal([2, 1], Tokenizer.EndOfTextIds);
        Assert.Equal([0, 1, 2], Enumerable.Range(0, 512).Where(Tokenizer.IsSpecial));
        Llama2cTokenizer other = Llama2cTokenizer.Read(File512, specialIds: new SpecialTokenIds(null, 5, 7));
        Assert.Equal([5, 7], other.EndOfTextIds);
        Assert.Empty(other.Encode("", new EncodeOptions()));
        Assert.Throws<ArgumentException>(() => Llama2cTokenizer.Read(File512, specialIds: new SpecialTokenIds(512)));
        Assert.Throws<ArgumentOutOfRangeException>(() => Tokenizer.Piece(512));
    }

    [Fact]
    public void Llama2cTokenizer_takes_linear_time()
    {
        string text = new('a', 1 << 20);
        Timing.AssertLinear(text, 2, length => Tokenizer.Encode(text.AsSpan(0, length), new EncodeOptions()));
    }

    [Fact]
    public void Llama2cTokenizer_says_how_a_file_is_wrong()
    {
        for (int length = 0; length < File512.Length; length += 31) AssertFault(TensorFormatError.Truncated, File512[..length], 512);
        AssertFault(TensorFormatError.Truncated, File512, 513);
        AssertFault(TensorFormatError.Truncated, File512, int.MaxValue);
        AssertFault(TensorFormatError.Trailing, File512, 511);
        AssertFault(TensorFormatError.Trailing, [.. File512, 0], 512);
        AssertFault(TensorFormatError.Truncated, [.. File512, 0], null);
        AssertFault(TensorFormatError.Value, Changed(0, 0), 512);
        AssertFault(TensorFormatError.Value, Changed(0, -1), 512);
        AssertFault(TensorFormatError.Value, Changed(8, -1), 512);
        AssertFault(TensorFormatError.Limit, Changed(8, 1025), 512);
        AssertFault(TensorFormatError.Limit, Changed(8, int.MaxValue), 512);
        AssertFault(TensorFormatError.Inconsistent, Changed(0, 5), 512);
        AssertFault(TensorFormatError.Value, Changed(4, BitConverter.SingleToInt32Bits(float.NaN)), 512);
        AssertFault(TensorFormatError.Value, Changed(4, BitConverter.SingleToInt32Bits(float.PositiveInfinity)), 512);
        AssertFault(TensorFormatError.Inconsistent, [5, 0, 0, 0], null);
        byte[] twice = [.. File512];
        "<0x00>"u8.CopyTo(twice.AsSpan(File512.AsSpan().IndexOf("<0x01>"u8)));
        AssertFault(TensorFormatError.Duplicate, twice, 512);
    }

    private static byte[] Changed(int offset, int value)
    {
        byte[] file = [.. File512];
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(offset), value);
        return file;
    }

    private static void AssertFault(TensorFormatError kind, byte[] file, int? vocabularySize) =>
        Assert.Equal(kind, Assert.Throws<TensorFormatException>(() => Llama2cTokenizer.Read(file, vocabularySize)).Kind);

    private static int CheckReference(Tokenizer tokenizer, JsonElement line)
    {
        Assert.Equal(GoldenLines.Ids(line), tokenizer.Encode(line.GetProperty("prompt").GetString()!, new EncodeOptions()));
        int[] greedy = GoldenLines.Ids(line, "greedy48");
        Assert.Equal(line.GetProperty("greedy_text").GetString(), string.Concat(greedy.Select(tokenizer.Piece)));
        // As printed, byte tokens are bytes; the text of the prompt comes before it.
        string prompt = line.GetProperty("prompt").GetString()!;
        string printed = (prompt + string.Concat(greedy.Select(tokenizer.Piece))).Replace("<0x0A>", "\n", StringComparison.Ordinal);
        Assert.Equal(prompt.Length == 0 ? printed[1..] : printed, tokenizer.Decode([.. GoldenLines.Ids(line), .. greedy]));
        return 1;
    }

    private static string EnglishLike(Random random)
    {
        string[] words = ["once", "upon", "a", "time", "there", "was", "the", "Lily", "and", "Tom", "wanted", "to", "play", "with", "it", "aaaa", "   ", ".\n", "happily"];
        return string.Join(' ', Enumerable.Range(0, random.Next(1, 40)).Select(_ => words[random.Next(words.Length)]));
    }

    // run.c's loop, on strings of bytes.
    private static List<int> NaiveEncode(string text)
    {
        var vocabulary = new Dictionary<string, int>();
        var pieces = new string[512];
        int offset = 4;
        for (int id = 0; id < 512; id++)
        {
            int length = BinaryPrimitives.ReadInt32LittleEndian(File512.AsSpan(offset + 4));
            pieces[id] = Encoding.Latin1.GetString(File512, offset + 8, length);
            vocabulary.Add(pieces[id], id);
            offset += 8 + length;
        }

        List<int> ids = [vocabulary[" "]];
        foreach (Rune rune in text.EnumerateRunes())
        {
            byte[] utf8 = Encoding.UTF8.GetBytes(rune.ToString());
            if (vocabulary.TryGetValue(Encoding.Latin1.GetString(utf8), out int id)) ids.Add(id);
            else ids.AddRange(utf8.Select(value => value + 3));
        }

        while (true)
        {
            float bestScore = -1e10f;
            int best = -1;
            int bestId = -1;
            for (int i = 0; i + 1 < ids.Count; i++)
            {
                if (vocabulary.TryGetValue(pieces[ids[i]] + pieces[ids[i + 1]], out int id) && Tokenizer.Score(id) > bestScore) (bestScore, best, bestId) = (Tokenizer.Score(id), i, id);
            }

            if (best < 0) return ids;
            ids[best] = bestId;
            ids.RemoveAt(best + 1);
        }
    }
}
