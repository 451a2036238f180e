using TensorCompress.Compression.Dbf;
using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Kernels;

public class SignSumsTests
{
    private delegate void Product(SignBlocks weights, int firstBlock, int blockCount, MatrixView<float> activations, MatrixView<float> destination);

    private static Widths<Product> Widths { get; } = new(SignSums.Core<Simd512>, SignSums.Core<Simd256>, SignSums.Core<Simd128>, SignSums.Core<SimdScalar>);

    [Fact]
    public void All_sizes_agree_with_the_formula_and_have_the_same_bits_at_every_width()
    {
        var source = new FloatSource(3);
        for (int size = 1; size <= 257; size++)
        {
            foreach ((int rows, int columns) in new[] { (1 + size * 7 % 50, size), (size, 1 + size * 11 % 40) })
            {
                const int Tokens = 2;
                SignMatrix signs = RandomSigns.Matrix(rows, columns, size);
                bool guardAfter = size % 2 == 0;
                using SignBlocks lanes = RandomSigns.Packed(signs, SignLayout.Lanes), words = RandomSigns.Packed(signs, SignLayout.Words);
                using MatrixGuard<byte> lanesGuard = new(lanes.Bytes, guardAfter), wordsGuard = new(words.Bytes, guardAfter);
                using GuardedMatrix x = new(Tokens, columns, guardAfter), y = new(Tokens, rows, guardAfter);
                for (int token = 0; token < Tokens; token++) source.Array(columns, 3f).CopyTo(x.View.Row(token));
                float[]? reference = null;
                foreach (((string width, Product run), SignBlocks packed) in Widths.All.SelectMany(kernel => new[] { (kernel, lanes), (kernel, words) }))
                {
                    string what = $"{rows} x {columns} in {packed.Layout}, width {width}";
                    run(packed, 0, packed.Blocks, x.View, y.View);
                    float[] result = [.. y.View.Row(0), .. y.View.Row(1)];
                    FloatBits.AssertNear(i => Exact(signs, i % rows, x.View.Row(i / rows)).Sum, result, i => 1e-6 * Exact(signs, i % rows, x.View.Row(i / rows)).Magnitudes, what);
                    FloatBits.AssertEqual(reference ??= result, result, what);
                }
            }
        }
    }

    [Fact]
    public void A_result_has_the_same_bits_alone_and_in_any_range_of_blocks()
    {
        const int Rows = 150, Columns = 600, Tokens = 3;
        using SignBlocks packed = RandomSigns.Packed(RandomSigns.Matrix(Rows, Columns, 1));
        using Matrix<float> x = new(Tokens, Columns, new FloatSource(2).Array(Tokens * Columns)), whole = new(Tokens, Rows), parts = new(Tokens, Rows);
        SignSums.Multiply(packed, 0, packed.Blocks, x.View, whole.View);
        for (int token = 0; token < Tokens; token++)
        {
            for (int block = 0, count = 1; block < packed.Blocks; block += count, count = 1 + count % 3)
                SignSums.Multiply(packed, block, Math.Min(count, packed.Blocks - block), x.RowRange(token, 1), parts.RowRange(token, 1));
        }

        FloatBits.AssertEqual(whole.RowSpan(0, Tokens), parts.RowSpan(0, Tokens), "in parts");
    }

    [Fact]
    public void Shapes_must_fit_and_what_is_not_finite_stays_so()
    {
        using SignBlocks packed = RandomSigns.Packed(RandomSigns.Matrix(20, 40, 1));
        using Matrix<float> x = new(2, 40), y = new(2, 20), wrong = new(2, 21);
        x[1, 33] = float.NaN;
        SignSums.Multiply(packed, 0, 2, x.View, y.View);
        Assert.All(y.Row(0).ToArray(), value => Assert.Equal(0f, value));
        Assert.All(y.Row(1).ToArray(), value => Assert.True(float.IsNaN(value)));
        Assert.Throws<ArgumentException>(() => SignSums.Multiply(packed, 0, 2, x.View, wrong.View));
        Assert.Throws<ArgumentException>(() => SignSums.Multiply(packed, 0, 2, wrong.View, y.View));
        Assert.Throws<ArgumentOutOfRangeException>(() => SignSums.Multiply(packed, 1, 2, x.View, y.View));
    }

    private static (double Sum, double Magnitudes) Exact(SignMatrix signs, int row, ReadOnlySpan<float> x)
    {
        double sum = 0, magnitudes = 0;
        for (int column = 0; column < x.Length; column++)
        {
            sum += signs[row, column] * (double)x[column];
            magnitudes += Math.Abs(x[column]);
        }

        return (sum, magnitudes);
    }
}
