using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Kernels;

public sealed class LaneDotsTests
{
    internal delegate void Product(MatrixView<float> weights, MatrixView<float> x, MatrixView<float> destination);

    internal static readonly Widths<Product> Products = new(LaneDots.Core<Simd512, TileOfTwo>, LaneDots.Core<Simd256, TileOfOne>, LaneDots.Core<Simd128, TileOfOne>, LaneDots.Core<SimdScalar, TileOfOne>);

    private static readonly Widths<Product> Dots = new(Of<Simd512, Slice512>, Of<Simd256, Slice256>, Of<Simd128, Slice128>, Of<SimdScalar, SliceScalar>);

    [Fact]
    public void Results_have_the_bits_of_dot_products_at_every_width()
    {
        var source = new FloatSource(5);
        foreach (int k in new[] { 16, 32, 48, 128, 272 })
        {
            for (int shape = 0; shape < 9 * 3; shape++)
            {
                int rows = 1 + shape % 9, vectors = 16 * (1 + shape / 9);
                using GuardedMatrix weights = new(rows, k, shape % 2 == 0), x = new(k, vectors, shape % 2 == 0), results = new(rows, vectors, shape % 2 == 0);
                using Matrix<float> turned = new(vectors, k), expected = new(rows, vectors);
                for (int row = 0; row < rows; row++) source.Array(k).CopyTo(weights.View.Row(row));
                for (int i = 0; i < k * vectors; i++) x.View.Row(i / vectors)[i % vectors] = turned[i % vectors, i / vectors] = i % 7 == 0 ? -0f : source.Next();
                float[]? reference = null;
                for (int i = 0; i < Products.All.Count; i++)
                {
                    string what = $"{rows} x {k}, {vectors} vectors, width {Products.All[i].Name}";
                    for (int row = 0; row < rows; row++) results.View.Row(row).Fill(float.NaN);
                    Products.All[i].Run(weights.View, x.View, results.View);
                    Dots.All[i].Run(turned.View, weights.View, expected.View);
                    for (int row = 0; row < rows; row++) FloatBits.AssertEqual(expected.Row(row), results.View.Row(row), what);
                    if (FloatBits.FusedMultiplyAdd) FloatBits.AssertEqual(reference ??= expected.RowSpan(0, rows).ToArray(), expected.RowSpan(0, rows), what);
                }
            }
        }
    }

    [Fact]
    public void Shapes_must_fit()
    {
        using Matrix<float> weights = new(3, 32), x = new(32, 16), results = new(3, 16);
        LaneDots.Multiply(weights.View, x.View, results.View);
        Assert.Throws<ArgumentException>(() => LaneDots.Multiply(weights.View, x.RowRange(0, 16), results.View));
        Assert.Throws<ArgumentException>(() => LaneDots.Multiply(weights.View, x.View, results.RowRange(0, 2)));
        Assert.Throws<ArgumentException>(() => LaneDots.Multiply(weights.View.ColumnRange(0, 24), x.RowRange(0, 24), results.View));
        Assert.Throws<ArgumentException>(() => LaneDots.Multiply(weights.View, x.View.ColumnRange(0, 15), results.View.ColumnRange(0, 15)));
    }

    private static unsafe void Of<TSimd, TSlice>(MatrixView<float> weights, MatrixView<float> inputs, MatrixView<float> destination)
        where TSimd : struct, ISimd<TSimd>
        where TSlice : struct, ILaneSlice<TSlice> =>
        DotProducts.Core<TSimd, TSlice, SingleElement>(new WeightRows<SingleElement>((SingleElement*)weights.Pointer, weights.Stride, weights.Rows), inputs, destination);
}
