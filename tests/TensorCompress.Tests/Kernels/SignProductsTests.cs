using TensorCompress.Compression.Dbf;
using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;
using TensorCompress.Threading;

namespace TensorCompress.Tests.Kernels;

public class SignProductsTests
{
    private delegate void Product(SignBlocks weights, int firstBlock, int blockCount, SignTables tables, ReadOnlySpan<float> rowScales, MatrixView<float> destination);

    private static IReadOnlyList<(string Name, SignLayout Layout, int VectorBytes, Product Run)> Implementations { get; } =
    [
        ("scalar", SignLayout.Lanes, 16, SignProducts.Scalar),
        ("scalar, words", SignLayout.Words, 16, SignProducts.Scalar),
        ("512, one table of 64", SignLayout.Words, 64, SignProducts.Core<Simd512, PermutedLookup512>),
        ("512", SignLayout.Lanes, 64, SignProducts.Core<Simd512, Lookup512>),
        ("256", SignLayout.Lanes, 32, SignProducts.Core<Simd256, Lookup256>),
        ("128", SignLayout.Lanes, 16, SignProducts.Core<Simd128, Lookup128>),
    ];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void All_sizes_agree_with_the_formula_and_have_the_same_bits_at_every_width(int digits)
    {
        var source = new FloatSource(digits);
        for (int size = 1; size <= 257; size++)
        {
            foreach ((int rows, int columns) in new[] { (1 + size * 7 % 90, size), (size, 1 + size * 11 % 40) })
                CheckSize(rows, columns, 1 + size % 6, digits, source, guardAfter: size % 2 == 0);
        }

        foreach (int columns in new[] { 1023, 1024, 1025, 2100 }) CheckSize(70, columns, 5, digits, source, guardAfter: true);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Sums_stay_exact_at_the_extremes(int digits)
    {
        foreach (int columns in new[] { 1024, 1000, 4096 })
        {
            foreach (float sign in new[] { 1f, -1f })
            {
                foreach ((float even, float odd) in new[] { (3f, 3f), (-3f, -3f), (3f, -3f), (0f, 3f) })
                {
                    SignMatrix signs = RandomSigns.Constant(33, columns, sign);
                    float[] x = [.. Enumerable.Range(0, columns).Select(i => i % 2 == 0 ? even : odd)];
                    double exact = sign * x.Sum(value => (double)value), bound = columns / 4 * Tolerance(digits, 4 * x.Max(Math.Abs));
                    foreach ((string name, SignLayout layout, int vectorBytes, Product run) in Implementations)
                    {
                        using SignBlocks packed = RandomSigns.Packed(signs, layout);
                        using SignTables tables = Build([x, x, x, x, x], [], digits, vectorBytes);
                        using var y = new Matrix<float>(5, 33);
                        run(packed, 0, packed.Blocks, tables, [], y.View);
                        Assert.All(y.RowSpan(0, 5).ToArray(), value => Assert.True(Math.Abs(value - exact) <= bound, $"{name}: {columns} columns of {even} and {odd} give {value}, not {exact}"));
                        AssertEntriesAreFull(tables, even, odd);
                    }
                }
            }
        }

        // The test is one of extremes: entries reach both ends of their range.
        void AssertEntriesAreFull(SignTables tables, float even, float odd)
        {
            if (even == 0 || odd == 0) return;
            (int smallest, int largest) = Range(tables);
            Assert.True(largest >= (digits == 1 ? 254 : 32768 + 32000) && smallest <= (digits == 1 ? 2 : 32768 - 32000), $"entries from {smallest} to {largest}");
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void An_outlier_costs_precision_in_its_chunk_alone_and_no_size_overflows(int digits)
    {
        const int Rows = 40, Columns = 3000, Outlier = 1500;
        SignMatrix signs = RandomSigns.Matrix(Rows, Columns, 6);
        float[] values = new FloatSource(digits + 60).Array(Columns, 3f);
        foreach ((float unit, float outlier) in new[] { (1f, 1e6f), (1f, -1e6f), (1e-25f, 1e-20f), (1e30f, 1e33f), (1e-42f, 1e-40f), (1f, 1f) })
        {
            float[] x = [.. values.Select((value, i) => i == Outlier ? outlier : value * unit)];
            double bound = 1e-30 * Columns; // what is smaller counts as 0
            for (int start = 0; start < Columns; start += SignTables.ChunkColumns)
            {
                float[] chunk = x[start..Math.Min(Columns, start + SignTables.ChunkColumns)];
                bound += chunk.Length / 4 * Tolerance(digits, chunk.Chunk(4).Max(four => four.Sum(value => (double)Math.Abs(value)))) + 1e-6 * chunk.Sum(value => (double)Math.Abs(value));
            }

            float[]? reference = null;
            foreach ((string name, SignLayout layout, int vectorBytes, Product run) in Implementations)
            {
                using SignBlocks packed = RandomSigns.Packed(signs, layout);
                using SignTables tables = Build([x], [], digits, vectorBytes);
                using var y = new Matrix<float>(1, Rows);
                run(packed, 0, packed.Blocks, tables, [], y.View);
                float[] result = y.Row(0).ToArray();
                FloatBits.AssertNear(row => Exact(signs, row, x), result, _ => bound, $"{name}, outlier {outlier} among {unit}");
                FloatBits.AssertEqual(reference ??= result, result, name);
            }
        }
    }

    [Fact]
    public void Two_digits_lose_less_than_a_ten_thousandth_and_one_about_a_hundredth()
    {
        const int Rows = 512, Columns = 4096;
        var source = new FloatSource(9);
        float[] x = [.. Enumerable.Range(0, Columns).Select(_ => source.Next() + source.Next() + source.Next() + source.Next())];
        SignMatrix signs = RandomSigns.Matrix(Rows, Columns, 8);
        using SignBlocks packed = RandomSigns.Packed(signs);
        foreach ((int digits, double bound) in new[] { (2, 1e-4), (1, 0.012) })
        {
            using SignTables tables = Build([x], [], digits, SignProducts.VectorBytes);
            using var y = new Matrix<float>(1, Rows);
            SignProducts.Multiply(packed, 0, packed.Blocks, tables, [], y.View);
            double error = 0, total = 0;
            for (int row = 0; row < Rows; row++)
            {
                double exact = Exact(signs, row, x);
                error += Math.Pow(y[0, row] - exact, 2);
                total += exact * exact;
            }

            Assert.InRange(Math.Sqrt(error / total), bound / 10, bound);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void A_result_has_the_same_bits_alone_in_any_batch_and_in_any_range_of_blocks(int digits)
    {
        const int Rows = 150, Columns = 2500, Tokens = 7;
        var source = new FloatSource(digits + 40);
        float[][] x = [.. Enumerable.Range(0, Tokens).Select(_ => source.Array(Columns, 2f))];
        float[] factors = source.Array(Rows);
        SignMatrix signs = RandomSigns.Matrix(Rows, Columns, 4);
        foreach ((string name, SignLayout layout, int vectorBytes, Product run) in Implementations)
        {
            using SignBlocks packed = RandomSigns.Packed(signs, layout);
            using Matrix<float> whole = new(Tokens, Rows), alone = new(Tokens, Rows);
            using (SignTables tables = Build(x, [], digits, vectorBytes))
            {
                for (int block = 0, count = 1; block < packed.Blocks; block += count, count = 1 + count % 5)
                    run(packed, block, Math.Min(count, packed.Blocks - block), tables, factors, whole.View);
            }

            for (int token = 0; token < Tokens; token++)
            {
                using SignTables tables = Build([x[token]], [], digits, vectorBytes);
                run(packed, 0, packed.Blocks, tables, factors, alone.RowRange(token, 1));
            }

            FloatBits.AssertEqual(whole.RowSpan(0, Tokens), alone.RowSpan(0, Tokens), name);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Entries_are_the_sums_of_four_columns_with_all_signs(int digits)
    {
        float[] x = [4, -2, 1, 0.5f, 8, 0, 0, 0, 3], factors = [1, 2, 4, 8, -1, 7, 7, 7, 1];
        using SignTables tables = Build([x], factors, digits, 32);
        float unit = Scale(tables) / (digits == 1 ? 256 : 1);
        for (int group = 0; group < 3; group++)
        {
            for (int number = 0; number < 16; number++)
            {
                double expected = 0;
                for (int i = 4 * group; i < Math.Min(9, 4 * group + 4); i++) expected += (number >> (i % 4) & 1) != 0 ? x[i] * factors[i] : -x[i] * factors[i];
                int entry = Entry(tables, group, number);
                double value = digits == 1 ? (entry - 128) * 256.0 * unit : (entry - 32768) * (double)unit;
                Assert.True(Math.Abs(value - expected) <= unit * (digits == 1 ? 130 : 2.01), $"group {group}, entry {number}: {value}, not {expected}");
            }
        }
    }

    [Fact]
    public void Shapes_must_fit_and_what_is_not_finite_shows()
    {
        using SignBlocks packed = RandomSigns.Packed(RandomSigns.Matrix(20, 40, 1));
        float[] zeros = new float[40], broken = new float[40];
        broken[39] = float.PositiveInfinity;
        using SignTables tables = Build([zeros, broken], [], 2, SignProducts.VectorBytes);
        using Matrix<float> y = new(2, 20), wrong = new(2, 21);
        SignProducts.Multiply(packed, 0, 2, tables, [], y.View);
        Assert.All(y.Row(0).ToArray(), value => Assert.Equal(0f, value));
        Assert.All(y.Row(1).ToArray(), value => Assert.True(float.IsNaN(value)));
        Assert.Throws<ArgumentException>(() => SignProducts.Multiply(packed, 0, 2, tables, [], wrong.View));
        Assert.Throws<ArgumentException>(() => SignProducts.Multiply(packed, 0, 2, tables, new float[19], y.View));
        Assert.Throws<ArgumentOutOfRangeException>(() => SignProducts.Multiply(packed, 1, 2, tables, [], y.View));
        using SignBlocks other = RandomSigns.Packed(RandomSigns.Matrix(20, 40, 1), SignProducts.Layout == SignLayout.Words ? SignLayout.Lanes : SignLayout.Words);
        if (SimdLevel.Active != SimdWidth.Scalar) Assert.Throws<ArgumentException>(() => SignProducts.Multiply(other, 0, 2, tables, [], y.View));
        Assert.Throws<ArgumentException>(() => tables.Build(0, 0, new float[41], []));
        Assert.Throws<ArgumentException>(() => tables.Build(0, 0, zeros, new float[39]));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public unsafe void Threads_that_build_together_build_what_one_does(int digits)
    {
        const int Columns = 5 * SignTables.ChunkColumns + 40;
        var source = new FloatSource(3);
        float[] x = source.Array(Columns), factors = source.Array(Columns);
        using var pool = new ComputePool(4);
        using SignTables alone = Build([x], factors, digits, SignProducts.VectorBytes), together = new();
        for (int repeat = 0; repeat < 200; repeat++)
        {
            together.Reserve(1, Columns, digits, SignProducts.VectorBytes);
            new Span<byte>(together.Tables, (int)together.TokenBytes).Clear();
            pool.For(4, 1, (_, _) =>
            {
                together.BuildTogether(x, factors);
                Assert.True(new ReadOnlySpan<byte>(alone.Tables, (int)alone.TokenBytes).SequenceEqual(new ReadOnlySpan<byte>(together.Tables, (int)together.TokenBytes)), "A thread went on before all tables were there.");
            });
        }
    }

    [Fact]
    public void Nobody_waits_for_tables_that_cannot_be_built()
    {
        using var tables = new SignTables();
        tables.Reserve(1, 3 * SignTables.ChunkColumns, 1, SignProducts.VectorBytes);
        for (int caller = 0; caller < 3; caller++) Assert.Throws<ArgumentException>(() => tables.BuildTogether(new float[7], []));
        tables.BuildTogether(new float[7], []); // all three were begun and given up: returns
    }

    private static void CheckSize(int rows, int columns, int tokens, int digits, FloatSource source, bool guardAfter)
    {
        SignMatrix signs = RandomSigns.Matrix(rows, columns, rows + columns);
        float[][] x = [.. Enumerable.Range(0, tokens).Select(_ => source.Array(columns, 3f))];
        float[] factors = source.Array(columns), rowScales = source.Array(rows);
        using GuardedMatrix y = new(tokens, rows, guardAfter);
        float[]? reference = null;
        foreach ((string name, SignLayout layout, int vectorBytes, Product run) in Implementations)
        {
            string what = $"{rows} x {columns}, {tokens} tokens, {name}";
            using SignBlocks packed = RandomSigns.Packed(signs, layout);
            using var bytesGuard = new MatrixGuard<byte>(packed.Bytes, guardAfter);
            using SignTables tables = Reserved(x, digits, vectorBytes);
            using var tablesGuard = new GuardedSignInputs(tables, guardAfter);
            Fill(tables, x, factors);
            for (int token = 0; token < tokens; token++) y.View.Row(token).Fill(float.NaN);
            run(packed, 0, packed.Blocks, tables, rowScales, y.View);
            float[] result = [.. Enumerable.Range(0, tokens).SelectMany(token => y.View.Row(token).ToArray())];
            FloatBits.AssertEqual(reference ??= result, result, what);
        }

        double bound = (columns + 3) / 4 * Tolerance(digits, 12);
        float[][] scaled = [.. x.Select(values => values.Zip(factors, (value, factor) => value * factor).ToArray())];
        for (int i = 0; i < reference!.Length; i++)
        {
            (int token, int row) = Math.DivRem(i, rows);
            double exact = Exact(signs, row, scaled[token]) * rowScales[row];
            Assert.True(Math.Abs(reference[i] - exact) <= bound * Math.Abs(rowScales[row]) + 1e-5, $"{rows} x {columns}: element {i} is {reference[i]}, not {exact}");
        }
    }

    /// <summary>What an entry may be off by: two units with two digits (four halves), half of 256 more with one; a unit is the largest sum of four over 32510.</summary>
    private static double Tolerance(int digits, double largestSum) => largestSum / 32510 * (digits == 1 ? 130 : 2.01);

    private static SignTables Build(float[][] x, float[] factors, int digits, int vectorBytes)
    {
        SignTables tables = Reserved(x, digits, vectorBytes);
        Fill(tables, x, factors);
        return tables;
    }

    private static SignTables Reserved(float[][] x, int digits, int vectorBytes)
    {
        var tables = new SignTables();
        tables.Reserve(x.Length, x[0].Length, digits, vectorBytes);
        return tables;
    }

    private static void Fill(SignTables tables, float[][] x, float[] factors)
    {
        for (int token = 0; token < x.Length; token++)
        {
            for (int chunk = 0; chunk < tables.Chunks; chunk++) tables.Build(token, chunk, x[token], factors);
        }
    }

    private static double Exact(SignMatrix signs, int row, float[] x)
    {
        double sum = 0;
        for (int column = 0; column < x.Length; column++) sum += signs[row, column] * (double)x[column];
        return sum;
    }

    private static unsafe float Scale(SignTables tables) => tables.Scales[0];

    private static unsafe int Entry(SignTables tables, int group, int number)
    {
        // A vector of lanes: tables of the lower halves, one to a lane, then of the upper ones; with two digits the lower bytes before the upper ones each.
        int lane = group / 2, lanes = tables.VectorBytes / 16, half = group % 2;
        byte* table = tables.Tables + (lane / lanes * 2 + half) * tables.Digits * tables.VectorBytes + lane % lanes * 16;
        return tables.Digits == 1 ? table[number] : table[number] + 256 * table[tables.VectorBytes + number];
    }

    private static (int Smallest, int Largest) Range(SignTables tables)
    {
        int[] entries = [.. Enumerable.Range(0, 200).SelectMany(group => Enumerable.Range(0, 16).Select(number => Entry(tables, group, number)))];
        return (entries.Min(), entries.Max());
    }
}
