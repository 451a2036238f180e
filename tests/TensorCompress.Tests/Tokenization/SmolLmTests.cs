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
    [InlineData("data/wiki.test.raw", 303_415)]
    [InlineData("data/tinystories.txt", 382_596)]
    [InlineData("data/tinyshakespeare.txt", 341_094)]
    public void Whole_texts_have_the_golden_number_of_tokens(string file, int expected)
    {
        string text = File.ReadAllText(SharedData.Path(file));
        int[] ids = Get(false).Encode(text, new EncodeOptions());
        Assert.Equal(expected, ids.Length);
        Assert.Equal(text, Get(false).Decode(ids, skipSpecialTokens: false));
    }
}
