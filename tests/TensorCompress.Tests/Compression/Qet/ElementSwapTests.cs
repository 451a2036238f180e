using TensorCompress.Compression;
using TensorCompress.Compression.Qet;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;
using TensorCompress.Threading;

namespace TensorCompress.Tests.Compression.Qet;

public sealed class ElementSwapTests
{
    [Theory]
    [InlineData("5 2 9 4 1 7 3 8", 1, "2 4 1 3 5 9 7 8", "0011")]
    [InlineData("5 2 9 4 1 7 3 8", 2, "2 1 4 3 5 7 9 8", "00111111")]
    [InlineData("5 2 9 4 1 7 3 8", 3, "1 2 3 4 5 7 8 9", "001111110010")]
    [InlineData("1 8 2 7 3 6 4 5", 3, "1 3 2 4 5 7 6 8", null)]
    [InlineData("4 4 1 1", 1, "4 1 4 1", "00")]
    public void Worked_examples(string values, int layers, string expected, string? expectedBits)
    {
        float[] row = Parse(values), scratch = new float[row.Length];
        byte[] bits = new byte[2];
        ElementSwap.Split(row, layers, scratch, bits, 0);
        Assert.Equal(Parse(expected), row);
        if (expectedBits != null)
            Assert.Equal(expectedBits, string.Concat(Enumerable.Range(0, expectedBits.Length).Select(i => BitStream.Read(bits, i, 1))));
        ElementSwap.Join(row, layers, scratch, bits, 0);
        Assert.Equal(Parse(values), row);
    }

    [Theory]
    [InlineData(8)]
    [InlineData(48)]
    [InlineData(4096)]
    public void Layers_are_undone_to_the_bit(int columns)
    {
        float[] awkward = [0, -0f, float.Epsilon, -float.Epsilon, float.MaxValue, -float.MaxValue, 1, 1, float.BitIncrement(1), -1];
        using Matrix<float> original = RandomMatrices.Gaussian(11, columns, 5);
        for (int i = 0; i < 11; i++)
        {
            for (int k = i; k < columns; k += 3) original[i, k] = awkward[(i + k * k) % awkward.Length];
        }

        for (int layers = 0; layers <= 4 && columns % (1 << layers) == 0; layers++)
        {
            using Matrix<float> rows = new(11, columns, original.RowSpan(0, 11));
            byte[] bits = ElementSwap.Split(rows.View, layers, ComputePool.Shared);
            Assert.Equal((11L * columns / 2 * layers + 7) / 8, bits.Length);
            float[] scratch = new float[columns];
            for (int i = 0; i < 11; i++)
            {
                float[] leaves = [.. rows.Row(i)];
                Assert.Equal(Order(original.Row(i)), Order(leaves));
                Assert.All(Enumerable.Range(0, columns), p => Assert.True(leaves[p % (columns >> layers)] <= leaves[p])); // the first leaf has the least of every 2^layers columns
                ElementSwap.Join(rows.Row(i), layers, scratch, bits, i * ElementSwap.BitsPerRow(columns, layers));
            }

            FloatBits.AssertEqual(original.RowSpan(0, 11), rows.RowSpan(0, 11), $"{layers} layers");
        }
    }

    [Fact]
    public void Layers_are_those_of_a_plain_recursion()
    {
        using Matrix<float> original = RandomMatrices.Gaussian(5, 64, 2);
        for (int layers = 0; layers <= 6; layers++)
        {
            using Matrix<float> rows = new(5, 64, original.RowSpan(0, 5));
            ElementSwap.Split(rows.View, layers, ComputePool.Shared);
            for (int i = 0; i < 5; i++) Assert.Equal(Recursive([.. original.Row(i)], layers), rows.Row(i).ToArray());
        }
    }

    [Fact]
    public void Bits_of_exchangeable_values_are_coin_tosses()
    {
        // Why a layer wins nothing on such data: its bits cannot be coded shorter.
        using Matrix<float> rows = RandomMatrices.Gaussian(1024, 64, 9);
        byte[] bits = ElementSwap.Split(rows.View, 3, ComputePool.Shared);
        for (int layer = 0; layer < 3; layer++)
        {
            double ones = Enumerable.Range(0, 1024).Sum(row => Enumerable.Range(0, 32).Sum(i => BitStream.Read(bits, row * 96 + layer * 32 + i, 1))) / (1024.0 * 32);
            double entropy = -ones * Math.Log2(ones) - (1 - ones) * Math.Log2(1 - ones);
            Assert.True(entropy >= 0.999, $"layer {layer}: {entropy}");
        }
    }

    [Fact]
    public void A_layer_is_a_rotation_and_a_sign()
    {
        using Matrix<float> values = RandomMatrices.Gaussian(100, 2, 4), query = RandomMatrices.Gaussian(100, 2, 5);
        for (int i = 0; i < 100; i++)
        {
            float[] leaves = [.. values.Row(i)];
            byte[] bits = new byte[1];
            ElementSwap.Split(leaves, 1, new float[2], bits, 0);
            double sum = (double)leaves[0] + leaves[1], detail = (double)leaves[1] - leaves[0], sign = bits[0] == 1 ? 1 : -1;
            double expected = (double)query[i, 0] * values[i, 0] + (double)query[i, 1] * values[i, 1];
            Assert.Equal(expected, ((double)query[i, 0] + query[i, 1]) * sum / 2 + sign * ((double)query[i, 1] - query[i, 0]) * detail / 2, 1e-12);
        }
    }

    private static float[] Parse(string text) => [.. text.Split(' ').Select(float.Parse)];

    private static int[] Order(ReadOnlySpan<float> row) => [.. row.ToArray().Select(BitConverter.SingleToInt32Bits).Order()];

    private static float[] Recursive(float[] row, int layers)
    {
        if (layers == 0) return row;
        (float A, float B)[] pairs = [.. row.Chunk(2).Select(pair => (pair[0], pair[1]))];
        return [.. Recursive([.. pairs.Select(pair => Math.Min(pair.A, pair.B))], layers - 1), .. Recursive([.. pairs.Select(pair => Math.Max(pair.A, pair.B))], layers - 1)];
    }
}
