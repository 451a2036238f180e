using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using TensorCompress.Caching;
using TensorCompress.Kernels;
using TensorCompress.Layers;
using TensorCompress.Numerics;
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
        yield return Of("gated-silu", y => Elementwise.Combine<GatedProduct<Silu>>(Values(7), Values(8), y));
        yield return Of("exponential", y => Elementwise.Map<Exponential.Operation>(Values(23), y));
        yield return Of("scale", y => Scaling.Scale(Values(24), 0.7f, y));
        yield return Of("add-scaled", y => Scaling.AddScaled(Values(25), 0.7f, y));
        yield return Of("rotate-halves", y => Rotated(y, neighbours: false));
        yield return Of("rotate-neighbours", y => Rotated(y, neighbours: true));
        yield return Of("half", Halved<HalfFormat>);
        yield return Of("bfloat16", Halved<BfloatFormat>);
        yield return Of("extremes", y => (y[0], y[1]) = (Extremes.Max(Values(29)), Extremes.IndexOfMax(Values(30))));
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
        yield return Of("sign-sums", SignSum);
        yield return Of("sign-products-8-bits", y => SignProduct(y, digits: 1, tokens: 1));
        yield return Of("sign-products-16-bits", y => SignProduct(y, digits: 2, tokens: 9));
        yield return Of("sign-code-products", SignCodeProduct);
        yield return Of("matrix-product", SingleProduct);
        yield return Of("matrix-product-double", DoubleProduct);
        yield return Of("matrix-product-few-rows", FewRows);
        yield return Of("svd-rotations", FactorisationChecksums.SingularValuesByRotations);
        yield return Of("svd-gram", FactorisationChecksums.SingularValuesByGramMatrices);
        yield return Of("svd-krylov", FactorisationChecksums.SingularValuesByKrylovSpaces);
        yield return Of("householder-qr", FactorisationChecksums.HouseholderReflections);
        yield return Of("cholesky", FactorisationChecksums.CholeskySolution);
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
        const int Tokens = 3;
        using Matrix<float> weights = Random(18, Tokens, 29), rows = Random(17, 29, Length / Tokens), result = new(Tokens, Length / Tokens);
        WeightedRowSum.Multiply(weights.View, rows.View, result.View);
        for (int t = 0; t < Tokens; t++) result.Row(t).CopyTo(y[(t * Length / Tokens)..]);
    }

    private static void Rotated(Span<float> y, bool neighbours)
    {
        Values(26).CopyTo(y);
        if (neighbours) Rotation.Neighbours(y, Values(27), Values(28));
        else Rotation.Halves(y[1..], Values(27).AsSpan(0, Length / 2), Values(28).AsSpan(0, Length / 2));
    }

    private static void Halved<TFormat>(Span<float> y)
        where TFormat : struct, IHalfFormat
    {
        var words = new ushort[Length];
        HalfPrecision.Round<TFormat>(Values(31), words);
        HalfPrecision.Widen<TFormat>(words, y);
    }

    // The last tokens of three blocks of positions.
    private static void Attend(Span<float> y)
    {
        const int Tokens = 600, Asked = 9, Heads = 2, Dimension = 18;
        using Matrix<float> queries = Random(19, Asked, Heads * Dimension), keys = Random(20, Tokens, Dimension), values = Random(21, Tokens, Dimension), result = new(Asked, Heads * Dimension);
        using var cache = new FloatKeyValueCache(1, 1, Dimension, Tokens);
        using var pool = new ComputePool(2);
        using var context = new ComputeContext(pool);
        cache.Reserve(Tokens);
        cache.Store(0, 0, keys.View, values.View);
        new Attention(Heads, 1, Dimension, 0.3f).Forward(queries.View, cache, 0, Tokens - Asked, result.View, context);
        for (int t = 0; t < Asked; t++) result.Row(t).CopyTo(y[(t * Heads * Dimension)..]);
    }

    private static void SingleProduct(Span<float> y)
    {
        using Matrix<float> a = Random(23, 9, 300), b = Random(24, 37, 300), result = new(9, 37);
        MatrixProduct.Multiply(a, b.Transposed, result.View, 0.5f);
        for (int i = 0; i < 9; i++) result.Row(i).CopyTo(y[(i * 37)..]);
    }

    private static void FewRows(Span<float> y)
    {
        using Matrix<float> a = Random(47, 3, 300), b = Random(48, 300, Length / 3), result = new(3, Length / 3);
        MatrixProduct.Multiply(a, b, result.View, 0.5f);
        for (int i = 0; i < 3; i++) result.Row(i).CopyTo(y[(i * Length / 3)..]);
    }

    private static void DoubleProduct(Span<float> y)
    {
        using Matrix<float> a = Random(25, 18, 300);
        using Matrix<double> result = new(18, 18);
        MatrixProduct.SymmetricRankK(a, result.View);
        for (int i = 0; i < 18; i++)
        {
            for (int j = 0; j < 18; j++) y[i * 18 + j] = (float)result[i, j];
        }
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

    private static void SignSum(Span<float> y)
    {
        byte[] bits = new byte[(Length * 300 + 7) / 8 * 8];
        new Random(49).NextBytes(bits);
        using SignBlocks weights = SignBlocks.FromRows(bits, Length, 300, SignProducts.Layout);
        using Matrix<float> x = Random(50, 1, 300), result = new(1, Length);
        SignSums.Multiply(weights, 0, weights.Blocks, x.View, result.View);
        result.Row(0).CopyTo(y);
    }

    private static void SignProduct(Span<float> y, int digits, int tokens)
    {
        int rows = Length / tokens;
        byte[] bits = new byte[rows * 138];
        new Random(51).NextBytes(bits);
        using SignBlocks weights = SignBlocks.FromRows(bits, rows, 1100, SignProducts.Layout);
        using Matrix<float> x = Random(52, tokens, 1100), result = new(tokens, rows);
        using var tables = new SignTables();
        tables.Reserve(tokens, 1100, digits, SignProducts.VectorBytes);
        for (int token = 0; token < tokens; token++)
        {
            for (int chunk = 0; chunk < tables.Chunks; chunk++) tables.Build(token, chunk, x.Row(token), []);
        }

        SignProducts.Multiply(weights, 0, weights.Blocks, tables, [], result.View);
        for (int token = 0; token < tokens; token++) result.Row(token).CopyTo(y[(token * rows)..]);
    }

    private static void SignCodeProduct(Span<float> y)
    {
        byte[] bits = new byte[Length * 138];
        new Random(53).NextBytes(bits);
        using SignBlocks weights = SignBlocks.FromRows(bits, Length, 1100, SignLayout.Words);
        using Matrix<float> x = Random(54, 1, 1100), result = new(1, Length);
        using var codes = new SignCodes();
        codes.Reserve(1, 1100);
        codes.Quantize(0, x.Row(0), []);
        SignCodeProducts.Multiply(weights, 0, weights.Blocks, codes, [], result.View);
        result.Row(0).CopyTo(y);
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
