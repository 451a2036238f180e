using TensorCompress.Inference;
using TensorCompress.Layers;
using TensorCompress.Models;
using TensorCompress.Numerics;
using TensorCompress.Storage;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Models;

public class RotaryPairsTests
{
    [Fact]
    public void Neighbouring_pairs_of_reordered_rows_turn_like_halves()
    {
        const int dimension = 8, heads = 3, tokens = 5;
        var random = new SeededRandom(1);
        using var halves = new Matrix<float>(tokens, heads * dimension);
        using var neighbours = new Matrix<float>(tokens, heads * dimension);
        for (int token = 0; token < tokens; token++)
        {
            for (int channel = 0; channel < heads * dimension; channel++)
            {
                float value = random.NextSingle();
                halves[token, channel] = value;
                neighbours[token, (nint)RotaryRowOrder.StoredRow(channel, dimension)] = value;
            }
        }

        new RotaryEmbedding(dimension, RotaryFrequencies.Plain(dimension, 10_000), RotaryPairs.Halves).Turn(halves.View, 11);
        new RotaryEmbedding(dimension, RotaryFrequencies.Plain(dimension, 10_000), RotaryPairs.Neighbours).Turn(neighbours.View, 11);
        for (int token = 0; token < tokens; token++)
            for (int channel = 0; channel < heads * dimension; channel++)
                Assert.Equal(halves[token, channel], neighbours[token, (nint)RotaryRowOrder.StoredRow(channel, dimension)]);
    }

    [Fact]
    public void Pairs_turn_by_position_times_frequency()
    {
        using var values = new Matrix<float>(1, 4, [1f, 2f, 3f, 4f]);
        new RotaryEmbedding(4, RotaryFrequencies.Plain(4, 100)).Turn(values.View, 3);
        // Pair (0, 2) turns by 3, pair (1, 3) by 3 / 100^(2/4) = 0.3.
        double[] expected = [Math.Cos(3) - 3 * Math.Sin(3), 2 * Math.Cos(0.3) - 4 * Math.Sin(0.3), 3 * Math.Cos(3) + Math.Sin(3), 4 * Math.Cos(0.3) + 2 * Math.Sin(0.3)];
        for (int i = 0; i < 4; i++) Assert.Equal(expected[i], values[0, i], 1e-6);
    }

    [Fact]
    public void A_model_with_neighbouring_pairs_equals_its_reordered_twin()
    {
        // stories260K as llama2.c stores it, run with neighbouring pairs on the stored row order, against the checkpoint in Hugging Face order.
        using LanguageModel expected = LanguageModel.Load(TestFiles.Golden("stories260K/stories260K.bin"));
        using ModelCheckpoint checkpoint = ModelCheckpoint.Open(TestFiles.Golden("stories260K/stories260K.bin"));
        ModelDefinition definition = checkpoint.Definition;
        using var stored = new MemoryTensors();
        foreach (TensorInfo tensor in checkpoint.Tensors.Tensors.Values)
        {
            var values = new float[tensor.ElementCount];
            checkpoint.Tensors.ReadSingles(tensor.Name, 0, values);
            bool isTurned = tensor.Name.Contains("q_proj", StringComparison.Ordinal) || tensor.Name.Contains("k_proj", StringComparison.Ordinal);
            stored.Add(tensor.Name, [.. tensor.Shape], isTurned ? ToStoredOrder(values, (int)tensor.Shape[1], 8) : values);
        }

        ModelDefinition twin = definition with
        {
            Blocks = [.. definition.Blocks.Select(block => block with { Attention = block.Attention with { Rotary = block.Attention.Rotary! with { Pairs = RotaryPairs.Neighbours } } })],
        };
        using LanguageModel model = LanguageModel.Load(ModelCheckpoint.FromTensors(checkpoint.Configuration.Root.GetRawText(), stored, twin));
        int[] ids = [1, 403, 407, 261, 378];
        using Session a = expected.CreateSession(), b = model.CreateSession();
        float[] left = a.Append(ids).ToArray(), right = b.Append(ids).ToArray();
        for (int i = 0; i < left.Length; i++) Assert.Equal(left[i], right[i], 1e-5);
    }

    private static float[] ToStoredOrder(float[] values, int columns, int headDimension)
    {
        var result = new float[values.Length];
        for (int row = 0; row < values.Length / columns; row++)
            values.AsSpan(row * columns, columns).CopyTo(result.AsSpan((int)RotaryRowOrder.StoredRow(row, headDimension) * columns));
        return result;
    }
}
