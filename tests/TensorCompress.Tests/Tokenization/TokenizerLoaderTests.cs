using TensorCompress.Storage;
using TensorCompress.Tests.TestKit;
using TensorCompress.Tokenization;

namespace TensorCompress.Tests.Tokenization;

public sealed class TokenizerLoaderTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("tokenizer-loader").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void TokenizerLoader_finds_nothing_in_an_empty_folder()
    {
        Assert.Null(TokenizerLoader.TryLoad(_folder));
        Assert.Null(TokenizerLoader.TryLoad(Path.Combine(_folder, "absent.json")));
        Assert.Contains("tokenizer.json", Assert.Throws<FileNotFoundException>(() => TokenizerLoader.Load(_folder)).Message, StringComparison.Ordinal);
        Write("vocab.json", "{}");
        Write("model.bin", "");
        Assert.Null(TokenizerLoader.TryLoad(_folder));
    }

    [Fact]
    public void TokenizerLoader_prefers_kinds_in_the_documented_order()
    {
        Copy("stories260K/tok512.bin");
        Assert.Equal("llama2.c", TokenizerLoader.Load(_folder).Kind);
        File.WriteAllBytes(InFolder("characters.json"), CharacterTokenizer.FromText("abc").Write());
        Assert.Equal("character", TokenizerLoader.Load(_folder).Kind);
        Copy("gpt2/vocab.json");
        Copy("gpt2/merges.txt");
        Assert.Equal(4001, TokenizerLoader.Load(_folder).VocabularySize);
        Write("tokenizer.model", "x");
        AssertFault(TensorFormatError.Encoding, "tokenizer.model");
        Copy("smollm/tokenizer.json");
        Assert.Equal(2000, TokenizerLoader.Load(_folder).VocabularySize);
        Assert.Equal("llama2.c", TokenizerLoader.Load(InFolder("tok512.bin")).Kind);
        Assert.Equal("character", TokenizerLoader.Load(InFolder("characters.json")).Kind);
        Assert.Equal(4001, TokenizerLoader.Load(InFolder("merges.txt")).VocabularySize);
    }

    [Fact]
    public void TokenizerLoader_lists_several_llama2c_vocabularies()
    {
        Copy("stories260K/tok512.bin");
        File.Copy(InFolder("tok512.bin"), InFolder("tok1.bin"));
        AssertFault(TensorFormatError.Inconsistent, "tok1.bin, tok512.bin");
    }

    [Fact]
    public void TokenizerLoader_takes_the_special_ids_from_the_configuration()
    {
        Copy("smollm/tokenizer.json");
        AssertIds(null);
        Write("tokenizer_config.json", """{"bos_token":"<|im_start|>","eos_token":{"content":"<|im_end|>","lstrip":false}}""");
        AssertIds(1, 2);
        Write("config.json", """{"bos_token_id":0,"eos_token_id":5}""");
        AssertIds(0, 5, 2);
        Write("generation_config.json", """{"eos_token_id":[4,3]}""");
        AssertIds(0, 4, 3, 2);
        Write("tokenizer_config.json", """{"bos_token":null,"eos_token":"no such token"}""");
        AssertIds(0, 4, 3);
        Write("generation_config.json", """{"bos_token_id":null,"eos_token_id":null}""");
        Write("config.json", """{"text_config":{"bos_token_id":3,"eos_token_id":5}}""");
        AssertIds(3, 5);
    }

    [Theory]
    [InlineData("config.json", """{"eos_token_id":2000}""", TensorFormatError.Inconsistent, "2000")]
    [InlineData("config.json", """{"eos_token_id":-1}""", TensorFormatError.Value, "-1")]
    [InlineData("config.json", """{"eos_token_id":"2"}""", TensorFormatError.Structure, "config.json")]
    [InlineData("generation_config.json", """{"eos_token_id":[1,""", TensorFormatError.Encoding, "generation_config.json")]
    [InlineData("tokenizer_config.json", """{"eos_token":{}}""", TensorFormatError.Structure, "content")]
    public void TokenizerLoader_says_how_a_configuration_is_wrong(string file, string json, TensorFormatError kind, string word)
    {
        Copy("smollm/tokenizer.json");
        Write(file, json);
        AssertFault(kind, word);
    }

    [Fact]
    public void TokenizerLoader_holds_the_tokenizer_against_the_model()
    {
        Copy("smollm/tokenizer.json");
        Assert.Equal(2000, TokenizerLoader.Load(_folder, 2048).VocabularySize);
        Assert.Equal(2000, TokenizerLoader.Load(_folder, 2000).VocabularySize);
        Assert.Equal(TensorFormatError.Inconsistent, Assert.Throws<TensorFormatException>(() => TokenizerLoader.Load(_folder, 1999)).Kind);
        Assert.Throws<ArgumentOutOfRangeException>(() => TokenizerLoader.Load(_folder, 0));
    }

    [Fact]
    public void TokenizerLoader_refuses_other_tokenizers_of_the_two_files()
    {
        Copy("gpt2/vocab.json");
        Copy("gpt2/merges.txt");
        Assert.Equal([4000], TokenizerLoader.Load(_folder).EndOfTextIds);
        Assert.Equal(4000, TokenizerLoader.Load(_folder, 4000).VocabularySize);
        Write("tokenizer_config.json", """{"tokenizer_class":"RobertaTokenizer"}""");
        AssertFault(TensorFormatError.Unsupported, "'RobertaTokenizer'");
        Write("tokenizer_config.json", """{"tokenizer_class":"GPT2Tokenizer","eos_token":"<end>","added_tokens_decoder":{"4000":{"content":"<end>","special":true}}}""");
        Tokenizer tokenizer = TokenizerLoader.Load(_folder);
        Assert.Equal([4000], tokenizer.EndOfTextIds);
        Assert.Equal([4000], tokenizer.Encode("<end>", new EncodeOptions()));
    }

    [Fact]
    public void TokenizerLoader_reads_only_within_its_bounds()
    {
        using (FileStream stream = File.Create(InFolder("tokenizer.json"))) stream.SetLength((256L << 20) + 1);
        AssertFault(TensorFormatError.Limit, "268435456");
        File.Delete(InFolder("tokenizer.json"));
        Copy("smollm/tokenizer.json");
        using (FileStream stream = File.Create(InFolder("config.json"))) stream.SetLength((16L << 20) + 1);
        AssertFault(TensorFormatError.Limit, "16777216");
    }

    [SharedFact]
    public void TokenizerLoader_reads_the_folder_of_SmolLm()
    {
        Tokenizer tokenizer = TokenizerLoader.Load(SharedData.Path("models/smollm2-135m/hf"), 49_152);
        Assert.Equal((1, 49_152), (tokenizer.BeginOfTextId, tokenizer.VocabularySize));
        Assert.Equal([2], tokenizer.EndOfTextIds);
    }

    private string InFolder(string name) => Path.Combine(_folder, name);

    private void Write(string name, string text) => File.WriteAllText(InFolder(name), text);

    private void Copy(string golden) => File.Copy(GoldenLines.FilePath(golden), InFolder(Path.GetFileName(golden)));

    private void AssertIds(int? begin, params int[] ends)
    {
        Tokenizer tokenizer = TokenizerLoader.Load(_folder);
        Assert.Equal(begin, tokenizer.BeginOfTextId);
        Assert.Equal(ends, tokenizer.EndOfTextIds);
    }

    private void AssertFault(TensorFormatError kind, string word)
    {
        TensorFormatException e = Assert.Throws<TensorFormatException>(() => TokenizerLoader.Load(_folder));
        Assert.Equal(kind, e.Kind);
        Assert.Contains(word, e.Message, StringComparison.Ordinal);
    }
}
