using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;
using TensorCompress.Layers;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Kernels;

public class GatedProductTests
{
    [Fact]
    public void A_gate_of_silu_is_its_formula() => Check<Silu>(x => x / (1 + Math.Exp(-x)));

    [Fact]
    public void A_gate_of_gelu_is_its_formula() => Check<GeluTanh>(x => 0.5 * x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x))));

    [Theory]
    [InlineData(ActivationFunction.Silu)]
    [InlineData(ActivationFunction.GeluTanh)]
    [InlineData(ActivationFunction.GeluErf)]
    [InlineData(ActivationFunction.Relu)]
    public void One_pass_gives_the_bits_of_two(ActivationFunction function)
    {
        var source = new FloatSource(71);
        float[] gate = source.Array(100, 6f), values = source.Array(100), activated = [.. gate];
        function.Apply(activated);
        float[] expected = [.. activated.Zip(values, (g, v) => g * v)];
        function.ApplyGate(gate, values);
        FloatBits.AssertEqual(expected, values, function.ToString());
    }

    [Fact]
    public void Unknown_functions_and_lengths_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => ((ActivationFunction)99).ApplyGate(new float[1], new float[1]));
        Assert.Throws<ArgumentOutOfRangeException>(() => ActivationFunction.Silu.ApplyGate(new float[1], new float[2]));
    }

    private static void Check<TActivation>(Func<double, double> activation)
        where TActivation : struct, IUnaryOperation => VectorKernels.Check(
            new(
                Elementwise.CombineCore<Simd512, GatedProduct<TActivation>>, Elementwise.CombineCore<Simd256, GatedProduct<TActivation>>,
                Elementwise.CombineCore<Simd128, GatedProduct<TActivation>>, Elementwise.CombineCore<SimdScalar, GatedProduct<TActivation>>),
            (gate, x, _) => activation(gate) * x, (gate, x) => 1e-6 * Math.Max(1, Math.Abs(gate)) * Math.Max(1, Math.Abs(x)));
}
