using TensorCompress.Compression.Mpo;
using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Compression.Mpo;

public sealed class NeuronOrderTests
{
    private const int Neurons = 48, Width = 20;

    [Fact]
    public void A_permuted_feed_forward_layer_computes_the_same_and_comes_back_to_the_bit()
    {
        using Matrix<float> gate = RandomMatrices.Gaussian(Neurons, Width), up = RandomMatrices.Gaussian(Neurons, Width, 2), down = RandomMatrices.Gaussian(Width, Neurons, 3);
        int[] order = Shuffle(4);
        using Matrix<float> gate2 = NeuronOrder.PermuteRows(gate.View, order), up2 = NeuronOrder.PermuteRows(up.View, order), down2 = NeuronOrder.PermuteColumns(down.View, order);
        double[] input = [.. Enumerable.Range(0, Width).Select(i => Math.Cos(i))];
        double[] before = FeedForward(gate, up, down, input), after = FeedForward(gate2, up2, down2, input);
        for (int i = 0; i < Width; i++) Assert.Equal(before[i], after[i], 1e-9);

        int[] inverse = NeuronOrder.Inverse(order);
        using Matrix<float> upBack = NeuronOrder.PermuteRows(up2.View, inverse), downBack = NeuronOrder.PermuteColumns(down2.View, inverse);
        for (int row = 0; row < Neurons; row++) Assert.True(up.Row(row).SequenceEqual(upBack.Row(row)));
        for (int row = 0; row < Width; row++) Assert.True(down.Row(row).SequenceEqual(downBack.Row(row)));
    }

    [Fact]
    public void An_order_that_was_lost_is_made_good_and_a_good_one_is_left()
    {
        // Smooth along the neurons: nearly exact at a small bond dimension, until they are shuffled.
        using Matrix<float> up = RandomMatrices.Make(Neurons, Width, (i, j) => Math.Exp(-0.05 * i) * Math.Cos(0.3 * j) + 0.1 * Math.Sin(0.03 * i * j)), down = RandomMatrices.Make(Width, Neurons, (i, j) => up[j, i]);
        int[] shuffled = Shuffle(9);
        using Matrix<float> badUp = NeuronOrder.PermuteRows(up.View, shuffled), badDown = NeuronOrder.PermuteColumns(down.View, shuffled);
        int[] found = NeuronOrder.Find(null, badUp.View, badDown.View, 4);
        using Matrix<float> goodUp = NeuronOrder.PermuteRows(badUp.View, found);
        using MatrixProductOperator bad = MpoFactorizer.Factorize(badUp.View, MpoOptions.WithChi(4)), good = MpoFactorizer.Factorize(goodUp.View, MpoOptions.WithChi(4));
        Assert.True(good.RelativeError!.Value < 0.7 * bad.RelativeError!.Value, $"{bad.RelativeError!.Value} to {good.RelativeError!.Value}");
    }

    [Fact]
    public void What_is_no_permutation_is_refused()
    {
        using Matrix<float> up = RandomMatrices.Gaussian(3, 4), down = RandomMatrices.Gaussian(4, 2);
        foreach (int[] order in new int[][] { [0, 1], [0, 1, 1], [0, 1, 3], [-1, 0, 1] }) Assert.Throws<ArgumentException>(() => NeuronOrder.PermuteRows(up.View, order));
        Assert.Throws<ArgumentException>(() => NeuronOrder.Find(null, up.View, down.View, 2));
    }

    private static int[] Shuffle(ulong seed)
    {
        var random = new SeededRandom(seed);
        return [.. Enumerable.Range(0, Neurons).Select(neuron => (Key: random.NextDouble(), neuron)).OrderBy(pair => pair.Key).Select(pair => pair.neuron)];
    }

    /// <summary>down (silu(gate x) * (up x)).</summary>
    private static double[] FeedForward(Matrix<float> gate, Matrix<float> up, Matrix<float> down, double[] x)
    {
        double[] hidden = [.. Enumerable.Range(0, Neurons).Select(n =>
        {
            double g = Enumerable.Range(0, Width).Sum(i => gate[n, i] * x[i]), u = Enumerable.Range(0, Width).Sum(i => up[n, i] * x[i]);
            return g / (1 + Math.Exp(-g)) * u;
        })];
        return [.. Enumerable.Range(0, Width).Select(o => Enumerable.Range(0, Neurons).Sum(n => down[o, n] * hidden[n]))];
    }
}
