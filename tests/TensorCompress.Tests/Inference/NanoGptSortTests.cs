using System.Runtime.InteropServices;
using System.Text.Json;
using TensorCompress.Inference;
using TensorCompress.Models;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Inference;

/// <summary>minGPT's sorting model: every shipped activation of the first block, the later blocks and all logits within 1e-5.</summary>
/// <remarks>Weights come from the original JSON: the safetensors conversion that circulates lacks the bias of the query-key-value projection.</remarks>
public sealed class NanoGptSortTests : IDisposable
{
    private const double Tolerance = 1e-5;

    private static readonly Dictionary<(ActivationPoint Point, int Block), string> Names = new()
    {
        [(ActivationPoint.Embedding, -1)] = "x",
        [(ActivationPoint.AttentionNorm, 0)] = "ln1",
        [(ActivationPoint.AttentionMix, 0)] = "y",
        [(ActivationPoint.AttentionOutput, 0)] = "yProj",
        [(ActivationPoint.AttentionResidual, 0)] = "attnResid",
        [(ActivationPoint.FeedForwardNorm, 0)] = "ln2",
        [(ActivationPoint.FeedForwardUp, 0)] = "fc",
        [(ActivationPoint.FeedForwardActivation, 0)] = "gelu",
        [(ActivationPoint.FeedForwardOutput, 0)] = "mlp",
        [(ActivationPoint.BlockOutput, 0)] = "block0",
        [(ActivationPoint.BlockOutput, 1)] = "block1",
        [(ActivationPoint.BlockOutput, 2)] = "block2",
        [(ActivationPoint.FinalNorm, -1)] = "ln_f",
    };

    private readonly JsonDocument _partials = JsonDocument.Parse(File.ReadAllBytes(TestFiles.Golden("nano-gpt-sort/gpt-nano-sort-t0-partials.json")));

    public void Dispose() => _partials.Dispose();

    [Fact]
    public void All_activations_and_logits_of_the_batch()
    {
        using LanguageModel model = LanguageModel.Load(Checkpoint());
        int[] ids = [.. Values("idx").Select(id => (int)id)];
        for (int sequence = 0; sequence < 3; sequence++)
        {
            using Session session = model.CreateSession();
            var probe = new Partials(this, sequence);
            session.Append(ids.AsSpan(sequence * 11, 11), (first, logits) => probe.CheckRows("lm_head", first, logits), probe);
            // Every named place, plus queries, keys, values and three heads x eleven rows of attention.
            Assert.Equal(Names.Count + 3 + 33 + 1, probe.Checks);
        }
    }

    [Fact]
    public void A_perturbed_weight_fails_the_golden()
    {
        MemoryTensors tensors = ReadWeights();
        tensors.Bytes["transformer.h.1.mlp.c_fc.weight"][3] ^= 0x40;
        using LanguageModel model = LanguageModel.Load(Checkpoint(tensors));
        using Session session = model.CreateSession();
        float largest = 0;
        int[] ids = [.. Values("idx").Take(11).Select(id => (int)id)];
        float[] expected = Values("lm_head");
        session.Append(ids, (first, logits) =>
        {
            for (int row = 0; row < logits.Rows; row++)
                for (int i = 0; i < 3; i++) largest = Math.Max(largest, Math.Abs(logits.Row(row)[i] - expected[(first + row) * 3 + i]));
        });
        Assert.True(largest > 10 * Tolerance, $"largest difference {largest}");
    }

    private static ModelCheckpoint Checkpoint(MemoryTensors? tensors = null) => ModelCheckpoint.FromTensors(
        """{"model_type": "gpt2", "n_layer": 3, "n_head": 3, "n_embd": 48, "vocab_size": 3, "n_positions": 11, "activation_function": "gelu_new", "tie_word_embeddings": false}""",
        tensors ?? ReadWeights());

    // torch Linear weights are [output, input]; GPT-2 checkpoints hold them transposed.
    private static MemoryTensors ReadWeights()
    {
        var tensors = new MemoryTensors();
        using JsonDocument model = JsonDocument.Parse(File.ReadAllBytes(TestFiles.Golden("nano-gpt-sort/gpt-nano-sort-model.json")));
        foreach (JsonProperty entry in model.RootElement.EnumerateObject().Where(entry => entry.Name != "config" && !entry.Name.EndsWith(".attn.bias", StringComparison.Ordinal)))
        {
            float[] values = Decode(entry.Value);
            long[] shape = [.. entry.Value.GetProperty("shape").EnumerateArray().Select(dimension => dimension.GetInt64())];
            if (shape.Length == 2 && entry.Name.Contains(".h.", StringComparison.Ordinal))
            {
                using var matrix = new Matrix<float>((nint)shape[0], (nint)shape[1], values);
                using Matrix<float> transposed = DenseTensors.Transpose(matrix.View);
                values = [.. Enumerable.Range(0, (int)transposed.Rows).SelectMany(row => transposed.Row(row).ToArray())];
                Array.Reverse(shape);
            }

            tensors.Add(entry.Name, shape, values);
        }

        return tensors;
    }

    private static float[] Decode(JsonElement tensor) => MemoryMarshal.Cast<byte, float>(tensor.GetProperty("data").GetBytesFromBase64()).ToArray();

    private float[] Values(string name) => Decode(_partials.RootElement.GetProperty(name));

    private sealed class Partials(NanoGptSortTests golden, int sequence) : ActivationProbe
    {
        private int _checks;

        public int Checks => _checks;

        public override void Observe(ActivationPoint point, int block, int firstPosition, MatrixView<float> values)
        {
            if (Names.TryGetValue((point, block), out string? name)) CheckRows(name, firstPosition, values);
            else if (block == 0 && point is ActivationPoint.Queries or ActivationPoint.Keys or ActivationPoint.Values && block == 0) CheckHeads(point, values);
        }

        public override void ObserveAttention(int block, int head, int position, ReadOnlyMemory<float> weights)
        {
            if (block != 0) return;
            ReadOnlySpan<float> expected = golden.Values("attSm").AsSpan(((sequence * 3 + head) * 11 + position) * 11, 11);
            for (int i = 0; i < 11; i++) Assert.Equal(expected[i], i < weights.Length ? weights.Span[i] : 0, Tolerance);
            Interlocked.Increment(ref _checks);
        }

        public void CheckRows(string name, int firstPosition, MatrixView<float> values)
        {
            float[] expected = golden.Values(name);
            int width = (int)values.Columns;
            for (int row = 0; row < values.Rows; row++)
                for (int i = 0; i < width; i++) Assert.Equal(expected[(sequence * 11 + firstPosition + row) * width + i], values.Row(row)[i], Tolerance);
            Interlocked.Increment(ref _checks);
        }

        // [batch, head, position, channel] against [position, head x channel].
        private void CheckHeads(ActivationPoint point, MatrixView<float> values)
        {
            float[] expected = golden.Values(point switch { ActivationPoint.Queries => "q", ActivationPoint.Keys => "k", _ => "v" });
            for (int position = 0; position < 11; position++)
                for (int channel = 0; channel < 48; channel++)
                    Assert.Equal(expected[((sequence * 3 + channel / 16) * 11 + position) * 16 + channel % 16], values.Row(position)[channel], Tolerance);
            Interlocked.Increment(ref _checks);
        }
    }
}
