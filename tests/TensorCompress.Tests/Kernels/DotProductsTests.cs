using System.Buffers.Binary;
using System.Runtime.InteropServices;
using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Kernels;

public class DotProductsTests
{
    private const float Sentinel = 12345.678f;

    private delegate void Product(MatrixView<float> weights, MatrixView<float> inputs, MatrixView<float> destination);

    private static Widths<Product> Widths { get; } = Of<SingleElement>(1);

    private static Widths<Product> Halves { get; } = Of<HalfElement>(2);

    private static Widths<Product> Bfloat16s { get; } = Of<Bfloat16Element>(2);

    [Fact]
    public void All_lengths_agree_with_the_formula_at_all_widths()
    {
        var source = new FloatSource(17);
        for (int k = 0; k <= 256; k++)
        {
            int rows = 1 + k % 9, tokens = 1 + k / 9 % 9;
            using Matrix<float> w = Surrounded(rows, k, () => source.Next()), x = Surrounded(tokens, k, () => source.Next());
            using Matrix<float> reference = Surrounded(tokens, rows, () => Sentinel);
            Widths.Bits512(Inner(w), Inner(x), Inner(reference));
            foreach ((string width, Product run) in Widths.All)
            {
                using Matrix<float> y = Surrounded(tokens, rows, () => Sentinel);
                run(Inner(w), Inner(x), Inner(y));
                for (int t = 0; t < tokens; t++)
                {
                    int token = t;
                    FloatBits.AssertNear(
                        r => Dot(Inner(w).Row(r), Inner(x).Row(token), magnitudes: false), Inner(y).Row(t),
                        r => 6e-8 * (k / 16 + 6) * Dot(Inner(w).Row(r), Inner(x).Row(token), magnitudes: true), $"k = {k}, {rows} x {tokens}, width {width}");
                }

                if (FloatBits.FusedMultiplyAdd) AssertSame(reference, y, $"k = {k}, {rows} x {tokens}, width {width}");
                else AssertFrame(y);
            }
        }
    }

    [Theory]
    [InlineData(ElementType.F16)]
    [InlineData(ElementType.BF16)]
    public void Weights_of_16_bits_give_the_bits_of_their_floats(ElementType type)
    {
        var source = new FloatSource(29);
        for (int k = 0; k <= 256; k++)
        {
            int rows = 1 + k % 9, tokens = 1 + k / 9 % 9;
            using var stored = new Matrix<float>(rows, (k + 1) / 2); // two elements to a float
            using Matrix<float> floats = new(rows, k), x = Surrounded(tokens, k, () => source.Next());
            for (int row = 0; row < rows; row++)
            {
                Span<byte> bytes = MemoryMarshal.AsBytes(stored.Row(row))[..(2 * k)];
                for (int i = 0; i < k; i++)
                    BinaryPrimitives.WriteUInt16LittleEndian(bytes[(2 * i)..], type == ElementType.F16 ? BitConverter.HalfToUInt16Bits((Half)(source.Next() * MathF.Pow(10, i % 9 - 7))) : Bfloat16.FromSingle(source.Next()));
                ElementConversion.ToSingle(type, bytes, floats.Row(row));
            }

            foreach ((string width, Product run) in (type == ElementType.F16 ? Halves : Bfloat16s).All)
            {
                using Matrix<float> expected = Surrounded(tokens, rows, () => Sentinel), y = Surrounded(tokens, rows, () => Sentinel);
                Widths.All.Single(entry => entry.Name == width).Run(floats.View, Inner(x), Inner(expected));
                run(stored.View, Inner(x), Inner(y));
                AssertSame(expected, y, $"k = {k}, width {width}");
            }
        }
    }

    [Fact]
    public unsafe void Every_finite_half_is_converted_exactly()
    {
        ushort* halves = stackalloc ushort[16];
        float* floats = stackalloc float[16];
        for (int bits = 0; bits <= ushort.MaxValue; bits++)
        {
            if (!Half.IsFinite(BitConverter.UInt16BitsToHalf((ushort)bits))) continue;
            for (int i = 0; i < 16; i++) halves[i] = (ushort)(i == bits % 16 ? bits : 0x3C00);
            int expected = BitConverter.SingleToInt32Bits((float)BitConverter.UInt16BitsToHalf((ushort)bits));
            Simd512.Store(HalfElement.Load<Simd512>((HalfElement*)halves), floats);
            Assert.Equal(expected, BitConverter.SingleToInt32Bits(floats[bits % 16]));
            Simd256.Store(HalfElement.Load<Simd256>((HalfElement*)halves), floats);
            Assert.Equal(expected, BitConverter.SingleToInt32Bits(floats[bits % 16]));
            Simd128.Store(HalfElement.Load<Simd128>((HalfElement*)halves), floats);
            Assert.Equal(expected, BitConverter.SingleToInt32Bits(floats[bits % 16]));
        }
    }

    [Fact]
    public void Small_integers_are_exact_at_all_widths()
    {
        var source = new FloatSource(23);
        using Matrix<float> w = Surrounded(13, 333, () => source.Integer(9)), x = Surrounded(11, 333, () => source.Integer(9));
        foreach ((string width, Product run) in Widths.All)
        {
            using Matrix<float> y = Surrounded(11, 13, () => Sentinel);
            run(Inner(w), Inner(x), Inner(y));
            for (int t = 0; t < 11; t++)
            {
                int token = t;
                FloatBits.AssertNear(r => Dot(Inner(w).Row(r), Inner(x).Row(token), magnitudes: false), Inner(y).Row(t), _ => 0, $"width {width}");
            }
        }
    }

    [Theory]
    [InlineData(96, 13, 9)]
    [InlineData(100, 13, 9)]
    [InlineData(7, 5, 9)]
    [InlineData(8, 37, 9)] // heads of small models: rows that fill half a step, or one
    [InlineData(13, 37, 9)]
    [InlineData(16, 32, 9)]
    [InlineData(600, 37, 41)] // more rows, tokens and columns than a panel holds
    public void A_result_has_the_same_bits_alone_in_any_batch_and_in_any_tile(int k, int rows, int tokens)
    {
        var source = new FloatSource(k);
        using Matrix<float> w = Surrounded(rows, k, () => source.Next()), x = Surrounded(tokens, k, () => source.Next());
        foreach ((string width, Product run) in Widths.All)
        {
            using Matrix<float> whole = Surrounded(tokens, rows, () => Sentinel);
            run(Inner(w), Inner(x), Inner(whole));
            for (int batch = 1; batch <= Math.Min(9, tokens); batch++)
            {
                using Matrix<float> part = Surrounded(batch, rows, () => Sentinel);
                run(Inner(w), Inner(x).RowRange(tokens - batch, batch), Inner(part));
                for (int t = 0; t < batch; t++) FloatBits.AssertEqual(Inner(whole).Row(tokens - batch + t), Inner(part).Row(t), $"batch of {batch}, width {width}");
            }

            for (int row = 0; row < rows; row++)
            {
                for (int count = 1; count <= rows - row; count++)
                {
                    using Matrix<float> part = Surrounded(1, count, () => Sentinel);
                    run(Inner(w).RowRange(row, count), Inner(x).RowRange(tokens - 1, 1), Inner(part));
                    FloatBits.AssertEqual(Inner(whole).Row(tokens - 1).Slice(row, count), Inner(part).Row(0), $"rows {row} + {count}, width {width}");
                }
            }
        }
    }

    [Fact]
    public void A_NaN_or_infinity_reaches_the_results_of_its_row_and_token_only()
    {
        foreach (float bad in new[] { float.NaN, float.PositiveInfinity })
        {
            foreach ((string width, Product run) in Widths.All)
            {
                using Matrix<float> w = Surrounded(6, 35, () => 1f), x = Surrounded(5, 35, () => 1f), y = Surrounded(5, 6, () => Sentinel);
                Inner(w).Row(4)[34] = bad;
                Inner(x).Row(2)[0] = bad;
                run(Inner(w), Inner(x), Inner(y));
                for (int t = 0; t < 5; t++)
                {
                    for (int r = 0; r < 6; r++) Assert.True(float.IsFinite(Inner(y).Row(t)[r]) == (t != 2 && r != 4), $"width {width}, token {t}, row {r}: {Inner(y).Row(t)[r]}");
                }
            }
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Nothing_outside_the_matrices_is_touched(bool guardAfter)
    {
        for (int k = 0; k <= 50; k++)
        {
            foreach ((int rows, int tokens) in new[] { (1, 1), (3, 2), (4, 1), (4, 4), (7, 9) })
            {
                using GuardedMatrix w = new(rows, k, guardAfter), x = new(tokens, k, guardAfter), twice = new(tokens, 2 * k, guardAfter), y = new(tokens, rows, guardAfter);
                foreach ((_, Product run) in Widths.All) run(w.View, x.View, y.View);
                foreach ((_, Product run) in Halves.All.Concat(Bfloat16s.All)) run(w.View, twice.View, y.View);
            }
        }
    }

    [Fact]
    public void Shapes_must_fit()
    {
        using Matrix<byte> halves = new(3, 8), odd = new(3, 10);
        using Matrix<float> w = new(3, 4), x = new(2, 4), y = new(2, 3), wrong = new(2, 5);
        DotProducts.Multiply(w.View, x.View, y.View);
        Assert.Throws<ArgumentException>(() => DotProducts.Multiply(w.View, wrong.View, y.View));
        Assert.Throws<ArgumentException>(() => DotProducts.Multiply(w.View, x.View, wrong.View));
        Assert.Throws<ArgumentException>(() => DotProducts.Multiply(w.View, x.RowRange(0, 1), y.View));
        DotProducts.Multiply(halves.View, ElementType.F16, x.View, y.View);
        Assert.Throws<ArgumentException>(() => DotProducts.Multiply(odd.View, ElementType.F16, x.View, y.View));
        Assert.Throws<ArgumentException>(() => DotProducts.Multiply(halves.View, ElementType.I16, x.View, y.View));
    }

    /// <summary>The kernel over weights that lie, several to a float, in a matrix of floats.</summary>
    private static unsafe Widths<Product> Of<TElement>(int perFloat)
        where TElement : unmanaged, IWeightElement<TElement>
    {
        WeightRows<TElement> Rows(MatrixView<float> w) => new((TElement*)w.Pointer, w.Stride * perFloat, w.Rows);
        return new(
            (w, x, y) => DotProducts.Core<Simd512, Slice512, TElement>(Rows(w), x, y),
            (w, x, y) => DotProducts.Core<Simd256, Slice256, TElement>(Rows(w), x, y),
            (w, x, y) => DotProducts.Core<Simd128, Slice128, TElement>(Rows(w), x, y),
            (w, x, y) => DotProducts.Core<SimdScalar, SliceScalar, TElement>(Rows(w), x, y));
    }

    private static double Dot(ReadOnlySpan<float> a, ReadOnlySpan<float> b, bool magnitudes)
    {
        double sum = 0;
        for (int i = 0; i < a.Length; i++) sum += magnitudes ? Math.Abs((double)a[i] * b[i]) : (double)a[i] * b[i];
        return sum;
    }

    /// <summary>A matrix in a frame of NaN (of the sentinel where the inside is the sentinel): what is read beside it poisons the result, what is written beside it shows.</summary>
    private static Matrix<float> Surrounded(int rows, int columns, Func<float> next)
    {
        var matrix = new Matrix<float>(rows + 2, columns + 3);
        for (int row = 0; row < rows + 2; row++) matrix.Row(row).Fill(float.NaN);
        for (int row = 0; row < rows; row++)
        {
            foreach (ref float value in Inner(matrix).Row(row)) value = next();
        }

        return matrix;
    }

    private static MatrixView<float> Inner(Matrix<float> framed) => framed.View.RowRange(1, framed.Rows - 2).ColumnRange(1, framed.Columns - 3);

    private static void AssertSame(Matrix<float> expected, Matrix<float> actual, string what)
    {
        for (int row = 0; row < expected.Rows; row++) FloatBits.AssertEqual(expected.Row(row), actual.Row(row), what);
        AssertFrame(actual);
    }

    private static void AssertFrame(Matrix<float> framed)
    {
        int outside = 0;
        for (int row = 0; row < framed.Rows; row++)
        {
            foreach (float value in framed.Row(row)) outside += float.IsNaN(value) ? 1 : 0;
        }

        Assert.Equal(framed.Rows * framed.Columns - (framed.Rows - 2) * (framed.Columns - 3), outside);
    }
}
