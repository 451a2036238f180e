using System.Buffers.Binary;
using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Kernels;

public class CodeProductsTests
{
    private delegate void Product(CodeBlocks weights, int firstBlock, int blockCount, ActivationCodes activations, MatrixView<float> destination);

    private static IReadOnlyList<(string Name, Product Run)> Implementations { get; } =
    [
        ("512", CodeProducts.Core<Simd512, ByteSimd512>),
        ("256", CodeProducts.Core<Simd256, ByteSimd256>),
        ("128", CodeProducts.Core<Simd128, ByteSimd128>),
        ("scalar", CodeProducts.Core<SimdScalar, ByteSimdScalar>),
        ("VNNI", CodeProducts.Core<Simd256, ByteSimdVnni>), // in software where the CPU has none
    ];

    [Theory]
    [InlineData(4, 32, false)]
    [InlineData(4, 64, true)]
    [InlineData(8, 32, true)]
    [InlineData(8, 64, false)]
    [InlineData(4, 1000, false)]
    public void All_lengths_agree_with_the_formula_and_have_the_same_bits_everywhere(int bits, int group, bool wideScales)
    {
        var random = new Random(bits * 1000 + group);
        for (int columns = 1; columns <= 256; columns += columns < 70 ? 1 : 13)
        {
            int rows = 1 + random.Next(90), tokens = 1 + random.Next(9);
            using Problem problem = Problem.Random(new CodeBlocks(rows, columns, bits, group, wideScales), tokens, random);
            float[]? reference = null;
            foreach ((string name, Product run) in Implementations)
            {
                float[] y = problem.Multiply(run);
                FloatBits.AssertNear(i => problem.Exact(i / rows, i % rows, magnitudes: false), y, i => 1e-6 * problem.Exact(i / rows, i % rows, magnitudes: true), $"{columns} columns, {name}");
                if (FloatBits.FusedMultiplyAdd) FloatBits.AssertEqual(reference ??= y, y, $"{columns} columns, {name}");
            }
        }
    }

    [Theory]
    [InlineData(4, 15)]
    [InlineData(8, 255)]
    public void Nothing_saturates_at_the_extremes(int bits, int top)
    {
        foreach (int code in new[] { 0, 1, top / 2, top / 2 + 1, top - 1, top })
        {
            foreach (int zero in new[] { 0, top / 2 + 1, top })
            {
                foreach ((sbyte even, sbyte odd) in new[] { ((sbyte)127, (sbyte)127), ((sbyte)-127, (sbyte)-127), ((sbyte)127, (sbyte)-127), ((sbyte)-127, (sbyte)0) })
                {
                    using var problem = new Problem(new CodeBlocks(17, 64, bits, 64, false), 5, (_, _) => code, (_, _) => zero, (_, _) => 1f, (_, k) => k % 2 == 0 ? even : odd, (_, _) => 1f);
                    long expected = 32L * (code - zero) * (even + odd);
                    foreach ((string name, Product run) in Implementations)
                        Assert.All(problem.Multiply(run), y => Assert.True(y == expected, $"{name}: code {code}, zero {zero}, activations {even} and {odd} give {y}, not {expected}"));
                }
            }
        }
    }

    [Theory]
    [InlineData(4)]
    [InlineData(8)]
    public void A_result_has_the_same_bits_alone_in_any_batch_and_in_any_range_of_blocks(int bits)
    {
        const int Rows = 150, Tokens = 11;
        using Problem problem = Problem.Random(new CodeBlocks(Rows, 200, bits, 64, false), Tokens, new Random(bits));
        foreach ((string name, Product run) in Implementations)
        {
            float[] whole = problem.Multiply(run);
            for (int tokens = 1; tokens < Tokens; tokens++)
            {
                using Problem part = problem.WithTokens(tokens);
                FloatBits.AssertEqual(whole.AsSpan(0, tokens * Rows), part.Multiply(run), $"{tokens} tokens, {name}");
            }

            float[] pieces = new float[whole.Length];
            for (int block = 0, count = 1; block < problem.Weights.Blocks; block += count, count = 1 + count % 3)
                problem.Multiply(run, block, Math.Min(count, problem.Weights.Blocks - block), pieces);
            FloatBits.AssertEqual(whole, pieces, name);
        }
    }

    [Theory]
    [InlineData(4, false)]
    [InlineData(4, true)]
    [InlineData(8, false)]
    [InlineData(8, true)]
    public void Nothing_outside_the_operands_is_touched(int bits, bool guardAfter)
    {
        foreach ((int rows, int columns, int tokens) in new[] { (1, 1, 1), (16, 32, 4), (17, 33, 5), (80, 96, 9) })
        {
            using Problem problem = Problem.Random(new CodeBlocks(rows, columns, bits, 32, false), tokens, new Random(rows));
            using var guard = new MatrixGuard<byte>(problem.Weights.Bytes, guardAfter);
            using GuardedMatrix y = new(tokens, rows, guardAfter);
            foreach ((_, Product run) in Implementations) run(problem.Weights, 0, problem.Weights.Blocks, problem.Activations, y.View);
        }
    }

    [Fact]
    public void The_implementation_of_each_instruction_set_is_pinned()
    {
        foreach (int bits in new[] { 4, 8 })
        {
            Assert.Equal(IntegerKernel.Scalar, CodeProducts.Choose(SimdWidth.Scalar, hasVnni: true, bits));
            Assert.Equal(IntegerKernel.Bytes128, CodeProducts.Choose(SimdWidth.Bits128, hasVnni: true, bits));
            Assert.Equal(IntegerKernel.Bytes256, CodeProducts.Choose(SimdWidth.Bits256, hasVnni: false, bits));
            Assert.Equal(IntegerKernel.Vnni256, CodeProducts.Choose(SimdWidth.Bits256, hasVnni: true, bits));
            Assert.Equal(IntegerKernel.Bytes512, CodeProducts.Choose(SimdWidth.Bits512, hasVnni: false, bits));
        }

        Assert.Equal(IntegerKernel.Bytes512, CodeProducts.Choose(SimdWidth.Bits512, hasVnni: true, 4));
        Assert.Equal(IntegerKernel.Vnni256, CodeProducts.Choose(SimdWidth.Bits512, hasVnni: true, 8));
    }

    [Fact]
    public void Shapes_must_fit()
    {
        using Problem problem = Problem.Random(new CodeBlocks(20, 64, 4, 32, false), 2, new Random(1));
        using Matrix<float> y = new(2, 20), wrong = new(2, 21);
        CodeProducts.Multiply(problem.Weights, 0, 2, problem.Activations, y.View);
        Assert.Throws<ArgumentException>(() => CodeProducts.Multiply(problem.Weights, 0, 2, problem.Activations, wrong.View));
        Assert.Throws<ArgumentException>(() => CodeProducts.Multiply(problem.Weights, 0, 2, problem.Activations, y.RowRange(0, 1)));
        Assert.Throws<ArgumentOutOfRangeException>(() => CodeProducts.Multiply(problem.Weights, 1, 2, problem.Activations, y.View));
        using Problem narrow = Problem.Random(new CodeBlocks(20, 32, 4, 32, false), 2, new Random(1));
        Assert.Throws<ArgumentException>(() => CodeProducts.Multiply(problem.Weights, 0, 2, narrow.Activations, y.View));
    }

    /// <summary>Codes, zeros, scales and activations as functions of their indexes, with the packed forms beside.</summary>
    private sealed class Problem : IDisposable
    {
        private readonly Func<int, int, int> _code, _zero;
        private readonly Func<int, int, float> _scale, _activationScale;
        private readonly Func<int, int, sbyte> _activation;
        private readonly int _tokens;
        private readonly bool _ownsWeights;

        public Problem(
            CodeBlocks weights, int tokens, Func<int, int, int> code, Func<int, int, int> zero, Func<int, int, float> scale, Func<int, int, sbyte> activation, Func<int, int, float> activationScale,
            bool isPacked = false)
        {
            (Weights, _tokens, _code, _zero, _scale, _activation, _activationScale, _ownsWeights) = (weights, tokens, code, zero, scale, activation, activationScale, !isPacked);
            if (!isPacked) PackWeights();
            PackActivations();
        }

        public CodeBlocks Weights { get; }

        public ActivationCodes Activations { get; } = new();

        public static Problem Random(CodeBlocks weights, int tokens, Random random)
        {
            int[] codes = Table(weights.Rows * weights.Columns, () => random.Next(1 << weights.Bits)), zeros = Table(weights.Rows * weights.Groups, () => random.Next(1 << weights.Bits));
            float[] scales = Table(zeros.Length, () => (float)(Half)(random.NextDouble() * 0.1)), activationScales = Table(tokens * weights.Steps, () => (float)random.NextDouble());
            sbyte[] activations = Table(tokens * weights.Columns, () => (sbyte)random.Next(-127, 128));
            return new Problem(
                weights, tokens, (r, k) => codes[r * weights.Columns + k], (r, g) => zeros[r * weights.Groups + g], (r, g) => scales[r * weights.Groups + g],
                (t, k) => activations[t * weights.Columns + k], (t, s) => activationScales[t * weights.Steps + s]);
        }

        public Problem WithTokens(int tokens) => new(Weights, tokens, _code, _zero, _scale, _activation, _activationScale, isPacked: true);

        public double Exact(int token, int row, bool magnitudes)
        {
            double total = 0;
            for (int step = 0; step < Weights.Steps; step++)
            {
                int group = step / Weights.StepsPerGroup;
                long sum = 0;
                for (int k = step * 32; k < Math.Min(step * 32 + 32, Weights.Columns); k++) sum += (long)(_code(row, k) - _zero(row, group)) * _activation(token, k);
                double term = sum * (double)_scale(row, group) * _activationScale(token, step);
                total += magnitudes ? Math.Abs(term) : term;
            }

            return total;
        }

        public float[] Multiply(Product run)
        {
            float[] y = new float[_tokens * Weights.Rows];
            Array.Fill(y, float.NaN);
            Multiply(run, 0, Weights.Blocks, y);
            return y;
        }

        public void Multiply(Product run, int firstBlock, int blockCount, float[] y)
        {
            using var destination = new Matrix<float>(_tokens, Weights.Rows, y);
            run(Weights, firstBlock, blockCount, Activations, destination.View);
            for (int t = 0; t < _tokens; t++) destination.Row(t).CopyTo(y.AsSpan(t * Weights.Rows));
        }

        public void Dispose()
        {
            Activations.Dispose();
            if (_ownsWeights) Weights.Dispose();
        }

        private static T[] Table<T>(int count, Func<T> next) => [.. Enumerable.Range(0, count).Select(_ => next())];

        private void PackWeights()
        {
            for (int row = 0; row < Weights.Rows; row++)
            {
                Span<byte> block = Weights.Bytes.Row(row / 16);
                int lane = row % 16;
                for (int group = 0; group < Weights.Groups; group++)
                {
                    Span<byte> header = block[(int)Weights.GroupOffset(group)..];
                    if (Weights.HasWideScales) BinaryPrimitives.WriteSingleLittleEndian(header[(4 * lane)..], _scale(row, group));
                    else BinaryPrimitives.WriteHalfLittleEndian(header[(2 * lane)..], (Half)_scale(row, group));
                    BinaryPrimitives.WriteInt16LittleEndian(header[(Weights.ZerosOffset + 2 * lane)..], (short)(_zero(row, group) - (Weights.Bits == 8 ? 128 : 0)));
                }

                for (int column = 0; column < Weights.Columns; column++)
                {
                    (nint place, bool isUpper) = Weights.CodePlace(lane, column);
                    block[(int)place] |= (byte)(_code(row, column) << (isUpper ? 4 : 0));
                }
            }
        }

        private void PackActivations()
        {
            Activations.Reserve(_tokens, Weights.Columns);
            for (int token = 0; token < _tokens; token++)
            {
                Span<byte> codes = Activations.Codes.Row(token);
                codes.Clear();
                for (int column = 0; column < Weights.Columns; column++) codes[column] = (byte)_activation(token, column);
                for (int step = 0; step < Weights.Steps; step++)
                {
                    Activations.Scales.Row(token)[step] = _activationScale(token, step);
                    int sum = 0;
                    foreach (byte code in codes.Slice(step * 32, 32)) sum += (sbyte)code;
                    Activations.Sums.Row(token)[step] = sum;
                }
            }
        }
    }
}
