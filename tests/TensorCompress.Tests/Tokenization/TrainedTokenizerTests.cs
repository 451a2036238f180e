using System.Text.Json;
using TensorCompress.Tests.TestKit;
using TensorCompress.Tokenization;
using Xunit.Abstractions;

namespace TensorCompress.Tests.Tokenization;

/// <summary>Small vocabularies in the configurations of published models against the ids and texts of the reference libraries.</summary>
public sealed class TrainedTokenizerTests(ITestOutputHelper output)
{
    private static readonly string? Shared = SharedData.Folder is null ? null : SharedData.Path("fixtures/tokenizers/trained");

    /// <summary>Folders and files; one that says nothing where there is no shared data.</summary>
    public static TheoryData<string, string> Files => Find(file => file is "vocab.json" || file.StartsWith("tokenizer.", StringComparison.Ordinal));

    public static TheoryData<string, string> GgufFiles => Find(file => file == "vocab.gguf");

    public static TheoryData<string, string> StreamingFiles => Find(file => file == "streaming.jsonl");

    public static TheoryData<string> CommittedFiles => ["albert/tokenizer.json", "bert-uncased/tokenizer.json", "llama2/tokenizer.json", "o200k/tokenizer.json", "unigram-bytes/tokenizer.json", "spm-bpe-gemma/tokenizer.model", "spm-unigram-raw/tokenizer.model"];

    [SharedTheory]
    [MemberData(nameof(Files))]
    public void A_trained_tokenizer_gives_the_golden_ids_and_texts(string folder, string file)
    {
        int count = GoldenLines.Check(TokenizerLoader.Load(Path.Combine(Shared!, folder, file)), Path.Combine(Shared!, folder, "golden.jsonl"));
        output.WriteLine($"{folder}/{file}: {count} lines");
        Assert.True(count > 150);
    }

    [SharedTheory]
    [MemberData(nameof(GgufFiles))]
    public void A_trained_gguf_vocabulary_gives_the_golden_ids(string folder, string file)
    {
        string path = Path.Combine(Shared!, folder, file);
        Tokenizer tokenizer = TokenizerFactory.FromGguf(GgufMetadata.ReadVocabulary(path));
        HashSet<int> except = [.. GoldenLines.Read(path + ".differs.jsonl").Select(line => line.GetProperty("line").GetInt32())];
        int index = 0;
        foreach (JsonElement line in GoldenLines.Read(Path.Combine(Shared!, folder, "golden.jsonl")))
        {
            // The files do not say what stands around a text.
            bool isBare = !line.GetProperty("add_special_tokens").GetBoolean();
            if (isBare && !except.Contains(index)) Assert.Equal(GoldenLines.Ids(line), tokenizer.Encode(line.GetProperty("text").GetString(), new EncodeOptions(AddSpecialTokens: false)));
            index++;
        }

        Assert.True(index > 150);
    }

    [SharedTheory]
    [MemberData(nameof(StreamingFiles))]
    public void A_stream_gives_the_golden_pieces(string folder, string file)
    {
        Tokenizer tokenizer = TokenizerLoader.Load(Path.Combine(Shared!, folder));
        int count = 0;
        foreach (JsonElement line in GoldenLines.Read(Path.Combine(Shared!, folder, file)))
        {
            TokenStreamDecoder decoder = tokenizer.CreateDecoder(line.GetProperty("skip_special_tokens").GetBoolean());
            string[] pieces = [.. GoldenLines.Ids(line).Select(decoder.Append)];
            string flush = decoder.Flush();
            Assert.Equal(line.GetProperty("pieces").EnumerateArray().Select(piece => piece.GetString()), pieces);
            Assert.Equal(line.GetProperty("flush").GetString(), flush);
            Assert.Equal(line.GetProperty("text").GetString(), string.Concat(pieces) + flush);
            count++;
        }

        Assert.True(count > 40);
    }

    [Theory]
    [MemberData(nameof(CommittedFiles))]
    public void A_committed_tokenizer_gives_the_golden_ids_and_texts(string path)
    {
        string file = GoldenLines.FilePath(path);
        Assert.True(GoldenLines.Check(TokenizerLoader.Load(file), Path.Combine(Path.GetDirectoryName(file)!, "golden.jsonl")) > 25);
    }

    [Theory]
    [MemberData(nameof(CommittedFiles))]
    public void Any_text_is_encoded_and_streams_as_it_decodes(string path)
    {
        Tokenizer tokenizer = TokenizerLoader.Load(GoldenLines.FilePath(path));
        var random = new Random(12);
        for (int trial = 0; trial < 400; trial++)
        {
            string text = TextSamples.Text(random, random.Next(1, 40), loneSurrogates: true);
            int[] ids = tokenizer.Encode(text, new EncodeOptions());
            Assert.Equal(tokenizer.Encode(System.Text.Encoding.UTF8.GetString(System.Text.Encoding.UTF8.GetBytes(text)), new EncodeOptions()), ids);
            Assert.All(ids, id => Assert.InRange(id, 0, tokenizer.VocabularySize - 1));
            TokenStreamDecoder decoder = tokenizer.CreateDecoder();
            Assert.Equal(tokenizer.Decode(ids), string.Concat(ids.Select(decoder.Append)) + decoder.Flush());
        }
    }

    private static TheoryData<string, string> Find(Func<string, bool> isWanted)
    {
        var data = new TheoryData<string, string>();
        string[] paths = Shared is null ? [] : Directory.GetFiles(Shared, "*", SearchOption.AllDirectories);
        foreach (string path in paths.Order(StringComparer.Ordinal))
        {
            if (isWanted(Path.GetFileName(path))) data.Add(Path.GetFileName(Path.GetDirectoryName(path))!, Path.GetFileName(path));
        }

        if (data.Count == 0) data.Add("", "");
        return data;
    }
}
