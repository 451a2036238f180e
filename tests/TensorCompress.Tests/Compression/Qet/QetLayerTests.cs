using System.Numerics.Tensors;
using TensorCompress.Compression;
using TensorCompress.Compression.Qet;
using TensorCompress.Layers;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;
using TensorCompress.Threading;

namespace TensorCompress.Tests.Compression.Qet;

/// <summary>Products and rows of layers of every form, with codes and swaps by chance, beside the decompressed matrix.</summary>
public sealed class QetLayerTests
{
    private static readonly int[] TokenCounts = [1, 2, 3, 4, 16, 17, 33, 70];

    [Fact]
    public void Layers_of_spans_and_of_tensors_are_the_same()
    {
        float[] values = [.. Enumerable.Range(0, 40 * 24).Select(i => (float)Math.Sin(i * i))], one = new float[24], other = new float[24];
        using LinearLayer layer = QetLayer.FromDense(values, 40, 24, bits: 3), same = QetLayer.FromDense(new ReadOnlyTensorSpan<float>(values, [40, 24]), bits: 3);
        for (int row = 0; row < 40; row++)
        {
            layer.DecodeRow(row, one);
            same.DecodeRow(row, other);
            FloatBits.AssertEqual(one, other, $"row {row}");
        }
    }

    /// <summary>Columns of a group, groups, swap layers and centroids of the stages, bits of codebooks, rows.</summary>
    public static TheoryData<int, int, int[], int[], int, int> Cases()
    {
        var cases = new TheoryData<int, int, int[], int[], int, int>();
        foreach (int columns in new[] { 1, 2, 3, 4, 5, 8, 16, 36 })
        {
            int groups = columns == 36 ? 4 : 12;
            foreach (int centroids in new[] { 1, 2, 7, 16 }) cases.Add(columns, groups, [1], [centroids], 8, 37);
            cases.Add(columns, groups, [1, 0], [9, 30], 10, 61);
            cases.Add(columns, groups, [1, 1], [33, 4], 16, 40);
            cases.Add(columns, groups, [0, 1], [12, 5], QetOptions.FloatBits, 40);
            cases.Add(columns, groups, [2, 0], [12, 5], 8, 40);
            cases.Add(columns, groups, [2, 1], [3, 5], 4, 40);
            cases.Add(columns, 2, [1], [40], 8, 41);
            if (columns % 2 == 0) cases.Add(columns, 7, [1, 0], [12, 5], 8, 40); // the middle of a row lies in a group
        }

        cases.Add(4, 270, [1], [300], 8, 301); // more than the tables that are used together
        cases.Add(3, 6, [1], [4096], 8, 4096);
        cases.Add(24, 6, [1], [4096], 10, 4100);
        cases.Add(16, 40, [1], [256], 8, 300);
        cases.Add(4, 4, [1], [90], 8, 3); // more centroids than rows
        cases.Add(20, 4, [1], [90], 8, 3);
        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Products_are_those_of_the_decompressed_matrix(int columns, int groups, int[] layers, int[] centroids, int bits, int rows)
    {
        using QetWeight weight = RandomWeight(columns, groups, layers, centroids, bits, rows);
        using var layer = new QetLayer(weight.Tensor);
        using var dense = new Matrix<float>(rows, columns * groups);
        QetCodec.Decompress(weight.Tensor, dense.View);
        foreach (int tokens in TokenCounts)
        {
            using Matrix<float> x = RandomMatrices.Gaussian(tokens, columns * groups, (ulong)tokens), y = Product(layer, x.View, threads: 2);
            for (int token = 0; token < tokens; token++)
            {
                for (int row = 0; row < rows; row++)
                {
                    (double expected, double size) = (0, 0);
                    for (int k = 0; k < columns * groups; k += 2)
                    {
                        (double p, double q, double a, double b) = (x[token, k], x[token, k + 1], dense[row, k], dense[row, k + 1]);
                        expected += p * a + q * b;
                        size += (Math.Abs(p) + Math.Abs(q)) * (Math.Abs(a) + Math.Abs(b));
                    }

                    Assert.True(Math.Abs(expected - y[token, row]) <= 2e-6 * size, $"{tokens} tokens, token {token}, row {row}: {y[token, row]}, not {expected}");
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Bits_of_a_product_depend_neither_on_the_batch_nor_on_threads(int columns, int groups, int[] layers, int[] centroids, int bits, int rows)
    {
        using QetWeight weight = RandomWeight(columns, groups, layers, centroids, bits, rows);
        using var layer = new QetLayer(weight.Tensor);
        using Matrix<float> x = RandomMatrices.Gaussian(TokenCounts[^1], columns * groups, 8), all = Product(layer, x.View, threads: 1);
        foreach (int tokens in TokenCounts)
        {
            using Matrix<float> some = Product(layer, x.RowRange(x.Rows - tokens, tokens), threads: 3);
            for (int token = 0; token < tokens; token++) FloatBits.AssertEqual(all.Row(x.Rows - tokens + token), some.Row(token), $"{tokens} tokens, token {token}");
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Rows_are_those_of_the_decompressed_matrix(int columns, int groups, int[] layers, int[] centroids, int bits, int rows)
    {
        using QetWeight weight = RandomWeight(columns, groups, layers, centroids, bits, rows);
        using var layer = new QetLayer(weight.Tensor);
        using var dense = new Matrix<float>(rows, columns * groups);
        QetCodec.Decompress(weight.Tensor, dense.View);
        float[] row = new float[columns * groups];
        for (int i = 0; i < rows; i += 1 + rows / 20)
        {
            layer.DecodeRow(i, row);
            for (int k = 0; k < row.Length; k++) Assert.Equal(dense[i, k], row[k], 1e-6f);
        }
    }

    [Theory]
    [InlineData(4, 12, 1, 16, 40, true)]
    [InlineData(36, 4, 1, 16, 40, true)]
    [InlineData(4, 12, 0, 16, 40, true)]
    [InlineData(4, 12, 2, 16, 40, false)]
    [InlineData(4, 7, 1, 16, 40, false)]
    [InlineData(4, 12, 1, 41, 40, false)]
    public void Stages_with_at_most_one_swap_layer_and_partners_go_by_look_up(int columns, int groups, int layers, int centroids, int rows, bool isTaken)
    {
        using QetWeight weight = RandomWeight(columns, groups, [layers], [centroids], 8, rows);
        Assert.Equal(isTaken, PackedStage.Takes(weight.Tensor.Stages[0], weight.Tensor.Plan));
    }

    [Theory]
    [InlineData(4, 256, 256)]
    [InlineData(36, 32, 64)]
    [InlineData(2, 512, 2)]
    public void Codes_swaps_and_codebooks_take_little_more_than_is_stored(int columns, int groups, int centroids)
    {
        using QetWeight weight = RandomWeight(columns, groups, [1], [centroids], 8, 1024);
        using var layer = new QetLayer(weight.Tensor);
        long parts = weight.Tensor.Stages.Sum(stage => stage.StoredBytes);
        Assert.InRange(layer.ResidentBytes, parts, parts + 256); // and no copy of swap bits for each half
    }

    private static Matrix<float> Product(LinearLayer layer, MatrixView<float> x, int threads)
    {
        using var pool = new ComputePool(threads);
        using var context = new ComputeContext(pool);
        var y = new Matrix<float>(x.Rows, layer.OutputDimension);
        layer.Forward(new ActivationBatch(x), y.View, context);
        return y;
    }

    private static QetWeight RandomWeight(int columns, int groups, int[] layers, int[] centroids, int bits, int rows)
    {
        var source = new FloatSource(columns + 100 * groups);
        var options = new QetOptions(groups, [.. layers.Select(count => new QetStageOptions(count, 1.0 / layers.Length))], bits, gridPerGroup: groups % 3 == 0);
        QetPlan plan = QetPlan.WithCentroids(rows, columns * groups, centroids, options);
        QetEncodedStage Stage(int index)
        {
            byte[] swaps = [.. Enumerable.Range(0, (int)(BitStream.Padded(plan.AccountOf(index).Swaps) / 8)).Select(_ => (byte)(source.Integer(1000) & 255))];
            byte[] codes = new byte[BitStream.ByteLength(rows * groups, plan.CodeBits(index))];
            for (int i = 0; i < rows * groups && plan.CodeBits(index) > 0; i++) BitStream.Write(codes, (long)i * plan.CodeBits(index), Math.Abs(source.Integer(1 << 20)) % centroids[index]);
            return new QetEncodedStage(swaps, codes, QetCodebook.Round(source.Array(plan.Numbers(index)), plan, index), layers[index], plan.CodeBits(index), centroids[index]);
        }

        return new QetWeight(new QetTensor(plan, [.. Enumerable.Range(0, layers.Length).Select(Stage)]));
    }
}
