using TensorCompress.Compression.Dbf;
using TensorCompress.Layers;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;
using TensorCompress.Threading;

namespace TensorCompress.Tests.Compression.Dbf;

public class DbfProductTests
{
    [Theory]
    [InlineData(SignPrecision.Exact, 1e-6)]
    [InlineData(SignPrecision.High, 3e-4)]
    [InlineData(SignPrecision.Fast, 0.05)]
    public void A_product_is_that_of_its_five_factors_in_any_batch_and_at_any_thread_count(SignPrecision precision, double tolerance)
    {
        foreach ((int outputs, int inputs, int middle) in new[] { (40, 24, 17), (300, 1100, 250), (1, 5, 3), (16, 700, 40), (90, 700, 16), (17, 300, 13) }) // sixteen rows go another way with Fast
        {
            const int Tokens = 131; // more than are held at a time
            var source = new FloatSource(inputs);
            SignMatrix outer = RandomSigns.Matrix(middle, outputs, 1), inner = RandomSigns.Matrix(middle, inputs, 2);
            float[] a = source.Array(outputs), d = source.Array(middle), b = source.Array(inputs);
            using var product = new DbfProduct(outer, inner, a, d, b, new RuntimeOptions { Signs = precision });
            using Matrix<float> x = new(Tokens, inputs, source.Array(Tokens * inputs)), y = new(Tokens, outputs), alone = new(1, outputs);
            using ComputePool two = new(2), one = new(1);
            using ComputeContext context = new(two), single = new(one);
            product.Forward(x.View, y.View, context);
            float[] row = new float[inputs];
            double error = 0, total = 0;
            foreach (int token in new[] { 0, 1, 127, 128, 130 })
            {
                product.Forward(x.RowRange(token, 1), alone.View, single);
                FloatBits.AssertEqual(alone.Row(0), y.Row(token), $"token {token} of {outputs} x {inputs}");
                for (int output = 0; output < outputs; output++)
                {
                    double exact = 0;
                    for (int channel = 0; channel < middle; channel++)
                    {
                        double h = 0;
                        for (int input = 0; input < inputs; input++) h += inner[channel, input] * (double)b[input] * x[token, input];
                        exact += outer[channel, output] * h * d[channel];
                    }

                    error += Math.Pow(y[token, output] - exact * a[output], 2);
                    total += Math.Pow(exact * a[output], 2);
                }
            }

            Assert.True(Math.Sqrt(error / total) < tolerance, $"{outputs} x {inputs}: relative error {Math.Sqrt(error / total):g3}");
            product.ReadRow(outputs / 2, row);
            for (int input = 0; input < inputs; input++)
            {
                double weight = 0;
                for (int channel = 0; channel < middle; channel++) weight += outer[channel, outputs / 2] * inner[channel, input] * (double)d[channel];
                Assert.Equal(weight * a[outputs / 2] * b[input], row[input], 1e-5);
            }
        }
    }

    [Fact]
    public void Float_activations_mean_exact_products_and_shapes_must_fit()
    {
        SignMatrix outer = RandomSigns.Matrix(9, 20, 1), inner = RandomSigns.Matrix(9, 30, 2);
        float[] a = new FloatSource(1).Array(20), d = new FloatSource(2).Array(9), b = new FloatSource(3).Array(30);
        using DbfProduct floats = new(outer, inner, a, d, b, RuntimeOptions.Exact), exact = new(outer, inner, a, d, b, new RuntimeOptions { Signs = SignPrecision.Exact });
        using Matrix<float> x = new(1, 30, new FloatSource(4).Array(30)), first = new(1, 20), second = new(1, 20);
        using var context = new ComputeContext(ComputePool.Shared);
        floats.Forward(x.View, first.View, context);
        exact.Forward(x.View, second.View, context);
        FloatBits.AssertEqual(first.Row(0), second.Row(0), "exact");
        Assert.Throws<ArgumentException>(() => new DbfProduct(outer, inner, a, d, new float[29], RuntimeOptions.Default));
        Assert.Throws<ArgumentException>(() => new DbfProduct(outer, RandomSigns.Matrix(8, 30, 2), a, d, b, RuntimeOptions.Default));
    }
}
