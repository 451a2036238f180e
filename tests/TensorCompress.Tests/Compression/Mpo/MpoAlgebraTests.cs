using TensorCompress.Compression.Mpo;
using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Compression.Mpo;

/// <summary>Identities of chains of cores, against the dense matrices multiplied, added and normed by plain loops.</summary>
public sealed class MpoAlgebraTests
{
    private const double Tolerance = 1e-5;

    /// <summary>Rows, columns, output factors, input factors: without and with padding, one to four sites.</summary>
    public static TheoryData<int, int, int[], int[]> Shapes() => new()
    {
        { 12, 20, [12], [20] },
        { 24, 30, [4, 6], [5, 6] },
        { 23, 29, [4, 6], [5, 6] },
        { 36, 24, [3, 3, 4], [2, 3, 4] },
        { 35, 22, [3, 3, 4], [2, 3, 4] },
        { 16, 24, [2, 2, 2, 2], [2, 2, 2, 3] },
        { 13, 19, [2, 2, 2, 2], [2, 2, 2, 3] },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Sums_scales_and_inner_products_are_those_of_the_matrices(int rows, int columns, int[] outputs, int[] inputs)
    {
        using MatrixProductOperator a = Random(rows, columns, outputs, inputs, 1), b = Random(rows, columns, outputs, inputs, 2);
        using Matrix<float> x = Dense(a), y = Dense(b);
        using MatrixProductOperator sum = a.Add(b), difference = a.Subtract(b), scaled = a.Scale(-2.5);
        AssertDense(sum, (i, j) => x[i, j] + (double)y[i, j]);
        AssertDense(difference, (i, j) => x[i, j] - (double)y[i, j]);
        AssertDense(scaled, (i, j) => -2.5 * x[i, j]);
        double inner = 0, square = 0;
        for (int i = 0; i < rows; i++)
        {
            for (int j = 0; j < columns; j++)
            {
                inner += (double)x[i, j] * y[i, j];
                square += (double)x[i, j] * x[i, j];
            }
        }

        using Matrix<float> other = Dense(b);
        Assert.Equal(inner, a.InnerProduct(b), Tolerance * Math.Sqrt(square) * b.Norm());
        Assert.Equal(Math.Sqrt(square), a.Norm(), Tolerance * Math.Sqrt(square));
        using MatrixProductOperator nothing = a.Subtract(a), cut = nothing.Round(MpoTruncation.ToTolerance(0));
        Assert.True(cut.Norm() <= 1e-12 * a.Norm());
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Products_transposes_and_vectors_are_those_of_the_matrices(int rows, int columns, int[] outputs, int[] inputs)
    {
        using MatrixProductOperator a = Random(rows, columns, outputs, inputs, 1), b = Random(rows, columns, outputs, inputs, 2), transposed = b.Transpose();
        using Matrix<float> x = Dense(a), y = Dense(b);
        AssertDense(transposed, (i, j) => y[j, i]);
        using MatrixProductOperator product = a.Multiply(transposed);
        AssertDense(product, (i, j) => Enumerable.Range(0, columns).Sum(k => (double)x[i, k] * y[j, k]));
        double[] vector = [.. Enumerable.Range(0, columns).Select(j => Math.Sin(j + 1.0))], result = a.Apply(vector);
        double scale = result.Max(Math.Abs);
        for (int i = 0; i < rows; i++) Assert.Equal(Enumerable.Range(0, columns).Sum(j => x[i, j] * vector[j]), result[i], Tolerance * scale);
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Canonical_forms_are_orthogonal_on_both_sides_of_the_centre_and_change_nothing(int rows, int columns, int[] outputs, int[] inputs)
    {
        using MatrixProductOperator a = Random(rows, columns, outputs, inputs, 3);
        using Matrix<float> x = Dense(a);
        for (int center = 0; center < outputs.Length; center++)
        {
            using MatrixProductOperator form = a.Canonical(center);
            AssertDense(form, (i, j) => x[i, j]);
            Assert.Equal(center, form.OrthogonalityCenter);
            for (int site = 0; site < outputs.Length; site++)
            {
                if (site != center) AssertOrthogonal(form, site, fromLeft: site < center);
            }
        }

        using MatrixProductOperator balanced = a.Balanced();
        AssertDense(balanced, (i, j) => x[i, j]);
        Assert.Throws<ArgumentOutOfRangeException>(() => a.Canonical(outputs.Length));
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Rounding_says_exactly_what_it_loses(int rows, int columns, int[] outputs, int[] inputs)
    {
        using MatrixProductOperator a = Random(rows, columns, outputs, inputs, 4), b = Random(rows, columns, outputs, inputs, 5), sum = a.Add(b);
        bool isPadded = rows != outputs.Aggregate(1, (x, y) => x * y) || columns != inputs.Aggregate(1, (x, y) => x * y);
        foreach (MpoTruncation truncation in new[] { MpoTruncation.ToChi(1), MpoTruncation.ToChi(4), MpoTruncation.ToTolerance(0.3), MpoTruncation.ToTolerance(0.05) })
        {
            using MatrixProductOperator rounded = sum.Round(truncation), difference = rounded.Subtract(sum);
            double error = difference.Norm() / sum.Norm();
            if (isPadded) Assert.True(error <= rounded.DiscardedError * (1 + 1e-9) + 1e-12, $"{error} where {rounded.DiscardedError} is the bound");
            else Assert.Equal(error, rounded.DiscardedError!.Value, Math.Max(Tolerance * error, 1e-12));
            if (truncation.Tolerance is double tolerance) Assert.True(error <= tolerance * (1 + 1e-9));
            Assert.All(rounded.BondDimensions, bond => Assert.True(bond <= (truncation.Chi ?? int.MaxValue)));
        }

        using MatrixProductOperator exact = sum.Round(MpoTruncation.ToTolerance(0)), nothing = exact.Subtract(sum);
        Assert.True(nothing.Norm() <= 1e-10 * sum.Norm());
        Assert.True(exact.ParameterCount <= sum.ParameterCount);
    }

    [Fact]
    public void With_padding_rounding_keeps_the_tolerance_whatever_the_padding_holds()
    {
        foreach (ulong seed in Enumerable.Range(1, 30).Select(seed => (ulong)seed))
        {
            using MatrixProductOperator a = Random(9, 13, [2, 2, 2, 2], [2, 2, 2, 3], seed), rounded = a.Round(MpoTruncation.ToTolerance(0.3)), difference = rounded.Subtract(a);
            Assert.InRange(difference.Norm() / a.Norm(), 0, rounded.DiscardedError!.Value + 1e-12);
            Assert.InRange(rounded.DiscardedError.Value, 0, 0.3);
            using MatrixProductOperator same = a.Round(MpoTruncation.ToChi(a.BondDimensions.Max()));
            Assert.InRange(same.DiscardedError!.Value, 0, 1e-12);
        }
    }

    [Fact]
    public void An_operator_that_is_zero_but_for_its_padding_is_not_cut_by_a_tolerance()
    {
        // Row 1 and column 1 are padding, the one element of W is 0: any cut could make it another.
        using Matrix<double> first = new(2, 4, [1, 0, 0, 1, 1, 0, 0, 2]), second = new(2, 1, [0, 1]);
        using MatrixProductOperator a = MatrixProductOperator.FromCores(1, 1, new SiteFactors([2, 1], [2, 1]), [1, 2, 1], [first, second]);
        Assert.Equal(0, a.Norm());
        using MatrixProductOperator rounded = a.Round(MpoTruncation.ToTolerance(0.3));
        Assert.Equal(0, rounded.DiscardedError);
    }

    [Theory]
    [InlineData(1e-30, 1e30)]
    [InlineData(1e300, 1e300)]
    [InlineData(1e-300, 1e-300)]
    public void Scales_beyond_every_float_neither_vanish_nor_overflow(double first, double second)
    {
        using MatrixProductOperator a = Random(16, 16, [2, 2, 2, 2], [2, 2, 2, 2], 6), b = Random(16, 16, [2, 2, 2, 2], [2, 2, 2, 2], 7);
        using MatrixProductOperator scaledA = a.Scale(first), scaledB = b.Scale(second), product = scaledA.Multiply(scaledB), plain = a.Multiply(b);
        Assert.Equal(plain.LogNorm() + Math.Log2(first) + Math.Log2(second), product.LogNorm(), 1e-6);
        using MatrixProductOperator form = product.Canonical(2), back = form.Scale(1 / first), again = back.Scale(1 / second), difference = again.Subtract(plain);
        Assert.True(difference.Norm() <= 1e-9 * plain.Norm());
    }

    [Fact]
    public void A_hundredfold_product_of_tiny_cores_keeps_its_norm()
    {
        using Matrix<double> core = new(2, 2, [1e-200, 0, 0, 1e-200]);
        var factors = new SiteFactors([.. Enumerable.Repeat(2, 8)], [.. Enumerable.Repeat(2, 8)]);
        using MatrixProductOperator tiny = MatrixProductOperator.FromCores(256, 256, factors, [.. Enumerable.Repeat(1, 9)], [.. Enumerable.Repeat(core, 8)]);
        Assert.Equal(8 * Math.Log2(1e-200) + 4, tiny.LogNorm(), 1e-6); // the identity has norm 2^4
        Assert.Equal(0, tiny.Norm());
    }

    [Fact]
    public void Singular_values_of_the_bonds_have_the_norm_and_are_those_of_the_unfolding()
    {
        using MatrixProductOperator a = Random(24, 30, [4, 6], [5, 6], 8);
        using Matrix<float> x = Dense(a);
        double[][] spectra = a.BondSpectra();
        double[] values = [.. spectra.Single()];
        double[] expected = [.. MathNet.Numerics.LinearAlgebra.Matrix<double>.Build.Dense(20, 36, (row, column) => x[row / 5 * 6 + column / 6, row % 5 * 6 + column % 6]).Svd(false).S];
        for (int k = 0; k < values.Length; k++) Assert.Equal(expected[k], values[k], 1e-5 * expected[0]);
        Assert.Equal(a.Norm(), Math.Sqrt(values.Sum(value => value * value)), 1e-6);
    }

    [Fact]
    public void What_does_not_fit_is_refused()
    {
        using MatrixProductOperator a = Random(24, 30, [4, 6], [5, 6], 1), b = Random(24, 30, [6, 4], [5, 6], 1), c = Random(30, 24, [6, 5], [4, 6], 1);
        Assert.Throws<ArgumentException>(() => a.Add(b));
        Assert.Throws<ArgumentException>(() => a.InnerProduct(b));
        Assert.Throws<ArgumentException>(() => a.Multiply(b));
        Assert.Throws<ArgumentException>(() => a.Multiply(c));
        Assert.Throws<ArgumentException>(() => a.Apply(new double[29]));
        Assert.Throws<ArgumentException>(() => a.Round(MpoTruncation.ToBonds(3, 3)));
        Assert.Throws<ArgumentException>(() => a.Round(MpoTruncation.ToShare(0.0001)));
        Assert.Throws<ArgumentException>(() => a.Round(MpoTruncation.ToBytes(10)));
        Assert.Throws<ArgumentOutOfRangeException>(() => a.Scale(double.NaN));
        using Matrix<double> core = new(4, 5), bad = new(4, 5, [.. Enumerable.Repeat(double.NaN, 20)]);
        Assert.Throws<ArgumentException>(() => MatrixProductOperator.FromCores(4, 5, new SiteFactors([4], [5]), [1, 2], [core]));
        Assert.Throws<ArgumentException>(() => MatrixProductOperator.FromCores(4, 5, new SiteFactors([4], [5]), [1, 1], []));
        Assert.Throws<ArgumentException>(() => MatrixProductOperator.FromCores(4, 5, new SiteFactors([4], [5]), [1, 1], [bad]));
        Assert.Throws<ArgumentException>(() => MatrixProductOperator.FromCores(4, 5, new SiteFactors([4], [5]), [1, 1], [null!]));
    }

    private static MatrixProductOperator Random(int rows, int columns, int[] outputs, int[] inputs, ulong seed)
    {
        var random = new SeededRandom(seed);
        var factors = new SiteFactors(outputs, inputs);
        int[] bonds = [1, .. Enumerable.Range(1, outputs.Length - 1).Select(_ => 2 + random.NextInt32(3)), 1];
        Matrix<double>[] cores = [.. Enumerable.Range(0, outputs.Length).Select(k => RandomMatrices.MakeDouble(bonds[k] * outputs[k], inputs[k] * bonds[k + 1], (_, _) => random.NextGaussian()))];
        MatrixProductOperator result = MatrixProductOperator.FromCores(rows, columns, factors, bonds, cores);
        foreach (Matrix<double> core in cores) core.Dispose();
        return result;
    }

    private static Matrix<float> Dense(MatrixProductOperator chain)
    {
        var dense = new Matrix<float>(chain.OutputDimension, chain.InputDimension);
        chain.ToDense(dense.View);
        return dense;
    }

    private static void AssertDense(MatrixProductOperator chain, Func<int, int, double> expected)
    {
        using Matrix<float> dense = Dense(chain);
        double error = 0, square = 0;
        for (int i = 0; i < dense.Rows; i++)
        {
            for (int j = 0; j < dense.Columns; j++)
            {
                error += Math.Pow(dense[i, j] - expected(i, j), 2);
                square += Math.Pow(expected(i, j), 2);
            }
        }

        Assert.True(error <= Tolerance * Tolerance * square, $"{Math.Sqrt(error / square)}");
    }

    /// <summary>sum over (l, o, i) of A[l, o, i, r] A[l, o, i, r'] is a unit matrix, or over (o, i, r) for (l, l').</summary>
    private static void AssertOrthogonal(MatrixProductOperator chain, int site, bool fromLeft)
    {
        Matrix<double> core = chain.Cores[site];
        int left = chain.BondDimensions[site], right = chain.BondDimensions[site + 1], outputs = chain.Factors.Outputs[site], bond = fromLeft ? right : left;
        for (int a = 0; a < bond; a++)
        {
            for (int b = 0; b < bond; b++)
            {
                double sum = 0;
                for (int row = 0; row < left * outputs; row++)
                {
                    for (int column = 0; column < core.Columns; column++)
                    {
                        if (fromLeft && column % right == a) sum += core[row, column] * core[row, column - a + b];
                        if (!fromLeft && row / outputs == a) sum += core[row, column] * core[row + (b - a) * outputs, column];
                    }
                }

                Assert.Equal(a == b ? 1 : 0, sum, 1e-10);
            }
        }
    }
}
