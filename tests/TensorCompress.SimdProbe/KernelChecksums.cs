using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using TensorCompress.Caching;
using TensorCompress.Kernels;
using TensorCompress.Layers;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.SimdProbe;

/// <summary>Every public kernel entry on fixed inputs with odd tails: a hash of the result's bits, and its sum for comparisons with a tolerance.</summary>
internal static class KernelChecksums
{
    private const int Length = 333;

    public static IEnumerable<(string Name, string Hash, double Sum)> All()
    {
        yield return Of("silu", y => Elementwise.Map<Silu>(Values(1), y));
        yield return Of("gelu-tanh", y => Elementwise.Map<GeluTanh>(Values(2), y));
        yield return Of("gelu-erf", y => Elementwise.Map<GeluErf>(Values(3), y));
        yield return Of("relu", y => Elementwise.Map<Relu>(Values(4), y));
        yield return Of("soft-cap", SoftCapped);
        yield return Of("add", y => Elementwise.Add(Values(5), Values(6), y));
        yield return Of("multiply", y => Elementwise.Multiply(Values(7), Values(8), y));
        yield return Of("rms-norm", y => Normalization.RootMeanSquare(Values(9), Values(10), 1e-5f, y));
        yield return Of("layer-norm", y => Normalization.Layer(Values(11), Values(12), Values(13), 1e-5f, y));
        yield return Of("softmax", Softmaxed);
        yield return Of("dot-products", y => Product(y, tokens: 9));
        yield return Of("dot-products-one-token", y => Product(y, tokens: 1));
        yield return Of("dot-products-f16", y => HalfProduct(y, ElementType.F16, tokens: 9));
        yield return Of("dot-products-bf16-one-token", y => HalfProduct(y, ElementType.BF16, tokens: 1));
        yield return Of("weighted-row-sum", RowSum);
        yield return Of("attention", Attend);
        yield return Of("activation-codes", QuantizeActivations);
        yield return Of("code-products-4-bits", y => CodeProduct(y, bits: 4, tokens: 9));
        yield return Of("code-products-8-bits", y => CodeProduct(y, bits: 8, tokens: 9));
        yield return Of("code-products-one-token", y => CodeProduct(y, bits: 4, tokens: 1));
    }

    private static (string Name, string Hash, double Sum) Of(string name, Action<Span<float>> run)
    {
        float[] y = new float[Length];
        run(y);
        double sum = 0;
        foreach (float value in y) sum += value;
        return (name, Convert.ToHexStringLower(SHA256.HashData(MemoryMarshal.AsBytes<float>(y)))[..16], sum);
    }

    private static void Softmaxed(Span<float> y)
    {
        Values(14).CopyTo(y);
        Softmax.Apply(y, 0.7f);
    }

    private static void SoftCapped(Span<float> y)
    {
        Values(22).CopyTo(y);
        SoftCap.Apply(y, 0.7f, 2f);
    }

    private static void Product(Span<float> y, int tokens)
    {
        int rows = Length / tokens;
        using Matrix<float> w = Random(15, rows, 91), x = Random(16, tokens, 91), result = new(tokens, rows);
        DotProducts.Multiply(w.View, x.View, result.View);
        for (int t = 0; t < tokens; t++) result.Row(t).CopyTo(y[(t * rows)..]);
    }

    private static void HalfProduct(Span<float> y, ElementType type, int tokens)
    {
        int rows = Length / tokens;
        using Matrix<float> w = Random(15, rows, 91), x = Random(16, tokens, 91), result = new(tokens, rows);
        using var halves = new Matrix<byte>(rows, 2 * 91);
        for (int row = 0; row < rows; row++) ElementConversion.FromSingle(w.Row(row), type, halves.Row(row));
        DotProducts.Multiply(halves.View, type, x.View, result.View);
        for (int t = 0; t < tokens; t++) result.Row(t).CopyTo(y[(t * rows)..]);
    }

    private static void RowSum(Span<float> y)
    {
        using Matrix<float> rows = Random(17, 29, Length);
        WeightedRowSum.Compute(Values(18).AsSpan(0, 29), rows.View, y);
    }

    private static void Attend(Span<float> y)
    {
        const int Tokens = 9, Heads = 2, Dimension = 18;
        using Matrix<float> queries = Random(19, Tokens, Heads * Dimension), keys = Random(20, Tokens, Dimension), values = Random(21, Tokens, Dimension), result = new(Tokens, Heads * Dimension);
        using var cache = new FloatKeyValueCache(1, 1, Dimension, Tokens);
        using var pool = new ComputePool(2);
        using var context = new ComputeContext(pool);
        cache.Reserve(Tokens);
        cache.Store(0, 0, keys.View, values.View);
        new Attention(Heads, 1, Dimension, 0.3f).Forward(queries.View, cache, 0, 0, result.View, context);
        for (int t = 0; t < Tokens; t++) result.Row(t).CopyTo(y[(t * Heads * Dimension)..]);
    }

    private static void QuantizeActivations(Span<float> y)
    {
        using var codes = new ActivationCodes();
        codes.Reserve(1, Length);
        codes.Quantize(0, Values(23));
        for (int i = 0; i < Length; i++) y[i] = (sbyte)codes.Codes.Row(0)[i] * codes.Scales.Row(0)[i / 32] + codes.Sums.Row(0)[i / 32];
    }

    private static void CodeProduct(Span<float> y, int bits, int tokens)
    {
        int rows = Length / tokens;
        var random = new Random(24);
        using var weights = new CodeBlocks(rows, 200, bits, 64, HasWideScales: false);
        for (int block = 0; block < weights.Blocks; block++)
        {
            Span<byte> bytes = weights.Bytes.Row(block);
            random.NextBytes(bytes);
            for (int group = 0; group < weights.Groups; group++)
            {
                Span<byte> header = bytes.Slice((int)weights.GroupOffset(group), weights.HeaderBytes);
                for (int lane = 0; lane < CodeBlocks.BlockRows; lane++)
                {
                    BinaryPrimitives.WriteHalfLittleEndian(header[(2 * lane)..], (Half)(random.NextDouble() / (1 << bits)));
                    BinaryPrimitives.WriteInt16LittleEndian(header[(weights.ZerosOffset + 2 * lane)..], (short)random.Next(16));
                }
            }
        }

        using Matrix<float> x = Random(25, tokens, 200), result = new(tokens, rows);
        using var codes = new ActivationCodes();
        codes.Reserve(tokens, 200);
        for (int t = 0; t < tokens; t++) codes.Quantize(t, x.Row(t));
        CodeProducts.Multiply(weights, 0, weights.Blocks, codes, result.View);
        for (int t = 0; t < tokens; t++) result.Row(t).CopyTo(y[(t * rows)..]);
    }

    private static float[] Values(int seed)
    {
        var random = new Random(seed);
        var values = new float[Length];
        for (int i = 0; i < Length; i++) values[i] = (float)(random.NextDouble() * 8 - 4);
        return values;
    }

    private static Matrix<float> Random(int seed, int rows, int columns)
    {
        var random = new Random(seed);
        var values = new float[rows * columns];
        for (int i = 0; i < values.Length; i++) values[i] = (float)(random.NextDouble() * 2 - 1);
        return new Matrix<float>(rows, columns, values);
    }
}
