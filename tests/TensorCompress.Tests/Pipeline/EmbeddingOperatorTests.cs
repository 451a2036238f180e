using System.Text;
using TensorCompress.Fuzz;
using TensorCompress.Inference;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Pipeline;

/// <summary>Embedding and head as matrix product operators: rows are gathered from the cores, logits are products with them.</summary>
public sealed class EmbeddingOperatorTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>At the bond cap the operators are exact, also where the vocabulary (a prime number) and the channels must be padded, so the model is the dense one.</summary>
    [Theory]
    [InlineData(37, 16, true, """{"rules":[{"match":"model.embed_tokens","method":"mpo","chi":1000}]}""")]
    [InlineData(37, 16, false, """{"rules":[{"match":"model.embed_tokens","method":"mpo","chi":1000},{"match":"lm_head","method":"mpo","chi":1000}]}""")]
    [InlineData(53, 24, true, """{"rules":[{"match":"model.embed_tokens","method":"mpo","chi":1000,"sites":3}]}""")]
    [InlineData(37, 20, false, """{"rules":[{"match":"model.embed_tokens","method":"mpo","chi":1000,"output-factors":"5,8","input-factors":"4,6"},{"match":"lm_head","method":"mpo","chi":1000,"sites":4}]}""")]
    public void At_the_bond_cap_the_model_is_the_dense_one(int vocabulary, int channels, bool isTied, string recipe)
    {
        string configuration =
            $$"""{"model_type":"llama","vocab_size":{{vocabulary}},"hidden_size":{{channels}},"intermediate_size":20,"num_hidden_layers":1,"num_attention_heads":2,"max_position_embeddings":64,"tie_word_embeddings":{{(isTied ? "true" : "false")}}}""";
        TinyModels.Compress(Encoding.UTF8.GetBytes(configuration), recipe, _folder.Path);
        using LanguageModel dense = LanguageModel.Load(_folder.Combine("dense"), new LanguageModelOptions { WithoutTokenizer = true });
        using LanguageModel compressed = LanguageModel.Load(_folder.Combine("compressed"), new LanguageModelOptions { WithoutTokenizer = true });
        int[] tokens = [.. Enumerable.Range(0, vocabulary)];
        using Session expected = dense.CreateSession(), actual = compressed.CreateSession(), oneByOne = compressed.CreateSession();
        float[] wanted = [.. expected.Append(tokens)], given = [.. actual.Append(tokens)];
        float[] single = [];
        foreach (int token in tokens) single = [.. oneByOne.Append([token])];
        Assert.True(given.SequenceEqual(single), "tokens together and one by one differ");
        float largest = wanted.Max(Math.Abs);
        Assert.All(wanted.Zip(given), pair => Assert.Equal(pair.First, pair.Second, 1e-5f * largest));
    }
}
