using System.Text;
using System.Text.Json;
using TensorCompress.Tests.TestKit;
using TensorCompress.Tokenization;
using TensorCompress.Tokenization.Json;

namespace TensorCompress.Tests.Tokenization;

/// <summary>The real vocabularies of GPT-2 and StarCoder against the ids of OpenAI's encoder and llama.cpp.</summary>
public sealed class Gpt2VocabularyTests
{
    private static readonly EncodeOptions Bare = new(ParseSpecialTokens: true, AddSpecialTokens: false);

    [SharedFact]
    public void Gpt2_files_give_the_golden_ids()
    {
        string folder = SharedData.Path("fixtures/tokenizers");
        Tokenizer tokenizer = Gpt2Files.Read(Path.Combine(folder, "gpt2_encoder.json"), Path.Combine(folder, "gpt2_vocab.bpe"), null, new SpecialTokenSettings());
        string text = File.ReadAllText(Path.Combine(folder, "lib.rs.txt"));
        int[] expected = JsonSerializer.Deserialize<int[]>(File.ReadAllText(Path.Combine(folder, "lib.rs.tokens_gpt2.json")))!;
        Assert.Equal(expected, tokenizer.Encode(text, Bare));
        Assert.Equal(text, tokenizer.Decode(expected));
        Assert.Equal(50_257, tokenizer.VocabularySize);
        Assert.Equal([50_256], tokenizer.EndOfTextIds);
    }

    [SharedTheory]
    [InlineData("gpt-2")]
    [InlineData("starcoder")]
    [InlineData("llama-spm")]
    [InlineData("phi-3")]
    public void Gguf_vocabularies_give_the_ids_of_llama_cpp(string name)
    {
        string path = SharedData.Path($"fixtures/tokenizers/ggml-vocab-{name}.gguf");
        Tokenizer tokenizer = TokenizerFactory.FromGguf(GgufMetadata.ReadVocabulary(path));
        string[] texts = File.ReadAllText(path + ".inp", Encoding.UTF8).Split("\n__ggml_vocab_test__\n");
        string[] lines = File.ReadAllText(path + ".out").Split('\n');
        Assert.Equal(47, texts.Length);
        for (int i = 0; i < texts.Length - 1; i++)
        {
            int[] expected = [.. lines[i].Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(int.Parse)];
            Assert.Equal(expected, tokenizer.Encode(texts[i], Bare));
            if (tokenizer is SubwordTokenizer) Assert.Equal(texts[i], tokenizer.Decode(expected));
        }
    }

    [SharedFact]
    public void A_trained_vocabulary_gives_the_ids_of_a_whole_text()
    {
        Tokenizer tokenizer = TokenizerLoader.Load(SharedData.Path("fixtures/tokenizers/bpe32768.json"));
        byte[] expected = File.ReadAllBytes(SharedData.Path("fixtures/tokenizers/val.bin"));
        int[] ids = tokenizer.Encode(File.ReadAllText(SharedData.Path("data/tinystories.txt")), Bare);
        Assert.Equal(expected, ids.SelectMany(id => BitConverter.GetBytes((ushort)id)));
    }
}
