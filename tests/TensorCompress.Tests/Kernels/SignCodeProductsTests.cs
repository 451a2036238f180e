using TensorCompress.Compression.Dbf;
using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Kernels;

public class SignCodeProductsTests
{
    private delegate void Product(SignBlocks weights, int firstBlock, int blockCount, SignCodes activations, ReadOnlySpan<float> rowScales, MatrixView<float> destination);

    private static IReadOnlyList<(string Name, Product Run)> Implementations { get; } =
    [
        ("scalar", SignCodeProducts.Core<SimdScalar, ByteSimdScalar>),
        ("512", SignCodeProducts.Core<Simd512, ByteSimd512>),
        ("256", SignCodeProducts.Core<Simd256, ByteSimd256>),
        ("VNNI", SignCodeProducts.Core<Simd256, ByteSimdVnni>), // in software where the CPU has none
        ("128", SignCodeProducts.Core<Simd128, ByteSimd128>),
    ];

    [Fact]
    public void All_sizes_agree_with_the_formula_and_have_the_same_bits_at_every_width()
    {
        var source = new FloatSource(5);
        for (int size = 1; size <= 257; size++)
        {
            foreach ((int rows, int columns) in new[] { (1 + size * 7 % 40, size), (size, 1 + size * 11 % 40) }) CheckSize(rows, columns, 1 + size % 3, source, guardAfter: size % 2 == 0);
        }

        foreach (int columns in new[] { 511, 512, 513, 1100 }) CheckSize(33, columns, 2, source, guardAfter: true);
    }

    [Fact]
    public void Sums_stay_exact_at_the_extremes()
    {
        // All codes are 127 or -127: the sums of the fourth bits reach 32512 of 32767.
        foreach (int columns in new[] { 256, 250, 1024 })
        {
            foreach ((float sign, float even, float odd) in new[] { (1f, 1f, 1f), (1f, -1f, -1f), (-1f, 1f, 1f), (1f, 1f, -1f), (-1f, -1f, -1f) })
            {
                SignMatrix signs = RandomSigns.Constant(17, columns, sign);
                using SignBlocks packed = RandomSigns.Packed(signs, SignLayout.Words);
                float[] x = [.. Enumerable.Range(0, columns).Select(i => i % 2 == 0 ? even : odd)];
                using SignCodes codes = Quantized([x], []);
                foreach ((string name, Product run) in Implementations)
                {
                    using var y = new Matrix<float>(1, 17);
                    run(packed, 0, packed.Blocks, codes, [], y.View);
                    FloatBits.AssertNear(_ => sign * x.Sum(value => (double)value), y.Row(0), _ => 1e-6 * columns, $"{name}, {columns} columns of {even} and {odd}");
                }
            }
        }
    }

    [Fact]
    public void Codes_are_the_nearest_of_255_steps_in_the_order_of_the_bits()
    {
        const int Columns = 300;
        float[] x = new FloatSource(8).Array(Columns, 5f), factors = new FloatSource(9).Array(Columns);
        using SignCodes codes = Quantized([x], factors);
        for (int span = 0; span < 2; span++)
        {
            int start = span * SignCodes.SpanColumns, end = Math.Min(Columns, start + SignCodes.SpanColumns);
            double largest = Enumerable.Range(start, end - start).Max(i => Math.Abs(x[i] * factors[i])), sum = 0;
            Assert.Equal(largest / 127, Scale(codes, span), 1e-6 * largest);
            for (int i = start; i < end; i++)
            {
                int code = Code(codes, i);
                sum += code;
                Assert.True(Math.Abs(code - x[i] * factors[i] * 127 / largest) <= 0.5001, $"column {i}: {code}");
            }

            Assert.Equal(sum, Sum(codes, span));
        }

        for (int i = Columns; i < 320; i++) Assert.Equal(0, Code(codes, i));
    }

    [Fact]
    public void An_outlier_costs_precision_in_its_span_alone_and_no_size_overflows()
    {
        const int Rows = 20, Columns = 900, Outlier = 400;
        SignMatrix signs = RandomSigns.Matrix(Rows, Columns, 6);
        using SignBlocks packed = RandomSigns.Packed(signs, SignLayout.Words);
        float[] values = new FloatSource(70).Array(Columns, 3f);
        foreach ((float unit, float outlier) in new[] { (1f, 1e6f), (1f, -1e6f), (1e-25f, 1e-20f), (1e37f, 3e38f), (1e-42f, 1e-40f), (1f, 1f) })
        {
            float[] x = [.. values.Select((value, i) => i == Outlier ? outlier : value * unit)];
            double bound = 1e-30 * Columns; // what is smaller counts as 0
            for (int start = 0; start < Columns; start += SignCodes.SpanColumns)
            {
                float[] span = x[start..Math.Min(Columns, start + SignCodes.SpanColumns)];
                bound += span.Length * span.Max(value => (double)Math.Abs(value)) / 127 * 0.5001 + 1e-6 * span.Sum(value => (double)Math.Abs(value));
            }

            float[]? reference = null;
            using SignCodes codes = Quantized([x], []);
            foreach ((string name, Product run) in Implementations)
            {
                using var y = new Matrix<float>(1, Rows);
                run(packed, 0, packed.Blocks, codes, [], y.View);
                float[] result = y.Row(0).ToArray();
                if (unit < 1e30f) FloatBits.AssertNear(row => Exact(signs, row, x), result, _ => bound, $"{name}, outlier {outlier} among {unit}");
                FloatBits.AssertEqual(reference ??= result, result, name);
            }
        }
    }

    [Fact]
    public void Codes_lose_less_than_a_hundredth()
    {
        const int Rows = 64, Columns = 4096;
        var source = new FloatSource(9);
        float[] x = [.. Enumerable.Range(0, Columns).Select(_ => source.Next() + source.Next() + source.Next() + source.Next())];
        SignMatrix signs = RandomSigns.Matrix(Rows, Columns, 8);
        using SignBlocks packed = RandomSigns.Packed(signs, SignLayout.Words);
        using SignCodes codes = Quantized([x], []);
        using var y = new Matrix<float>(1, Rows);
        SignCodeProducts.Multiply(packed, 0, packed.Blocks, codes, [], y.View);
        double error = 0, total = 0;
        for (int row = 0; row < Rows; row++)
        {
            double exact = Exact(signs, row, x);
            error += Math.Pow(y[0, row] - exact, 2);
            total += exact * exact;
        }

        Assert.InRange(Math.Sqrt(error / total), 0.001, 0.01);
    }

    [Fact]
    public void A_result_has_the_same_bits_alone_in_any_batch_and_in_any_range_of_blocks()
    {
        const int Rows = 150, Columns = 700, Tokens = 5;
        var source = new FloatSource(44);
        float[][] x = [.. Enumerable.Range(0, Tokens).Select(_ => source.Array(Columns, 2f))];
        float[] factors = source.Array(Rows);
        using SignBlocks packed = RandomSigns.Packed(RandomSigns.Matrix(Rows, Columns, 4), SignLayout.Words);
        using Matrix<float> whole = new(Tokens, Rows), alone = new(Tokens, Rows);
        using SignCodes together = Quantized(x, []);
        for (int block = 0, count = 1; block < packed.Blocks; block += count, count = 1 + count % 5)
            SignCodeProducts.Multiply(packed, block, Math.Min(count, packed.Blocks - block), together, factors, whole.View);
        for (int token = 0; token < Tokens; token++)
        {
            using SignCodes codes = Quantized([x[token]], []);
            SignCodeProducts.Multiply(packed, 0, packed.Blocks, codes, factors, alone.RowRange(token, 1));
        }

        FloatBits.AssertEqual(whole.RowSpan(0, Tokens), alone.RowSpan(0, Tokens), "in parts");
    }

    [Fact]
    public void Shapes_must_fit_and_what_is_not_finite_shows()
    {
        SignMatrix signs = RandomSigns.Matrix(20, 40, 1);
        using SignBlocks packed = RandomSigns.Packed(signs, SignLayout.Words), lanes = RandomSigns.Packed(signs, SignLayout.Lanes);
        float[] zeros = new float[40], broken = new float[40], endless = new float[40];
        (broken[39], endless[3]) = (float.NaN, float.NegativeInfinity);
        using SignCodes codes = Quantized([zeros, broken, endless], []);
        using Matrix<float> y = new(3, 20), wrong = new(3, 21);
        SignCodeProducts.Multiply(packed, 0, 2, codes, [], y.View);
        Assert.All(y.Row(0).ToArray(), value => Assert.Equal(0f, value));
        Assert.All(y.RowSpan(1, 2).ToArray(), value => Assert.True(float.IsNaN(value)));
        Assert.Throws<ArgumentException>(() => SignCodeProducts.Multiply(packed, 0, 2, codes, [], wrong.View));
        Assert.Throws<ArgumentException>(() => SignCodeProducts.Multiply(lanes, 0, 2, codes, [], y.View));
        Assert.Throws<ArgumentException>(() => SignCodeProducts.Multiply(packed, 0, 2, codes, new float[19], y.View));
        Assert.Throws<ArgumentOutOfRangeException>(() => SignCodeProducts.Multiply(packed, 1, 2, codes, [], y.View));
        Assert.Throws<ArgumentException>(() => codes.Quantize(0, new float[41], []));
        Assert.Throws<ArgumentException>(() => codes.Quantize(0, zeros, new float[39]));
    }

    private static void CheckSize(int rows, int columns, int tokens, FloatSource source, bool guardAfter)
    {
        SignMatrix signs = RandomSigns.Matrix(rows, columns, rows + columns);
        float[][] x = [.. Enumerable.Range(0, tokens).Select(_ => source.Array(columns, 3f))];
        float[] factors = source.Array(columns), rowScales = source.Array(rows);
        using SignBlocks packed = RandomSigns.Packed(signs, SignLayout.Words);
        using var bytesGuard = new MatrixGuard<byte>(packed.Bytes, guardAfter);
        using SignCodes codes = Reserved(x);
        using var codesGuard = new GuardedSignInputs(codes, guardAfter);
        Quantize(codes, x, factors);
        using GuardedMatrix y = new(tokens, rows, guardAfter);
        float[]? reference = null;
        foreach ((string name, Product run) in Implementations)
        {
            for (int token = 0; token < tokens; token++) y.View.Row(token).Fill(float.NaN);
            run(packed, 0, packed.Blocks, codes, rowScales, y.View);
            float[] result = [.. Enumerable.Range(0, tokens).SelectMany(token => y.View.Row(token).ToArray())];
            FloatBits.AssertEqual(reference ??= result, result, $"{rows} x {columns}, {tokens} tokens, {name}");
        }

        float[][] scaled = [.. x.Select(values => values.Zip(factors, (value, factor) => value * factor).ToArray())];
        FloatBits.AssertNear(
            i => Exact(signs, i % rows, scaled[i / rows]) * rowScales[i % rows], reference!, i => columns * (scaled[i / rows].Max(Math.Abs) / 127 * 0.51 + 1e-6) + 1e-30, $"{rows} x {columns}");
    }

    private static SignCodes Quantized(float[][] x, float[] factors)
    {
        SignCodes codes = Reserved(x);
        Quantize(codes, x, factors);
        return codes;
    }

    private static SignCodes Reserved(float[][] x)
    {
        var codes = new SignCodes();
        codes.Reserve(x.Length, x[0].Length);
        return codes;
    }

    private static void Quantize(SignCodes codes, float[][] x, float[] factors)
    {
        for (int token = 0; token < x.Length; token++) codes.Quantize(token, x[token], factors);
    }

    private static double Exact(SignMatrix signs, int row, ReadOnlySpan<float> x)
    {
        double sum = 0;
        for (int column = 0; column < x.Length; column++) sum += signs[row, column] * (double)x[column];
        return sum;
    }

    private static unsafe float Scale(SignCodes codes, int span) => codes.ScalesAndSums[2 * span];

    private static unsafe float Sum(SignCodes codes, int span) => codes.ScalesAndSums[2 * span + 1];

    private static unsafe int Code(SignCodes codes, int column) => codes.Codes[column / 32 * 32 + column % 8 * 4 + column % 32 / 8];
}
