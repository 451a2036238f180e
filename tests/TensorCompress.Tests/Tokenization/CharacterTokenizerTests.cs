using System.Text;
using TensorCompress.Storage;
using TensorCompress.Tests.TestKit;
using TensorCompress.Tokenization;

namespace TensorCompress.Tests.Tokenization;

public sealed class CharacterTokenizerTests
{
    [Fact]
    public void CharacterTokenizer_numbers_the_characters_of_a_text_by_rank()
    {
        CharacterTokenizer tokenizer = CharacterTokenizer.FromText("b\na𝐀é a");
        Assert.Equal(["\n", " ", "a", "b", "é", "𝐀"], Enumerable.Range(0, tokenizer.VocabularySize).Select(tokenizer.Piece));
        Assert.Equal([5, 2, 0], tokenizer.Encode("𝐀a\n", new EncodeOptions()));
        Assert.Equal("𝐀a\n", tokenizer.Decode([5, 2, 0]));
        Assert.Null(tokenizer.BeginOfTextId);
        Assert.Empty(tokenizer.EndOfTextIds);
        Assert.Throws<ArgumentException>(() => CharacterTokenizer.FromText(""));
        Assert.Throws<ArgumentOutOfRangeException>(() => tokenizer.Decode([6]));
    }

    [Fact]
    public void CharacterTokenizer_refuses_an_unknown_character_by_name_and_position()
    {
        CharacterTokenizer tokenizer = CharacterTokenizer.FromText("a𝐀");
        List<int> ids = [7];
        ArgumentException e = Assert.Throws<ArgumentException>(() => tokenizer.Encode("a𝐀é", ids, new EncodeOptions()));
        Assert.Contains("'é' (U+00E9) at position 3", e.Message, StringComparison.Ordinal);
        Assert.Equal([7], ids);
        Assert.Contains("U+000A at position 0", Assert.Throws<ArgumentException>(() => tokenizer.Encode("\n", ids, new EncodeOptions())).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void CharacterTokenizer_takes_a_list_and_special_ids()
    {
        var tokenizer = new CharacterTokenizer("cab".EnumerateRunes(), new SpecialTokenIds(0, 2));
        Assert.Equal([0, 1, 2], tokenizer.Encode("ab", new EncodeOptions()));
        Assert.Equal([1, 2], tokenizer.Encode("ab", new EncodeOptions(AddSpecialTokens: false)));
        Assert.Equal([2], tokenizer.EndOfTextIds);
        Assert.Throws<ArgumentException>(() => new CharacterTokenizer("aa".EnumerateRunes()));
        Assert.Throws<ArgumentException>(() => new CharacterTokenizer([]));
        Assert.Throws<ArgumentException>(() => new CharacterTokenizer("ab".EnumerateRunes(), new SpecialTokenIds(2)));
    }

    [Fact]
    public void CharacterTokenizer_writes_what_it_reads()
    {
        CharacterTokenizer tokenizer = CharacterTokenizer.FromText("\"\\\n\0\u2028é𝐀b<");
        byte[] file = tokenizer.Write();
        CharacterTokenizer again = CharacterTokenizer.Read(file);
        Assert.Equal(Enumerable.Range(0, tokenizer.VocabularySize).Select(tokenizer.Piece), Enumerable.Range(0, again.VocabularySize).Select(again.Piece));
        Assert.Equal(file, again.Write());
        Assert.Equal("{\"type\":\"character\",\"symbols\":[\"a\",\"b\"]}\n", Encoding.UTF8.GetString(CharacterTokenizer.FromText("ba").Write()));
    }

    [Theory]
    [InlineData("{\"type\":\"character\"}", TensorFormatError.Structure)]
    [InlineData("{\"symbols\":[\"a\"]}", TensorFormatError.Structure)]
    [InlineData("{\"type\":\"byte\",\"symbols\":[\"a\"]}", TensorFormatError.Unsupported)]
    [InlineData("{\"type\":\"character\",\"symbols\":[]}", TensorFormatError.Value)]
    [InlineData("{\"type\":\"character\",\"symbols\":[\"ab\"]}", TensorFormatError.Value)]
    [InlineData("{\"type\":\"character\",\"symbols\":[\"\"]}", TensorFormatError.Value)]
    [InlineData("{\"type\":\"character\",\"symbols\":[\"a\",\"\\u0061\"]}", TensorFormatError.Duplicate)]
    [InlineData("{\"type\":\"character\",\"symbols\":[\"\\ud800\"]}", TensorFormatError.Encoding)]
    [InlineData("{\"type\":\"character\",\"symbols\":[1]}", TensorFormatError.Structure)]
    [InlineData("{\"type\":\"character\",\"symbols\":\"a\"}", TensorFormatError.Structure)]
    [InlineData("{\"type\":\"character\",\"symbols\":[\"a\"]", TensorFormatError.Encoding)]
    public void CharacterTokenizer_says_how_a_file_is_wrong(string json, TensorFormatError kind) =>
        Assert.Equal(kind, Assert.Throws<TensorFormatException>(() => CharacterTokenizer.Read(Encoding.UTF8.GetBytes(json))).Kind);

    [SharedFact]
    public void CharacterTokenizer_finds_the_65_symbols_of_Shakespeare()
    {
        string text = File.ReadAllText(SharedData.Path("data/tinyshakespeare.txt"));
        CharacterTokenizer tokenizer = CharacterTokenizer.FromText(text);
        int[] ids = tokenizer.Encode(text, new EncodeOptions());
        Assert.Equal((65, 1_115_394), (tokenizer.VocabularySize, ids.Length));
        Assert.Equal(text, tokenizer.Decode(ids));
    }
}
