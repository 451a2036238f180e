using System.Security.Cryptography;
using System.Text.Json;
using TensorCompress.Tests.TestKit;
using TensorCompress.Tokenization;

namespace TensorCompress.Tests.Tokenization;

/// <summary>The real tokenizer of SmolLM2 against the ids of Hugging Face's library and llama.cpp.</summary>
public sealed class SmolLmTests
{
    private static readonly Lazy<Tokenizer> FromJson = new(() => TokenizerJson.Read(File.ReadAllBytes(SharedData.Path("models/smollm2-135m/hf/tokenizer.json"))));

    private static readonly Lazy<Tokenizer> FromGguf = new(() => TokenizerFactory.FromGguf(GgufMetadata.ReadVocabulary(SharedData.Path("models/smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf"))));

    private static Tokenizer Get(bool gguf) => (gguf ? FromGguf : FromJson).Value;

    [SharedTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void Golden_strings_have_the_golden_ids(bool gguf)
    {
        Tokenizer tokenizer = Get(gguf);
        int count = 0;
        foreach (JsonElement line in GoldenLines.Read(SharedData.Path("models/smollm2-135m/golden/tokens.jsonl")))
        {
            string text = line.GetProperty("text").GetString()!;
            int[] ids = GoldenLines.Ids(line);
            Assert.Equal(ids, tokenizer.Encode(text, new EncodeOptions(ParseSpecialTokens: line.GetProperty("special").GetBoolean())));
            Assert.Equal(GoldenLines.Text(line, "decoded") ?? text, tokenizer.Decode(ids, skipSpecialTokens: false));
            count++;
        }

        Assert.Equal(285, count);
    }

    [SharedTheory]
    [InlineData("data/wiki.test.raw", 303_415, "18e663b61dd00f49796c8a6ae498b7dbe009cac4a2eaf3c67fa7d81baf47d945")]
    [InlineData("data/tinystories.txt", 382_596, "07fc73c415dd4144253bd28bab3a2c2cb14a4d95790950d57cc840d88d7027e9")]
    [InlineData("data/tinyshakespeare.txt", 341_094, null)]
    public void Whole_texts_have_the_golden_ids(string file, int expected, string? sha256)
    {
        string text = File.ReadAllText(SharedData.Path(file));
        int[] ids = Get(false).Encode(text, new EncodeOptions());
        Assert.Equal(expected, ids.Length);
        // Of the ids as little-endian int32.
        if (sha256 is not null) Assert.Equal(sha256, Convert.ToHexStringLower(SHA256.HashData([.. ids.SelectMany(BitConverter.GetBytes)])));
        Assert.Equal(text, Get(false).Decode(ids, skipSpecialTokens: false));
    }
}
