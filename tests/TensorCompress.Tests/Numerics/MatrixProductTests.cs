using System.Numerics;
using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;
using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;
using TensorCompress.Threading;

namespace TensorCompress.Tests.Numerics;

public sealed class MatrixProductTests : IDisposable
{
    private const double SingleRounding = 6e-8, DoubleRounding = 1.2e-16;

    private readonly ComputePool _three = new(3);

    // Every width with the tile heights that it is used with; those that the CPU lacks run in software.
    private static readonly (string Name, Product<float> Single, Product<double> Double, Product<double, float> Mixed)[] Widths =
    [
        ("512", BlockedProduct<Register512<float>, float, float, TileOfFourteen>.Run, BlockedProduct<Register512<double>, double, double, TileOfFourteen>.Run, BlockedProduct<Register512<double>, double, float, TileOfFourteen>.Run),
        ("256", BlockedProduct<Register256<float>, float, float, TileOfSix>.Run, BlockedProduct<Register256<double>, double, double, TileOfSix>.Run, BlockedProduct<Register256<double>, double, float, TileOfSix>.Run),
        ("128", BlockedProduct<Register128<float>, float, float, TileOfSix>.Run, BlockedProduct<Register128<double>, double, double, TileOfSix>.Run, BlockedProduct<Register128<double>, double, float, TileOfSix>.Run),
        ("128 with 32 registers", BlockedProduct<Register128<float>, float, float, TileOfFourteen>.Run, BlockedProduct<Register128<double>, double, double, TileOfFourteen>.Run, BlockedProduct<Register128<double>, double, float, TileOfFourteen>.Run),
        ("scalar", BlockedProduct<RegisterScalar<float>, float, float, TileOfSix>.Run, BlockedProduct<RegisterScalar<double>, double, double, TileOfSix>.Run, BlockedProduct<RegisterScalar<double>, double, float, TileOfSix>.Run),
    ];

    private delegate void Product<T>(StridedMatrix<T> a, StridedMatrix<T> b, StridedMatrix<T> c, T alpha, T beta, bool lowerOnly, ComputePool? pool)
        where T : unmanaged;

    private delegate void Product<T, TSource>(StridedMatrix<TSource> a, StridedMatrix<TSource> b, StridedMatrix<T> c, T alpha, T beta, bool lowerOnly, ComputePool? pool)
        where T : unmanaged
        where TSource : unmanaged;

    public void Dispose() => _three.Dispose();

    [Fact]
    public void Sizes_around_the_edges_of_tiles_agree_with_the_formula_and_have_the_same_bits_at_all_widths()
    {
        int[] sizes = [1, 2, 5, 6, 7, 13, 15, 17, 33, 65];
        int[] depths = [1, 3, 7, 8, 9, 16, 33, 255, 257];
        int turn = 0;
        foreach (int m in sizes)
        {
            foreach (int n in sizes)
            {
                int k = depths[turn % depths.Length];
                bool transposeA = turn % 2 == 1, transposeB = turn / 2 % 2 == 1;
                using Framed<float> a = Framed<float>.Random(m, k, transposeA, turn), b = Framed<float>.Random(k, n, transposeB, turn + 1000);
                CheckBoth(a, b, alpha: 1, beta: turn % 3, $"[{m}, {k}] [{k}, {n}]");
                turn++;
            }
        }
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public void Every_transpose_and_every_alpha_and_beta(bool transposeA, bool transposeB)
    {
        foreach ((int m, int n, int k) in new[] { (37, 50, 300), (3, 70, 520), (70, 3, 520) })
        {
            using Framed<float> a = Framed<float>.Random(m, k, transposeA, 1), b = Framed<float>.Random(k, n, transposeB, 2);
            foreach ((float alpha, float beta) in new[] { (1f, 0f), (1f, 1f), (-2.5f, 0f), (0.3f, -0.7f), (0f, 2f) })
            {
                CheckBoth(a, b, alpha, beta, $"[{m}, {k}] [{k}, {n}] {alpha} {beta}");
            }
        }
    }

    [Fact]
    public void Integers_are_exact()
    {
        using Framed<float> a = Framed<float>.Make(61, 300, true, (i, j) => (i * 7 + j * 3) % 19 - 9), b = Framed<float>.Make(300, 45, false, (i, j) => (i * 5 + j) % 17 - 8);
        foreach ((string name, Product<float> run, _, _) in Widths)
        {
            using var c = new Matrix<float>(61, 45);
            run(new(a.Operand), new(b.Operand), new(c), 1, 0, false, null);
            ProductOracle.AssertNear(a, b, null, 1, 0, 0, c.View, $"width {name}");
        }
    }

    [Theory]
    [InlineData(1, 1100, 700)]
    [InlineData(9, 900, 600)]
    [InlineData(700, 5, 640)]
    [InlineData(300, 300, 30)]
    [InlineData(530, 90, 270)]
    public void The_bits_do_not_depend_on_the_number_of_threads(int m, int n, int k)
    {
        using Framed<float> a = Framed<float>.Random(m, k, false, 1), b = Framed<float>.Random(k, n, true, 2);
        using ComputePool one = new(1), two = new(2);
        using Framed<float> expected = Framed<float>.Random(m, n, false, 3);
        MatrixProduct.Multiply(a.Operand, b.Operand, expected.View, 0.5f, 2f, one);
        ProductOracle.AssertNear(a, b, Framed<float>.Random(m, n, false, 3), 0.5, 2, SingleRounding, expected.View, "one thread");
        foreach (ComputePool pool in new[] { two, _three })
        {
            using Framed<float> c = Framed<float>.Random(m, n, false, 3);
            MatrixProduct.Multiply(a.Operand, b.Operand, c.View, 0.5f, 2f, pool);
            c.AssertSameBits(expected, $"{pool.Threads} threads");
        }
    }

    [Fact]
    public void An_element_has_the_same_bits_in_products_of_any_size()
    {
        using Framed<double> a = Framed<double>.Random(300, 400, false, 1), b = Framed<double>.Random(400, 60, false, 2);
        using var whole = new Matrix<double>(300, 60);
        MatrixProduct.Multiply(a.Operand, b.Operand, whole.View);
        foreach ((int row, int rows, int column, int columns) in new[] { (0, 300, 7, 1), (11, 1, 0, 60), (299, 1, 59, 1), (5, 16, 3, 40), (2, 290, 1, 17) })
        {
            using var part = new Matrix<double>(rows, columns);
            MatrixProduct.Multiply(a.View.RowRange(row, rows), b.View.ColumnRange(column, columns), part.View);
            for (int i = 0; i < rows; i++) Assert.True(whole.Row(row + i).Slice(column, columns).SequenceEqual(part.Row(i)), $"rows {row} + {rows}, columns {column} + {columns}: row {i}");
        }
    }

    // Up to sixteen rows take B as it lies, more pack it; a strip is a page of a row, 1024 floats.
    [Fact]
    public void Few_rows_have_the_bits_of_many_whichever_operand_is_turned()
    {
        using Framed<float> a = Framed<float>.Random(40, 260, false, 1), b = Framed<float>.Random(260, 2085, false, 2), whole = Framed<float>.Random(40, 2085, false, 3);
        using Framed<float> turned = Framed<float>.Make(260, 40, false, (i, j) => a[j, i]);
        MatrixProduct.Multiply(a.Operand, b.Operand, whole.View, 0.5f, 2f);
        foreach (int rows in new[] { 1, 2, 3, 15, 16, 17 })
        {
            using Framed<float> part = Framed<float>.Random(40, 2085, false, 3);
            using Matrix<float> tall = new(2085, rows);
            MatrixProduct.Multiply(a.View.RowRange(0, rows), b.Operand, part.View.RowRange(0, rows), 0.5f, 2f, _three);
            for (int i = 0; i < rows; i++) FloatBits.AssertEqual(whole.View.Row(i), part.View.Row(i), $"{rows} rows: row {i}");
            MatrixProduct.Multiply(b.Operand.Transposed, turned.View.ColumnRange(0, rows), tall.View);
            MatrixProduct.Multiply(a.View.RowRange(0, rows), b.Operand, part.View.RowRange(0, rows));
            for (int j = 0; j < 2085; j++) Assert.Equal(part[rows - 1, j], tall[j, rows - 1]);
        }
    }

    [Fact]
    public void NaN_and_infinity_spread_to_their_row_and_column_and_beta_zero_reads_nothing()
    {
        using Framed<float> a = Framed<float>.Make(20, 30, false, (_, _) => 1), b = Framed<float>.Make(30, 40, false, (_, _) => 1);
        a.View.Row(3)[29] = float.NaN;
        b.View.Row(0)[33] = float.PositiveInfinity;
        using Matrix<float> c = RandomMatrices.Constant(20, 40, float.NaN);
        MatrixProduct.Multiply(a.Operand, b.Operand, c.View);
        for (int i = 0; i < 20; i++)
        {
            for (int j = 0; j < 40; j++) Assert.Equal(i == 3 ? float.NaN : j == 33 ? float.PositiveInfinity : 30f, c[i, j]);
        }

        MatrixProduct.Multiply(a.Operand, b.Operand, c.View, alpha: 0);
        Assert.Equal((float.NaN, float.NaN, 0f), (c[3, 0], c[0, 33], c[0, 0]));
    }

    [Fact]
    public void Empty_products_are_empty_or_scale()
    {
        using Matrix<float> none = new(3, 0), rows = new(0, 4), c = RandomMatrices.Constant(3, 4, 5f), four = new(4, 0);
        MatrixProduct.Multiply(none, rows, c.View, 1, 2);
        Assert.All(Enumerable.Range(0, 3), i => Assert.True(c.Row(i).SequenceEqual([10f, 10f, 10f, 10f])));
        MatrixProduct.Multiply(none, rows, c.View, 1, 0);
        Assert.Equal(0f, c[2, 3]);
        MatrixProduct.Multiply(c, four, none.View);
        MatrixProduct.Multiply(rows, four, new Matrix<float>(0, 0).View);
    }

    [Fact]
    public void Shapes_must_fit()
    {
        using Matrix<float> a = new(3, 4), b = new(4, 5), c = new(3, 5), wrong = new(3, 6);
        MatrixProduct.Multiply(a, b, c.View);
        Assert.Throws<ArgumentException>(() => MatrixProduct.Multiply(a, b, wrong.View));
        Assert.Throws<ArgumentException>(() => MatrixProduct.Multiply(a, b.Transposed, c.View));
        Assert.Throws<ArgumentException>(() => MatrixProduct.SymmetricRankK(a, c.View));
    }

    [Theory]
    [InlineData(1, 5, false)]
    [InlineData(5, 300, true)]
    [InlineData(70, 33, false)]
    [InlineData(300, 40, true)]
    public void A_symmetric_product_is_the_product_with_the_transpose(int n, int k, bool transposed)
    {
        using Framed<float> a = Framed<float>.Random(n, k, transposed, 5);
        using Matrix<float> c = RandomMatrices.Make(n, n, (i, j) => i + j), expected = RandomMatrices.Make(n, n, (i, j) => i + j);
        MatrixProduct.Multiply(a.Operand, a.Operand.Transposed, expected.View, 0.5f, -1f);
        MatrixProduct.SymmetricRankK(a.Operand, c.View, 0.5f, -1f, _three);
        for (int i = 0; i < n; i++) FloatBits.AssertEqual(expected.Row(i), c.Row(i), $"row {i}");
    }

    [Theory]
    [InlineData(5, 300, true)]
    [InlineData(70, 33, false)]
    [InlineData(300, 40, true)]
    public void A_symmetric_product_of_floats_in_double_is_that_of_their_doubles(int n, int k, bool transposed)
    {
        using Framed<float> a = Framed<float>.Random(n, k, transposed, 5);
        using Framed<double> wide = a.Widen();
        using Matrix<double> c = new(n, n), expected = new(n, n);
        MatrixProduct.SymmetricRankK(wide.Operand, expected.View, 0.25, 0);
        MatrixProduct.SymmetricRankK(a.Operand, c.View, 0.25, 0, _three);
        for (int i = 0; i < n; i++) Assert.True(expected.Row(i).SequenceEqual(c.Row(i)), $"row {i}");
        foreach ((string name, _, _, Product<double, float> run) in Widths)
        {
            c.View.Row(0).Clear();
            run(new(a.Operand), new(a.Operand.Transposed), new(c), 0.25, 0, true, null);
            for (int i = 0; i < n; i++) Assert.True(expected.Row(i)[..(i + 1)].SequenceEqual(c.Row(i)[..(i + 1)]), $"row {i}, width {name}");
        }
    }

    [Fact]
    public void Memory_kept_between_products_is_bounded()
    {
        using Matrix<float> a = new(600, 600), c = new(600, 600);
        for (int i = 0; i < 5; i++) MatrixProduct.Multiply(a, a, c.View, pool: _three);
        long kept = PackBuffer.KeptBytes;
        for (int i = 0; i < 50; i++) MatrixProduct.Multiply(a, a, c.View, pool: _three);
        Assert.InRange(PackBuffer.KeptBytes, 1, 64 << 20);
        Assert.True(kept > 0);
    }

    private void CheckBoth(Framed<float> a, Framed<float> b, float alpha, float beta, string what)
    {
        using Framed<double> wideA = a.Widen(), wideB = b.Widen();
        Check(a, b, alpha, beta, SingleRounding, Widths.Select(width => (width.Name, width.Single)), what);
        Check(wideA, wideB, alpha, beta, DoubleRounding, Widths.Select(width => (width.Name, width.Double)), what);
    }

    private void Check<T>(Framed<T> a, Framed<T> b, T alpha, T beta, double rounding, IEnumerable<(string Name, Product<T> Run)> widths, string what)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        int m = (int)a.Operand.Rows, n = (int)b.Operand.Columns;
        using Framed<T> before = Framed<T>.Random(m, n, false, 77), expected = Framed<T>.Random(m, n, false, 77);
        BlockedProduct<RegisterScalar<T>, T, T, TileOfFour>.Run(new(a.Operand), new(b.Operand), new(expected.View), alpha, beta, false, _three);
        ProductOracle.AssertNear(a, b, before, double.CreateChecked(alpha), double.CreateChecked(beta), rounding, expected.View, what);
        foreach ((string name, Product<T> run) in widths)
        {
            using Framed<T> c = Framed<T>.Random(m, n, false, 77);
            run(new(a.Operand), new(b.Operand), new(c.View), alpha, beta, false, null);
            c.AssertSameBits(expected, $"{what}, width {name}");
        }
    }
}
