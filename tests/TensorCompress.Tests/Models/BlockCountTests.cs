using TensorCompress.Models;
using TensorCompress.Storage;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Models;

public sealed class BlockCountTests
{
    [Theory]
    [InlineData("""{"model_type":"llama","vocab_size":6,"hidden_size":8,"intermediate_size":12,"num_attention_heads":2,"max_position_embeddings":16,"num_hidden_layers":COUNT}""")]
    [InlineData("""{"model_type":"gpt2","vocab_size":6,"n_embd":8,"n_head":2,"n_positions":16,"n_layer":COUNT}""")]
    [InlineData("""{"model_type":"gpt_neox","vocab_size":6,"hidden_size":8,"intermediate_size":12,"num_attention_heads":2,"max_position_embeddings":16,"num_hidden_layers":COUNT}""")]
    public void Millions_of_blocks_are_not_believed(string configuration)
    {
        using ModelCheckpoint checkpoint = ModelCheckpoint.FromTensors(configuration.Replace("COUNT", "5177345", StringComparison.Ordinal), new MemoryTensors());
        long before = GC.GetAllocatedBytesForCurrentThread();
        TensorFormatException fault = Assert.Throws<TensorFormatException>(() => checkpoint.Definition);
        Assert.Equal(TensorFormatError.Value, fault.Kind);
        Assert.Contains("4096", fault.Message, StringComparison.Ordinal);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }
}
