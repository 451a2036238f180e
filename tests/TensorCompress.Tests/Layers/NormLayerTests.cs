using TensorCompress.Layers;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Layers;

public class NormLayerTests
{
    [Fact]
    public void Every_row_is_normalised_on_its_own_also_in_place()
    {
        var source = new FloatSource(9);
        float[] gain = source.Array(37), bias = source.Array(37);
        foreach (NormLayer norm in new NormLayer[] { new RmsNorm(gain, 1e-5f), new LayerNorm(gain, bias, 1e-5f), new LayerNorm(gain, [], 1e-5f) })
        {
            using Matrix<float> x = new(5, 37, source.Array(5 * 37, 4f)), y = new(5, 37), alone = new(1, 37);
            norm.Forward(x.View, y.View);
            for (int row = 0; row < 5; row++)
            {
                norm.Forward(x.RowRange(row, 1), alone.View);
                FloatBits.AssertEqual(alone.Row(0), y.Row(row), $"{norm.GetType().Name}, row {row}");
                Assert.True(y.Row(row).ContainsAnyExcept(0f));
            }

            norm.Forward(x.View, x.View);
            for (int row = 0; row < 5; row++) FloatBits.AssertEqual(y.Row(row), x.Row(row), $"{norm.GetType().Name} in place");
        }
    }

    [Theory]
    [InlineData(ActivationFunction.Silu, -0.26894142)]
    [InlineData(ActivationFunction.GeluTanh, -0.15880801)]
    [InlineData(ActivationFunction.GeluErf, -0.15865525)]
    [InlineData(ActivationFunction.Relu, 0)]
    public void Activation_functions_are_told_apart(ActivationFunction function, double atMinusOne)
    {
        float[] x = [-1f, 0f];
        function.Apply(x);
        Assert.Equal(atMinusOne, x[0], 6);
        Assert.Equal(0f, x[1]);
    }

    [Fact]
    public void An_unknown_activation_function_is_refused() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => ((ActivationFunction)99).Apply(new float[1]));
}
