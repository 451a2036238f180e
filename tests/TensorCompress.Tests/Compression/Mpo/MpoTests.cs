using System.Numerics.Tensors;
using FsCheck;
using FsCheck.Fluent;
using TensorCompress.Compression;
using TensorCompress.Compression.Mpo;
using TensorCompress.Layers;
using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;
using TensorCompress.Threading;

namespace TensorCompress.Tests.Compression.Mpo;

public sealed class MpoTests
{
    private const int Unlimited = int.MaxValue;

    [Theory]
    [InlineData(1, 1, 2)]
    [InlineData(1, 13, 2)]
    [InlineData(13, 1, 2)]
    [InlineData(24, 36, 1)]
    [InlineData(24, 36, 2)]
    [InlineData(24, 36, 3)]
    [InlineData(36, 24, 4)]
    [InlineData(65, 128, 2)]
    [InlineData(61, 47, 2)]
    [InlineData(61, 47, 3)]
    [InlineData(7, 5, 6)]
    public void At_full_bond_dimension_the_matrix_comes_back(int rows, int columns, int sites)
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(rows, columns);
        using MatrixProductOperator chain = MpoFactorizer.Factorize(weights.View, MpoOptions.WithChi(Unlimited) with { Sites = sites });
        using var dense = new Matrix<float>(rows, columns);
        chain.ToDense(dense.View);
        Assert.InRange(MatrixOracle.RelativeError(weights.View, dense.View), 0, 1e-6);
        Assert.Equal(sites, chain.Cores.Count);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Error_is_reported_truly_and_never_rises_with_the_bond_dimension(int sites)
    {
        using Matrix<float> weights = RandomMatrices.Trained(48, 60);
        double last = double.PositiveInfinity;
        foreach (int chi in new[] { 1, 2, 3, 5, 8, 13, 21, 34, 55, 100 })
        {
            using MatrixProductOperator chain = MpoFactorizer.Factorize(weights.View, MpoOptions.WithChi(chi) with { Sites = sites });
            using Matrix<double> dense = Contract(chain);
            double error = Difference(weights, dense);
            Assert.Equal(error, chain.RelativeError!.Value, 1e-9);
            Assert.True(error <= last + 1e-7, $"chi {chi}: {error} after {last}");
            last = error;
        }
    }

    [Fact]
    public void Two_sites_are_as_good_as_the_singular_values_of_the_rearranged_matrix_allow()
    {
        // Rearranged by its definition: entry (o1 i1), (o2 i2) is W[o1 o2, i1 i2]. The best error of bond dimension chi is the tail of its singular values.
        using Matrix<float> weights = RandomMatrices.Gaussian(24, 30);
        int[] outputs = SiteFactors.Balanced(24, 2), inputs = SiteFactors.Balanced(30, 2);
        var rearranged = MathNet.Numerics.LinearAlgebra.Matrix<double>.Build.Dense(outputs[0] * inputs[0], outputs[1] * inputs[1], (row, column) =>
            weights[row / inputs[0] * outputs[1] + column / inputs[1], row % inputs[0] * inputs[1] + column % inputs[1]]);
        double[] values = [.. rearranged.Svd(false).S];
        double norm = Math.Sqrt(values.Sum(value => value * value));
        foreach (int chi in new[] { 1, 4, 9, 20 })
        {
            using MatrixProductOperator chain = MpoFactorizer.Factorize(weights.View, MpoOptions.WithChi(chi));
            Assert.Equal(Math.Sqrt(values.Skip(chi).Sum(value => value * value)) / norm, chain.RelativeError!.Value, 1e-6);
        }
    }

    /// <summary>Van Loan and Pitsianis (1993): two sites are the sum of chi Kronecker products that is nearest to W, and its terms are the singular vectors of the rearranged matrix.</summary>
    [Fact]
    public void Two_sites_are_the_nearest_sum_of_Kronecker_products()
    {
        const int Chi = 5;
        using Matrix<float> weights = RandomMatrices.Gaussian(24, 30);
        var factors = new SiteFactors([4, 6], [6, 5]);
        (int m2, int n1, int n2) = (factors.Outputs[1], factors.Inputs[0], factors.Inputs[1]);
        var rearranged = MathNet.Numerics.LinearAlgebra.Matrix<double>.Build.Dense(4 * 6, 6 * 5, (row, column) => weights[row / n1 * m2 + column / n2, row % n1 * n2 + column % n2]);
        var svd = rearranged.Svd();
        using MatrixProductOperator chain = MpoFactorizer.Factorize(weights.View, MpoOptions.WithChi(Chi) with { Factors = factors });
        using var dense = new Matrix<float>(24, 30);
        chain.ToDense(dense.View);
        for (int o = 0; o < 24; o++)
        {
            for (int i = 0; i < 30; i++)
            {
                double nearest = 0, terms = 0;
                for (int a = 0; a < Chi; a++)
                {
                    nearest += svd.S[a] * svd.U[o / m2 * n1 + i / n2, a] * svd.VT[a, o % m2 * n2 + i % n2];
                    terms += chain.Cores[0][o / m2, i / n2 * Chi + a] * chain.Cores[1][a * m2 + o % m2, i % n2] * Math.ScaleB(1, chain.ScaleExponent); // (A_a (x) B_a)[o, i]
                }

                Assert.Equal(nearest, dense[o, i], 1e-5);
                Assert.Equal(terms, dense[o, i], 1e-5);
            }
        }

        using MpoWeight weight = MpoWeight.FromOperator(chain, CoreFormat.F32);
        Assert.Equal("5 terms, 4 x 6 by 6 x 5", weight.Explain().Facts.ToDictionary()["Kronecker sum"]);
    }

    [Fact]
    public void More_sites_stay_within_the_bound_of_TT_SVD()
    {
        // The error is at most the root of the summed squared tails of the unfoldings (Oseledets 2011, theorem 2.2).
        using Matrix<float> weights = RandomMatrices.Trained(36, 36);
        SiteFactors factors = SiteFactors.Balanced(36, 36, 3);
        using MatrixProductOperator chain = MpoFactorizer.Factorize(weights.View, MpoOptions.WithChi(6) with { Sites = 3 });
        double bound = 0;
        for (int cut = 1; cut < 3; cut++)
        {
            int[] outputs = [factors.Outputs.Take(cut).Aggregate(1, (a, b) => a * b), factors.Outputs.Skip(cut).Aggregate(1, (a, b) => a * b)];
            int[] inputs = [factors.Inputs.Take(cut).Aggregate(1, (a, b) => a * b), factors.Inputs.Skip(cut).Aggregate(1, (a, b) => a * b)];
            using MatrixProductOperator two = MpoFactorizer.Factorize(weights.View, MpoOptions.WithChi(6) with { Factors = new SiteFactors(outputs, inputs) });
            bound += two.RelativeError!.Value * two.RelativeError!.Value;
        }

        Assert.InRange(chain.RelativeError!.Value, 0, Math.Sqrt(bound) + 1e-7);
    }

    [Fact]
    public void A_Kronecker_product_needs_bond_dimension_one()
    {
        using Matrix<float> a = RandomMatrices.Gaussian(6, 4), b = RandomMatrices.Gaussian(6, 9), weights = RandomMatrices.Make(36, 36, (i, j) => (double)a[i / 6, j / 9] * b[i % 6, j % 9]);
        using MatrixProductOperator chain = MpoFactorizer.Factorize(weights.View, MpoOptions.WithChi(1) with { Factors = new SiteFactors([6, 6], [4, 9]) });
        Assert.InRange(chain.RelativeError!.Value, 0, 1e-6);
        Assert.Equal(24 + 54, chain.ParameterCount);
    }

    [Fact]
    public void Zero_matrix_has_one_bond_and_zero_cores()
    {
        using var weights = new Matrix<float>(12, 20);
        using MatrixProductOperator chain = MpoFactorizer.Factorize(weights.View, MpoOptions.WithChi(5) with { Sites = 3 });
        using var dense = RandomMatrices.Gaussian(12, 20);
        chain.ToDense(dense.View);
        Assert.All(Enumerable.Range(0, 12), row => Assert.All(dense.Row(row).ToArray(), value => Assert.Equal(0, value)));
        Assert.Equal([1, 1, 1, 1], chain.BondDimensions);
        Assert.Equal(0, chain.RelativeError!.Value);
    }

    [Theory]
    [InlineData(2, 1f)]
    [InlineData(3, 1f)]
    [InlineData(4, 1e30f)]
    [InlineData(3, 1e-30f)]
    public void No_core_is_far_larger_than_the_others(int sites, float scale)
    {
        using Matrix<float> weights = RandomMatrices.Make(48, 64, (i, j) => scale * Math.Sin(i * 64 + j * j));
        using MatrixProductOperator chain = MpoFactorizer.Factorize(weights.View, MpoOptions.WithChi(12) with { Sites = sites });
        double[] norms = [.. chain.Cores.Select(core => Math.Sqrt(Enumerable.Range(0, (int)core.Rows).Sum(row => core.Row(row).ToArray().Sum(value => value * value))))];
        Assert.InRange(norms.Max() / norms.Min(), 1, sites == 2 ? 1.0001 : 4);
    }

    /// <summary>Rows, columns, sites, chi, type of cores.</summary>
    public static TheoryData<int, int, int, int, CoreFormat> Layers()
    {
        var data = new TheoryData<int, int, int, int, CoreFormat>();
        foreach ((int rows, int columns, int sites) in new[] { (1, 1, 2), (24, 24, 2), (96, 24, 2), (24, 96, 2), (61, 47, 2), (1, 17, 3), (64, 48, 3), (48, 64, 3), (31, 90, 4), (90, 31, 4), (30, 20, 1) })
        {
            foreach (int chi in new[] { 1, 7, Unlimited })
            {
                foreach (CoreFormat format in Enum.GetValues<CoreFormat>()) data.Add(rows, columns, sites, chi, format);
            }
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Layers))]
    public void Layer_multiplies_and_decodes_rows_without_building_the_matrix(int rows, int columns, int sites, int chi, CoreFormat format)
    {
        using Matrix<float> weights = RandomMatrices.Trained(rows, columns);
        using CompressedWeight weight = MpoMethod.Instance.Compress(weights.View, MpoOptions.WithChi(chi) with { Sites = sites, Cores = format }, new CompressionContext());
        using Matrix<float> dense = weight.ToDense(), input = RandomMatrices.Gaussian(9, columns, 3);
        using LinearLayer layer = weight.CreateLayer();
        using var context = new ComputeContext(ComputePool.Shared);
        using var result = new Matrix<float>(9, rows);
        layer.Forward(new ActivationBatch(input.View), result.View, context);
        Assert.InRange(MatrixOracle.LargestError(MatrixOracle.Product(dense.View, input.View), result.View), 0, 1e-5);
        using var decoded = new Matrix<float>(rows, columns);
        for (int row = 0; row < rows; row++) layer.DecodeRow(row, decoded.Row(row));
        Assert.InRange(MatrixOracle.RelativeError(dense.View, decoded.View), 0, 1e-6);
        Assert.Equal(MatrixOracle.RelativeError(weights.View, dense.View), ((MpoWeight)weight).Operator.RelativeError!.Value, 1e-6);
        Assert.InRange(layer.ResidentBytes, weight.StoredBytes, weight.StoredBytes + 64);
        using MemoryTensors stored = MemoryTensors.Of("l", weight);
        using CompressedWeight read = MpoMethod.Instance.Read(new StoredWeight("l", rows, columns, weight.Parameters, stored));
        using Matrix<float> again = read.ToDense();
        for (nint row = 0; row < rows; row++) Assert.True(dense.Row(row).SequenceEqual(again.Row(row)));
    }

    [Fact]
    public void Scratch_memory_does_not_grow_with_the_number_of_tokens()
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(96, 96), input = RandomMatrices.Gaussian(3000, 96, 3);
        using var layer = MpoLayer.FromDense(Values(weights), 96, 96, chi: 24);
        using var context = new ComputeContext(ComputePool.Shared);
        using var result = new Matrix<float>(3000, 96);
        layer.Forward(new ActivationBatch(input.View), result.View, context);
        Assert.InRange(context.ScratchBytes, 0, 8 << 20);
        using var last = new Matrix<float>(1, 96);
        layer.Forward(new ActivationBatch(input.RowRange(2999, 1)), last.View, context);
        Assert.True(last.Row(0).SequenceEqual(result.Row(2999)));
    }

    [Theory]
    [InlineData(96, 24)]
    [InlineData(24, 96)]
    public void The_cheaper_direction_is_taken(int rows, int columns)
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(rows, columns);
        using MpoLayer layer = MpoLayer.FromDense(Values(weights), rows, columns, chi: 10);
        // Two sites, r = 10: from the left r (m_1 n + m n_2), from the right r (n m_2 + m n_1), with whole panels of 16 for the choice.
        SiteFactors factors = SiteFactors.Balanced(rows, columns, 2);
        (int m1, int m2, int n1, int n2) = (factors.Outputs[0], factors.Outputs[1], factors.Inputs[0], factors.Inputs[1]);
        long left = 10 * (m1 * columns + rows * n2), right = 10 * (columns * m2 + rows * n1);
        bool takesLeft = m1 * n1 * Lanes(n2) + m1 * n2 * Lanes(m2) < columns * Lanes(m2) + n1 * m1 * Lanes(m2);
        Assert.Equal(takesLeft ? left : right, layer.MultiplicationsPerToken);

        static int Lanes(int digits) => (digits + 15) / 16 * 16;
    }

    [Theory]
    [InlineData(1.0)]
    [InlineData(0.75)]
    [InlineData(0.5)]
    [InlineData(0.2)]
    public void A_share_takes_the_largest_bond_dimension_that_fits(double share)
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(48, 36);
        using MatrixProductOperator chain = MpoFactorizer.Factorize(weights.View, MpoOptions.WithShare(share));
        Assert.True(chain.ParameterCount <= share * 48 * 36);
        Assert.True(chain.Factors.ParameterCount(chain.Factors.Bonds(chain.BondDimensions[1] + 1)) > share * 48 * 36);
    }

    [Fact]
    public void A_share_below_bond_dimension_one_names_the_least()
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(8, 8);
        var fault = Assert.Throws<ArgumentException>(() => MpoFactorizer.Factorize(weights.View, MpoOptions.WithShare(0.1)));
        Assert.Contains("the least is 0.3125", fault.Message, StringComparison.Ordinal); // (2 x 2 + 4 x 4) / 64
    }

    [Fact]
    public void Options_are_checked_when_they_are_made()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => MpoOptions.WithChi(0));
        foreach (double share in new[] { 0, -1, 1.01, double.NaN }) Assert.Throws<ArgumentOutOfRangeException>(() => MpoOptions.WithShare(share));
        Assert.Throws<ArgumentOutOfRangeException>(() => MpoOptions.WithChi(1) with { Sites = 0 });
        Assert.Throws<ArgumentOutOfRangeException>(() => MpoOptions.WithChi(1) with { Sites = 17 });
        Assert.Throws<ArgumentOutOfRangeException>(() => MpoOptions.WithChi(1) with { Sweeps = -1 });
        Assert.Throws<ArgumentOutOfRangeException>(() => MpoOptions.WithChi(1) with { Ridge = 0 });
        Assert.Throws<ArgumentOutOfRangeException>(() => MpoTruncation.ToTolerance(1));
        Assert.Throws<ArgumentOutOfRangeException>(() => MpoTruncation.ToBytes(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => MpoTruncation.ToBonds(3, 0));
        using Matrix<float> weights = RandomMatrices.Gaussian(10, 10);
        Assert.Throws<ArgumentException>(() => MpoFactorizer.Factorize(weights.View, MpoOptions.WithChi(4) with { Factors = new SiteFactors([3, 3], [2, 5]) }));
    }

    [Fact]
    public void Option_values_are_read_and_refused_by_name()
    {
        static MethodOptions Parse(params (string Name, string Value)[] values) => MpoMethod.Instance.ParseOptions(values.ToDictionary(v => v.Name, v => v.Value));
        Assert.Equal(MpoOptions.WithChi(16), Parse(("chi", "16")));
        Assert.Equal(MpoOptions.WithShare(0.5) with { Sites = 3, Cores = CoreFormat.F16 }, Parse(("share", "0.5"), ("sites", "3"), ("cores", "f16")));
        MethodOptions explicitly = Parse(("chi", "3"), ("output-factors", "4,6"), ("input-factors", "3,8"));
        Assert.Equal(MpoOptions.WithChi(3) with { Factors = new SiteFactors([4, 6], [3, 8]) }, explicitly);
        Assert.Equal(explicitly, Parse([.. explicitly.ToValues().Select(pair => (pair.Key, pair.Value))]));
        foreach (MpoOptions options in new[]
        {
            new MpoOptions(MpoTruncation.ToBonds(3, 4)) { Sites = 3, Cores = CoreFormat.Int4 },
            new MpoOptions(MpoTruncation.ToTolerance(0.1)) { Search = true, HeadDimension = 64, Fit = MpoFit.Kronecker },
            new MpoOptions(MpoTruncation.ToBytes(3_000_000_000)),
            new MpoOptions(MpoTruncation.ToBytes(12345)) { Sweeps = 3, Ridge = 0.01, Cores = CoreFormat.BF16 },
        })
            Assert.Equal(options, Parse([.. options.ToValues().Select(pair => (pair.Key, pair.Value))]));
        Assert.Throws<ArgumentException>(() => Parse(("chi", "4"), ("fit", "best")));
        Assert.Throws<ArgumentException>(() => Parse(("chi", "4"), ("cores", "int3")));
        Assert.Throws<ArgumentException>(() => Parse());
        Assert.Throws<ArgumentException>(() => Parse(("chi", "4"), ("share", "0.5")));
        Assert.Throws<ArgumentOutOfRangeException>(() => Parse(("chi", "0")));
        Assert.Throws<ArgumentOutOfRangeException>(() => Parse(("share", "1.5")));
        Assert.Throws<ArgumentException>(() => Parse(("chi", "4"), ("output-factors", "4,6")));
        Assert.Throws<ArgumentException>(() => Parse(("chi", "4"), ("output-factors", "4,x"), ("input-factors", "4,6")));
        Assert.Throws<ArgumentException>(() => Parse(("chi", "4"), ("sites", "3"), ("output-factors", "4,6"), ("input-factors", "4,6")));
    }

    [Fact]
    public void Bonds_at_their_cap_and_more_parameters_than_the_matrix_has_are_said()
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(24, 30);
        string? Choices(MpoOptions options)
        {
            using CompressedWeight weight = MpoMethod.Instance.Compress(weights.View, options, new CompressionContext());
            return weight.Choices;
        }

        // 4 x 5 and 6 x 6: bonds of 12 have 672 parameters of 720.
        Assert.Null(Choices(MpoOptions.WithChi(12)));
        Assert.Equal("150 % of the dense parameters", Choices(MpoOptions.WithChi(20) with { Factors = new SiteFactors([24, 1], [1, 30]) }));
        Assert.Equal("bond 1 is 20, the most it can use; 156 % of the dense parameters", Choices(MpoOptions.WithChi(100_000)));
        Assert.Equal("bond 1 is 4, the most it can use", Choices(new MpoOptions(MpoTruncation.ToBonds(1000, 3)) { Factors = new SiteFactors([2, 3, 4], [2, 3, 5]) }));
    }

    [Fact]
    public void Cores_beyond_F16_are_refused()
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(16, 16, 1, 1e12);
        Assert.Throws<ArgumentException>(() => MpoLayer.FromDense(Values(weights), 16, 16, MpoOptions.WithChi(4) with { Cores = CoreFormat.F16 }));
        MpoLayer.FromDense(Values(weights), 16, 16, MpoOptions.WithChi(4) with { Cores = CoreFormat.BF16 }).Dispose();
    }

    [Fact]
    public void One_parameter_makes_a_layer()
    {
        using Matrix<float> weights = RandomMatrices.LowRank(32, 32, 2);
        float[] values = Values(weights);
        using MpoLayer layer = MpoLayer.FromDense(values, 32, 32, chi: 16), same = MpoLayer.FromDense(new ReadOnlyTensorSpan<float>(values, [32, 32]), chi: 16);
        using MpoLayer three = MpoLayer.FromDense(values, 32, 32, MpoOptions.WithChi(16) with { Sites = 3 });
        Assert.Equal(layer.ResidentBytes, same.ResidentBytes);
        var a = new float[32];
        var b = new float[32];
        layer.DecodeRow(9, a);
        same.DecodeRow(9, b);
        Assert.Equal(a, b);
        Assert.Equal((32, 32), (three.OutputDimension, three.InputDimension));
    }

    [Fact]
    public void Random_shapes_sites_and_bonds_keep_the_promises()
    {
        Prop.ForAll(ArbMap.Default.ArbFor<ulong>(), seed =>
        {
            var random = new SeededRandom(seed);
            int rows = 1 + random.NextInt32(40), columns = 1 + random.NextInt32(40), sites = 1 + random.NextInt32(4), chi = 1 + random.NextInt32(20);
            using Matrix<float> weights = RandomMatrices.Gaussian(rows, columns, seed);
            using MatrixProductOperator chain = MpoFactorizer.Factorize(weights.View, MpoOptions.WithChi(chi) with { Sites = sites });
            using Matrix<double> dense = Contract(chain);
            bool bonds = chain.BondDimensions.All(bond => bond >= 1 && bond <= chi) && chain.ParameterCount == chain.Cores.Sum(core => core.Rows * core.Columns);
            return bonds && Math.Abs(Difference(weights, dense) - chain.RelativeError!.Value) < 1e-9;
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(150).WithReplay(2026, 7));
    }

    /// <summary>W[o_1..o_L, i_1..i_L] = sum over the bonds of the product of core elements, entry by entry from the definition.</summary>
    private static Matrix<double> Contract(MatrixProductOperator chain)
    {
        SiteFactors factors = chain.Factors;
        return RandomMatrices.MakeDouble(chain.OutputDimension, chain.InputDimension, (row, column) =>
        {
            double[] state = [1];
            for (int site = 0; site < factors.Sites; site++)
            {
                int o = row / factors.Outputs.Skip(site + 1).Aggregate(1, (a, b) => a * b) % factors.Outputs[site];
                int i = column / factors.Inputs.Skip(site + 1).Aggregate(1, (a, b) => a * b) % factors.Inputs[site];
                int right = chain.BondDimensions[site + 1];
                Matrix<double> core = chain.Cores[site];
                state = [.. Enumerable.Range(0, right).Select(r => state.Select((value, l) => value * core[l * factors.Outputs[site] + o, i * right + r]).Sum())];
            }

            return state[0];
        });
    }

    private static float[] Values(Matrix<float> weights) => [.. Enumerable.Range(0, (int)weights.Rows).SelectMany(row => weights.Row(row).ToArray())];

    private static double Difference(Matrix<float> exact, Matrix<double> approximate)
    {
        double error = 0, square = 0;
        for (nint i = 0; i < exact.Rows; i++)
        {
            for (nint j = 0; j < exact.Columns; j++)
            {
                double difference = exact[i, j] - approximate[i, j];
                error += difference * difference;
                square += (double)exact[i, j] * exact[i, j];
            }
        }

        return Math.Sqrt(error / square);
    }
}
