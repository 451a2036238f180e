using TensorCompress.Layers;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;
using TensorCompress.Threading;

namespace TensorCompress.Tests.Layers;

public class LinearProductTests
{
    [Theory]
    [InlineData(129, 300, 1)]
    [InlineData(515, 64, 3)]
    [InlineData(1030, 577, 9)]
    public void Any_number_of_threads_gives_the_same_bits(int rows, int k, int tokens)
    {
        var source = new FloatSource(rows);
        using Matrix<float> w = new(rows, k, source.Array(rows * k)), x = new(tokens, k, source.Array(tokens * k));
        using var expected = new Matrix<float>(tokens, rows);
        using (var one = new ComputePool(1)) LinearProduct.Forward(w.View, x.View, expected.View, one);
        foreach (int threads in new[] { 2, 3, 8 })
        {
            using var pool = new ComputePool(threads);
            using var actual = new Matrix<float>(tokens, rows);
            LinearProduct.Forward(w.View, x.View, actual.View, pool);
            for (int t = 0; t < tokens; t++) FloatBits.AssertEqual(expected.Row(t), actual.Row(t), $"{threads} threads");
        }
    }

    [Fact]
    public void Ranges_are_whole_tiles_and_worth_a_thread()
    {
        foreach (int k in new[] { 1, 64, 576, 49152 })
        {
            foreach (int tokens in new[] { 1, 9, 512 })
            {
                nint grain = LinearProduct.RowGrain(k, tokens);
                Assert.True(grain >= 4 && grain % 4 == 0);
                Assert.True(grain * k * tokens >= 1 << 15, $"{grain} rows of {k} for {tokens} tokens");
            }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(9)]
    public void A_layer_decoded_row_by_row_gives_the_bits_of_the_dense_product(int tokens)
    {
        const int Rows = 133, K = 77;
        var source = new FloatSource(3);
        using Matrix<float> w = new(Rows, K, source.Array(Rows * K)), x = new(tokens, K, source.Array(tokens * K));
        using Matrix<float> expected = new(tokens, Rows), actual = new(tokens, Rows);
        using var pool = new ComputePool(3);
        using var context = new ComputeContext(pool);
        LinearProduct.Forward(w.View, x.View, expected.View, pool);
        using var layer = new CopyingLayer(w);
        layer.Forward(new ActivationBatch(x.View), actual.View, context);
        for (int t = 0; t < tokens; t++) FloatBits.AssertEqual(expected.Row(t), actual.Row(t), $"token {t}");
    }

    [Fact]
    public void A_layer_checks_shapes_and_rows()
    {
        using Matrix<float> w = new(5, 3), x = new(2, 3), y = new(2, 5), none = new(0, 3), nothing = new(0, 5);
        using var pool = new ComputePool(1);
        using var context = new ComputeContext(pool);
        using var layer = new CopyingLayer(w);
        layer.Forward(new ActivationBatch(none.View), nothing.View, context);
        Assert.Contains("3 inputs", Assert.Throws<ArgumentException>(() => layer.Forward(new ActivationBatch(y.View), y.View, context)).Message, StringComparison.Ordinal);
        Assert.Contains("2 x 5", Assert.Throws<ArgumentException>(() => layer.Forward(new ActivationBatch(x.View), x.View, context)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => layer.DecodeRow(5, new float[3]));
        Assert.Throws<ArgumentOutOfRangeException>(() => layer.DecodeRow(-1, new float[3]));
        Assert.Throws<ArgumentException>(() => layer.DecodeRow(0, new float[4]));
    }

    private sealed class CopyingLayer(Matrix<float> weights) : RowDecodedLayer((int)weights.Rows, (int)weights.Columns)
    {
        public override long ResidentBytes => weights.ByteLength;

        protected override void ReadRow(int row, Span<float> destination) => weights.Row(row).CopyTo(destination);
    }
}
