using System.Text.Json;
using TensorCompress.Storage;
using TensorCompress.Tokenization;

namespace TensorCompress.Tests.Tokenization;

public sealed class TokenizerFactoryTests
{
    private static readonly GgufVocabulary Small = new()
    {
        Model = "gpt2",
        Pre = "gpt-2",
        Tokens = ["a", "b", "ab", "<s>", "</s>", "<x>"],
        TokenTypes = [1, 1, 1, 3, 3, 4],
        Merges = ["a b"],
        BosTokenId = 3,
        EosTokenId = 4,
        EotTokenId = 5,
        PaddingTokenId = 4,
        ChatTemplate = "{{ \"é\" + '<s>' }}\n",
    };

    [Fact]
    public void TokenizerFactory_makes_byte_level_bpe()
    {
        Tokenizer tokenizer = TokenizerFactory.FromGguf(Small);
        Assert.Equal((3, 6), (tokenizer.BeginOfTextId, tokenizer.VocabularySize));
        Assert.Equal([4, 5], tokenizer.EndOfTextIds);
        Assert.Equal([2, 4, 5], tokenizer.Encode("ab</s><x>", new EncodeOptions()));
        Assert.Equal([2, 5], tokenizer.Encode("ab<x>", new EncodeOptions(ParseSpecialTokens: false)));
        Assert.Equal([3, 4], Enumerable.Range(0, 6).Where(tokenizer.IsSpecial));
        Assert.Equal([0], TokenizerFactory.FromGguf(Small, specialIds: new SpecialTokenIds(null, 0)).EndOfTextIds);
    }

    [Fact]
    public void TokenizerFactory_adds_bos_and_eos_where_the_file_says_so()
    {
        Assert.Equal([2], TokenizerFactory.FromGguf(Small).Encode("ab", new EncodeOptions()));
        Assert.Equal([3, 2], TokenizerFactory.FromGguf(Small with { AddBosToken = true }).Encode("ab", new EncodeOptions()));
        Assert.Equal([3, 2, 4], TokenizerFactory.FromGguf(Small with { AddBosToken = true, AddEosToken = true }).Encode("ab", new EncodeOptions()));
    }

    [Fact]
    public void TokenizerFactory_says_how_metadata_are_wrong()
    {
        AssertFault(TensorFormatError.Unsupported, Small with { Model = "bert" }, "'bert'");
        AssertFault(TensorFormatError.Unsupported, Small with { Pre = "no-such-bpe" }, "'no-such-bpe'");
        AssertFault(TensorFormatError.Unsupported, Small with { Pre = null }, "smollm");
        AssertFault(TensorFormatError.Unsupported, Small with { AddSpacePrefix = true }, "add_space_prefix");
        AssertFault(TensorFormatError.Structure, Small with { Merges = null }, "merges");
        AssertFault(TensorFormatError.Value, Small with { Merges = ["a c"] }, "'c'");
        AssertFault(TensorFormatError.Value, Small with { Merges = ["ab"] }, "'ab'");
        AssertFault(TensorFormatError.Duplicate, Small with { Tokens = ["a", "b", "ab", "a", "</s>", "<x>"] }, "'a'");
        AssertFault(TensorFormatError.Value, Small with { Tokens = ["a", "b", "ab", "", "</s>", "<x>"] }, "empty");
        AssertFault(TensorFormatError.Inconsistent, Small with { TokenTypes = [1] }, "6 tokens");
        AssertFault(TensorFormatError.Inconsistent, Small with { EosTokenId = 6 }, "6");
        AssertFault(TensorFormatError.Inconsistent, Small with { BosTokenId = -1 }, "-1");
        AssertFault(TensorFormatError.Inconsistent, Small with { BosTokenId = null, AddBosToken = true }, "add_bos_token");
        Assert.Throws<ArgumentException>(() => TokenizerFactory.FromGguf(Small, specialIds: new SpecialTokenIds(6)));
    }

    [Fact]
    public void TokenizerConfigJson_names_special_tokens_and_keeps_the_template()
    {
        byte[] file = TokenizerConfigJson.Write(Small, maxLength: 2048);
        Assert.Equal(file, TokenizerConfigJson.Write(Small, maxLength: 2048));
        JsonElement json = JsonDocument.Parse(file).RootElement;
        Assert.Equal("<s>", json.GetProperty("bos_token").GetString());
        Assert.Equal("</s>", json.GetProperty("eos_token").GetString());
        Assert.Equal("</s>", json.GetProperty("pad_token").GetString());
        Assert.False(json.TryGetProperty("unk_token", out _));
        Assert.Equal(Small.ChatTemplate, json.GetProperty("chat_template").GetString());
        Assert.Equal(2048, json.GetProperty("model_max_length").GetInt32());
        JsonElement added = json.GetProperty("added_tokens_decoder");
        Assert.Equal(["3", "4", "5"], added.EnumerateObject().Select(property => property.Name));
        Assert.Equal([true, true, false], added.EnumerateObject().Select(property => property.Value.GetProperty("special").GetBoolean()));
        Assert.False(JsonDocument.Parse(TokenizerConfigJson.Write(Small with { ChatTemplate = null })).RootElement.TryGetProperty("chat_template", out _));
    }

    private static void AssertFault(TensorFormatError kind, GgufVocabulary vocabulary, string word)
    {
        TensorFormatException e = Assert.Throws<TensorFormatException>(() => TokenizerFactory.FromGguf(vocabulary, "some.gguf"));
        Assert.Equal((kind, "some.gguf"), (e.Kind, e.File));
        Assert.Contains(word, e.Message, StringComparison.Ordinal);
    }
}
