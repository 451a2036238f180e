using TensorCompress.Compression;
using TensorCompress.Compression.Mpo;
using TensorCompress.Inference;
using TensorCompress.Layers;
using TensorCompress.Models;
using TensorCompress.Numerics;
using TensorCompress.Pipeline;
using TensorCompress.Storage;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Pipeline;

/// <summary>Neurons in another order through whole checkpoints.</summary>
public sealed class NeuronOrdersTests
{
    private static readonly int[] Prompt = [1, 403, 407, 261, 378];

    private static string ModelPath => TestFiles.Golden("stories260K/stories260K.bin");

    [Fact]
    public void A_reordered_dense_model_has_the_same_logits_and_comes_back_to_the_bit()
    {
        using ModelCheckpoint source = ModelCheckpoint.Open(ModelPath);
        NeuronOrders orders = Shuffled(source);
        using ModelCheckpoint reordered = orders.Apply(source), restored = orders.Inverse().Apply(reordered);
        LinearDefinition down = source.Definition.Blocks[0].FeedForward.Down;
        Assert.NotEqual(Bytes(source, down.WeightName), Bytes(reordered, down.WeightName));
        foreach (string name in source.Tensors.Tensors.Keys) Assert.Equal(Bytes(source, name), Bytes(restored, name));
        float[] before = Logits(source), after = Logits(reordered);
        for (int i = 0; i < before.Length; i++) Assert.Equal(before[i], after[i], 1e-5);
    }

    /// <summary>Biases, one matrix for gate and up, matrices stored as their transposes, 16-bit floats.</summary>
    [SharedTheory]
    [InlineData("gpt2")]
    [InlineData("phi3")]
    [InlineData("llama-untied-bias")]
    [InlineData("llama-bf16-sharded")]
    [InlineData("gpt_neox")]
    public void Every_kind_of_feed_forward_layer_computes_the_same(string name)
    {
        using ModelCheckpoint source = ModelCheckpoint.Open(GoldenModels.Folder(name));
        using ModelCheckpoint reordered = Shuffled(source).Apply(source);
        GoldenModels.AssertLogits(reordered, name);
    }

    /// <summary>Reads that begin and end inside rows and elements.</summary>
    [Fact]
    public void Any_range_of_a_reordered_tensor_is_that_of_the_whole()
    {
        using ModelCheckpoint source = ModelCheckpoint.Open(ModelPath);
        using ModelCheckpoint reordered = Shuffled(source).Apply(source);
        FeedForwardDefinition layer = source.Definition.Blocks[1].FeedForward;
        foreach (string name in new[] { layer.Up.WeightName, layer.Down.WeightName })
        {
            byte[] whole = Bytes(reordered, name), part = new byte[1501];
            foreach (long offset in new long[] { 0, 3, 687, 4096 })
            {
                reordered.Tensors.ReadBytes(name, offset, part);
                Assert.True(whole.AsSpan((int)offset, part.Length).SequenceEqual(part));
            }

            Assert.Throws<ArgumentOutOfRangeException>(() => reordered.Tensors.ReadBytes(name, whole.Length - 5, part));
            Assert.Throws<ArgumentOutOfRangeException>(() => reordered.Tensors.ReadSingles(name, -1, new float[2]));
        }
    }

    [Fact]
    public void The_option_lowers_the_error_is_stored_and_is_undone_by_a_conversion()
    {
        using var folder = new TemporaryFolder();
        string plain = folder.Combine("plain"), ordered = folder.Combine("ordered"), dense = folder.Combine("dense");
        double[] errors = [.. new[] { false, true }.Select(isOrdered =>
        {
            MethodOptions options = MpoOptions.WithChi(24) with { NeuronOrder = isOrdered };
            var job = new CompressionJobOptions { Recipe = new CompressionRecipe([new RecipeRule("*.mlp.up_proj", options), new RecipeRule("*.mlp.gate_proj", options)]) };
            CompressionReport report = ModelCompressor.Compress(ModelPath, isOrdered ? ordered : plain, job);
            return report.Layers.Sum(layer => layer.RelativeError);
        })];
        Assert.True(errors[1] < errors[0], $"{errors[1]} against {errors[0]}");
        Assert.True(CheckpointVerifier.Verify(ordered).Passed);
        ModelConverter.Convert(ordered, dense, ElementType.F32);
        using ModelCheckpoint source = ModelCheckpoint.Open(ModelPath), stored = ModelCheckpoint.Open(ordered), restored = ModelCheckpoint.Open(dense);
        Assert.True(NeuronOrders.Read(stored).Count > 0);
        Assert.Equal(0, NeuronOrders.Read(restored).Count);
        // What was not compressed is there to the bit, and what was is in its old place.
        foreach (FeedForwardDefinition layer in source.Definition.Blocks.Select(block => block.FeedForward))
        {
            Assert.Equal(Bytes(source, layer.Down.WeightName), Bytes(restored, layer.Down.WeightName));
            using Matrix<float> exact = DenseTensors.Read(source, layer.Up), approximate = DenseTensors.Read(restored, layer.Up);
            Assert.True(MatrixOracle.RelativeError(exact.View, approximate.View) < 0.9);
        }

        float[] compressed = Logits(stored), decoded = Logits(restored);
        for (int i = 0; i < compressed.Length; i++) Assert.Equal(compressed[i], decoded[i], 2e-4);
    }

    [Fact]
    public void A_stored_order_that_is_no_permutation_is_refused()
    {
        using ModelCheckpoint source = ModelCheckpoint.Open(ModelPath);
        FeedForwardDefinition layer = source.Definition.Blocks[0].FeedForward;
        foreach (int count in new[] { layer.Down.InputDimension, 3 })
        {
            var tensors = new MemoryTensors();
            tensors.Add(new TensorInfo(layer.Down.Name + ".neuron_order", ElementType.I32, [count]), new byte[count * sizeof(int)]);
            using ModelCheckpoint damaged = source.With(tensors);
            Assert.Throws<TensorFormatException>(() => NeuronOrders.Read(damaged));
        }
    }

    private static NeuronOrders Shuffled(ModelCheckpoint source)
    {
        var random = new SeededRandom(5);
        return new NeuronOrders([.. source.Definition.Blocks.Select(block => (block.FeedForward, Enumerable.Range(0, block.FeedForward.Down.InputDimension).OrderBy(_ => random.NextDouble()).ToArray()))]);
    }

    private static byte[] Bytes(ModelCheckpoint checkpoint, string name)
    {
        byte[] bytes = new byte[checkpoint.Tensors.Tensors[name].ByteLength];
        checkpoint.Tensors.ReadBytes(name, 0, bytes);
        return bytes;
    }

    private static float[] Logits(ModelCheckpoint checkpoint)
    {
        using LanguageModel model = LanguageModel.Load(checkpoint, new LanguageModelOptions { WithoutTokenizer = true, Runtime = RuntimeOptions.Exact });
        using Session session = model.CreateSession();
        float[] last = [];
        session.Append(Prompt, (_, logits) => last = logits.Row(logits.Rows - 1).ToArray());
        return last;
    }
}
