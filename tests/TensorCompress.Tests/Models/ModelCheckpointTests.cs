using System.Text;
using TensorCompress.Fuzz;
using TensorCompress.Models;
using TensorCompress.Pipeline;
using TensorCompress.Storage;
using TensorCompress.Tests.TestKit;
using TensorCompress.Tokenization;

namespace TensorCompress.Tests.Models;

public sealed class ModelCheckpointTests : IDisposable
{
    private const string Configuration =
        """{"model_type":"llama","vocab_size":16,"hidden_size":8,"intermediate_size":12,"num_hidden_layers":1,"num_attention_heads":2,"max_position_embeddings":16,"tie_word_embeddings":true}""";

    private readonly TemporaryFolder _folder = new();

    public ModelCheckpointTests()
    {
        File.WriteAllText(_folder.Combine("config.json"), Configuration);
        File.WriteAllBytes(_folder.Combine("model.safetensors"), TinyModels.Weights(Encoding.UTF8.GetBytes(Configuration)));
    }

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("model.safetensors")]
    [InlineData("config.json")]
    public void A_file_out_of_a_folder_is_no_model_and_the_message_names_the_way_out(string name)
    {
        TensorFormatException fault = Assert.Throws<TensorFormatException>(() => ModelCheckpoint.Open(_folder.Combine(name)));
        Assert.Equal(TensorFormatError.Unsupported, fault.Kind);
        Assert.Contains("by its folder", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_tokenizer_of_a_gguf_file_can_be_chosen()
    {
        using var other = new TemporaryFolder();
        string file = new TinyGguf().WriteTo(other);
        using ModelCheckpoint checkpoint = ModelCheckpoint.Open(_folder.Path);
        Assert.Null(checkpoint.LoadTokenizer());
        Assert.Equal([2], checkpoint.LoadTokenizer(file)!.Encode("ab", new EncodeOptions()));
        string bare = new TinyGguf().With("tokenizer.ggml.tokens").WriteTo(other);
        Assert.Equal(TensorFormatError.Structure, Assert.Throws<TensorFormatException>(() => checkpoint.LoadTokenizer(bare)).Kind);
    }

    [Fact]
    public void Every_chat_template_travels_with_the_model()
    {
        Directory.CreateDirectory(_folder.Combine("additional_chat_templates"));
        File.WriteAllText(_folder.Combine("chat_template.jinja"), "main");
        File.WriteAllText(_folder.Combine("additional_chat_templates/rag.jinja"), "further");
        using var made = new TemporaryFolder();
        ModelConverter.Convert(_folder.Path, made.Combine("out"));
        using ModelCheckpoint checkpoint = ModelCheckpoint.Open(made.Combine("out"));
        Assert.Equal(new Dictionary<string, string> { ["default"] = "main", ["rag"] = "further" }, checkpoint.LoadChatTemplate()!.Sources);
    }
}
