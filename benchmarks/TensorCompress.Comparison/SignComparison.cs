using System.Globalization;
using TensorCompress.Compression;
using TensorCompress.Compression.Dbf;
using TensorCompress.Compression.Dense;
using TensorCompress.Compression.Scalar;
using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;
using TensorCompress.Layers;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Comparison;

/// <summary>Double binary layers of 4096 x 4096 whole, with one token and with a prompt, beside our own F16 and int4 layers and the memory bandwidth.</summary>
internal static class SignComparison
{
    private const int Dimension = 4096, PromptTokens = 128;

    private const int Repeats = 100;

    private const long ColdBytes = 320 << 20;

    private static readonly (int Middle, string Bits)[] Rates = [(2048, "1.0"), (3072, "1.5"), (4096, "2.0")];

    private static readonly SignPrecision[] Precisions = [SignPrecision.Fast, SignPrecision.High, SignPrecision.Exact];

    /// <summary>One token, cold.</summary>
    public static void RunOneToken(Options options)
    {
        using Case all = new(options, ColdBytes, isOneToken: true);
        using var memory = new ReadBandwidth();
        int[] streams = [1, 4, 8];
        Console.WriteLine("| what | threads | microseconds, median (best) | GB/s | of the bandwidth | times faster than F16 | relative error |");
        Console.WriteLine("|---|---|---|---|---|---|---|");
        foreach (int threads in options.Threads)
        {
            using var pool = new ComputePool(threads);
            using var context = new ComputeContext(pool);
            Action[] reads = [.. streams.Select(count => (Action)(() => memory.Read(count, pool)))];
            (double Median, double Best)[] times = [.. Interleaved.MeasureWithoutPause(options.Rounds ?? 9, [.. reads, .. all.Rows.Select(row => (Action)(() => row.RunAll(all.Token, context)))])];
            double bandwidth = ReadBandwidth.BytesRead / times[..streams.Length].Min(time => time.Median);
            Console.WriteLine(Text($"| read | {threads} | - | {bandwidth / 1e9:F1} | | | |"));
            (double Median, double Best)[] rows = times[streams.Length..];
            for (int i = 0; i < rows.Length; i++)
            {
                Row row = all.Rows[i];
                double micros = rows[i].Median / row.Copies * 1e6, rate = row.Bytes / rows[i].Median;
                Console.WriteLine(Text(
                    $"| {row.Name} | {threads} | {micros:F1} ({rows[i].Best / row.Copies * 1e6:F1}) | {rate / 1e9:F1} | {rate / bandwidth:P0} | {rows[0].Median / all.Rows[0].Copies * 1e6 / micros:F1} | {row.Error(all.Token, context):G2} |"));
            }
        }
    }

    /// <summary>A prompt of 128 tokens.</summary>
    public static void RunPrompt(Options options)
    {
        using Case all = new(options, 0, isOneToken: false);
        Console.WriteLine("| what | threads | milliseconds, median (best) | GFLOP/s of the dense product |");
        Console.WriteLine("|---|---|---|---|");
        foreach (int threads in options.Threads)
        {
            using var pool = new ComputePool(threads);
            using var context = new ComputeContext(pool);
            (double Median, double Best)[] times = [.. Interleaved.MeasureWithoutPause(options.Rounds ?? 9, [.. all.Rows.Select(row => (Action)(() => row.RunOne(all.Prompt, context)))])];
            for (int i = 0; i < times.Length; i++)
            {
                Console.WriteLine(Text(
                    $"| {all.Rows[i].Name} | {threads} | {times[i].Median * 1e3:F2} ({times[i].Best * 1e3:F2}) | {2.0 * PromptTokens * Dimension * Dimension / times[i].Median / 1e9:F0} |"));
            }
        }
    }

    /// <summary>One token and matrices of few rows (<c>--sizes</c>), warm, one thread: tables of one digit and their sums beside codes and their products.</summary>
    public static void RunFewRows(Options options)
    {
        int[] sizes = [.. options.Sizes ?? [16, 32, 48, 64, 96, 128, 192, 256]];
        using Matrix<float> x = GaussianMatrix.Draw(1, Dimension, 3), y = new(1, sizes.Max());
        using SignTables tables = new();
        using SignCodes codes = new();
        List<SignBlocks> packed = [.. sizes.SelectMany(rows => new[] { SignProducts.Layout, SignLayout.Words }.Select(layout => SignBlocks.FromRows(RandomBits(rows, Dimension), rows, Dimension, layout)))];
        (double Median, double Best)[] times = [.. Interleaved.MeasureWithoutPause(options.Rounds ?? 21, [.. packed.Select((signs, i) => (Action)(i % 2 == 0 ? () => Tables(signs) : () => Codes(signs)))])];
        Console.WriteLine("| rows | columns | tables, microseconds, median (best) | codes |");
        Console.WriteLine("|---|---|---|---|");
        for (int i = 0; i < sizes.Length; i++)
            Console.WriteLine(Text($"| {sizes[i]} | {Dimension} | {Micros(times[2 * i])} | {Micros(times[2 * i + 1])} |"));
        packed.ForEach(signs => signs.Dispose());

        void Tables(SignBlocks signs)
        {
            for (int repeat = 0; repeat < Repeats; repeat++)
            {
                tables.Reserve(1, Dimension, 1, SignProducts.VectorBytes);
                for (int chunk = 0; chunk < tables.Chunks; chunk++) tables.Build(0, chunk, x.Row(0), []);
                SignProducts.Multiply(signs, 0, signs.Blocks, tables, [], y.View.ColumnRange(0, signs.Rows));
            }
        }

        void Codes(SignBlocks signs)
        {
            for (int repeat = 0; repeat < Repeats; repeat++)
            {
                codes.Reserve(1, Dimension);
                codes.Quantize(0, x.Row(0), []);
                SignCodeProducts.Multiply(signs, 0, signs.Blocks, codes, [], y.View.ColumnRange(0, signs.Rows));
            }
        }

        static string Micros((double Median, double Best) time) => Text($"{time.Median / Repeats * 1e6:F1} ({time.Best / Repeats * 1e6:F1})");
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    /// <summary>Everything that is measured together.</summary>
    private sealed class Case : IDisposable
    {
        public Case(Options options, long coldBytes, bool isOneToken)
        {
            CpuDescription cpu = CpuDescription.Current();
            Console.WriteLine($"{cpu.Name}, {cpu.LogicalCores} logical cores, {SimdLevel.Active}; .NET {Environment.Version}");
            Console.WriteLine();
            Token = GaussianMatrix.Draw(1, Dimension, 3);
            Prompt = GaussianMatrix.Draw(PromptTokens, Dimension, 4);
            using Matrix<float> dense = GaussianMatrix.Draw(Dimension, Dimension, 1, 0.02f);
            List<(string Name, Func<string, Row> Make)> rows =
            [
                ("F16", name => new LayerRow(name, dense.View, new DenseOptions(ElementType.F16), coldBytes)),
                ("int4 group 64", name => new LayerRow(name, dense.View, new ScalarOptions(4, 64), coldBytes)),
            ];
            if (isOneToken)
            {
                rows.Add(("signs alone, Fast", name => new SumsRow(name, 1, coldBytes)));
                rows.Add(("signs alone, High", name => new SumsRow(name, 2, coldBytes)));
                rows.Add(("tables alone, Fast", name => new TablesRow(name, 1)));
                rows.Add(("tables alone, High", name => new TablesRow(name, 2)));
            }

            foreach ((int middle, string bits) in Rates)
            {
                foreach (SignPrecision precision in Precisions.Where(precision => isOneToken || precision != SignPrecision.Exact))
                    rows.Add(($"double binary {bits} bits {precision}", name => new DbfRow(name, middle, precision, coldBytes)));
            }

            Rows = [.. rows.Where(row => row.Name == "F16" || options.Formats is not { } chosen || chosen.Any(row.Name.Contains)).Select(row => row.Make(row.Name))];
        }

        public IReadOnlyList<Row> Rows { get; }

        public Matrix<float> Token { get; }

        public Matrix<float> Prompt { get; }

        public void Dispose()
        {
            foreach (Row row in Rows) row.Dispose();
            Token.Dispose();
            Prompt.Dispose();
        }
    }

    /// <summary>A body that is there as often as it takes to be cold.</summary>
    private abstract class Row(string name) : IDisposable
    {
        public string Name { get; } = name;

        public abstract int Copies { get; }

        public abstract long Bytes { get; }

        protected Matrix<float> Result { get; } = new(PromptTokens, Dimension);

        public void RunAll(Matrix<float> input, ComputeContext context)
        {
            for (int copy = 0; copy < Copies; copy++) Run(copy, input, context);
        }

        public void RunOne(Matrix<float> input, ComputeContext context) => Run(0, input, context);

        /// <summary>Relative error of the result for a token.</summary>
        public double Error(Matrix<float> token, ComputeContext context)
        {
            RunOne(token, context);
            float[] exact = Exact(token, context);
            double error = 0, total = 0;
            for (int i = 0; i < exact.Length; i++)
            {
                error += Math.Pow(Result[0, i] - (double)exact[i], 2);
                total += exact[i] * (double)exact[i];
            }

            return Math.Sqrt(error / total);
        }

        public virtual void Dispose() => Result.Dispose();

        protected abstract void Run(int copy, Matrix<float> input, ComputeContext context);

        protected abstract float[] Exact(Matrix<float> token, ComputeContext context);
    }

    private sealed class LayerRow : Row
    {
        private readonly List<LinearLayer> _layers = [];
        private readonly LinearLayer _exact;

        public LayerRow(string name, MatrixView<float> dense, MethodOptions options, long coldBytes)
            : base(name)
        {
            using CompressedWeight weight = options.Method.Compress(dense, options, new CompressionContext { Pool = ComputePool.Shared });
            do _layers.Add(weight.CreateLayer());
            while (Bytes < coldBytes);
            _exact = weight.CreateLayer(RuntimeOptions.Exact);
        }

        public override int Copies => _layers.Count;

        public override long Bytes => _layers.Sum(layer => layer.ResidentBytes);

        public override void Dispose()
        {
            foreach (LinearLayer layer in _layers) layer.Dispose();
            _exact.Dispose();
            base.Dispose();
        }

        protected override void Run(int copy, Matrix<float> input, ComputeContext context) => _layers[copy].Forward(new ActivationBatch(input.View), Result.RowRange(0, input.Rows), context);

        protected override float[] Exact(Matrix<float> token, ComputeContext context)
        {
            using var result = new Matrix<float>(1, Dimension);
            _exact.Forward(new ActivationBatch(token.View), result.View, context);
            return result.Row(0).ToArray();
        }
    }

    /// <summary>The sums of a square matrix of signs, without the tables that are built before.</summary>
    private sealed class SumsRow : Row
    {
        private readonly List<SignBlocks> _signs = [];
        private readonly SignTables _tables = new();
        private readonly int _digits;
        private bool _isBuilt;

        public SumsRow(string name, int digits, long coldBytes)
            : base(name)
        {
            _digits = digits;
            byte[] bits = RandomBits(Dimension, Dimension);
            do _signs.Add(SignBlocks.FromRows(bits, Dimension, Dimension, SignProducts.Layout));
            while (Bytes < coldBytes);
        }

        public override int Copies => _signs.Count;

        public override long Bytes => _signs.Sum(signs => signs.Bytes.ByteLength);

        public override void Dispose()
        {
            foreach (SignBlocks signs in _signs) signs.Dispose();
            _tables.Dispose();
            base.Dispose();
        }

        protected override void Run(int copy, Matrix<float> input, ComputeContext context)
        {
            if (!_isBuilt)
            {
                _tables.Reserve(1, Dimension, _digits, SignProducts.VectorBytes);
                for (int chunk = 0; chunk < _tables.Chunks; chunk++) _tables.Build(0, chunk, input.Row(0), []);
                _isBuilt = true;
            }

            context.Pool.For(_signs[copy].Blocks, (_signs[copy].Blocks + context.Pool.Threads - 1) / context.Pool.Threads, (signs: _signs[copy], _tables, Result), static (start, end, state) =>
                SignProducts.Multiply(state.signs, (int)start, (int)(end - start), state._tables, [], state.Result.RowRange(0, 1)));
        }

        protected override float[] Exact(Matrix<float> token, ComputeContext context)
        {
            using var result = new Matrix<float>(1, Dimension);
            SignSums.Multiply(_signs[0], 0, _signs[0].Blocks, token.View, result.View);
            return result.Row(0).ToArray();
        }
    }

    /// <summary>The tables of a token.</summary>
    private sealed class TablesRow(string name, int digits) : Row(name)
    {
        private readonly SignTables _tables = new();

        public override int Copies => 100;

        public override long Bytes => 0;

        public override void Dispose()
        {
            _tables.Dispose();
            base.Dispose();
        }

        protected override void Run(int copy, Matrix<float> input, ComputeContext context)
        {
            _tables.Reserve(1, Dimension, digits, SignProducts.VectorBytes);
            context.Pool.For(_tables.Chunks, 1, (_tables, input), static (start, end, state) =>
            {
                for (nint chunk = start; chunk < end; chunk++) state._tables.Build(0, (int)chunk, state.input.Row(0), []);
            });
        }

        protected override float[] Exact(Matrix<float> token, ComputeContext context) => new float[Dimension];
    }

    private sealed class DbfRow : Row
    {
        private readonly List<DbfProduct> _products = [];
        private readonly DbfProduct _exact;

        public DbfRow(string name, int middle, SignPrecision precision, long coldBytes)
            : base(name)
        {
            SignMatrix outer = new(middle, Dimension, RandomBits(middle, Dimension)), inner = new(middle, Dimension, RandomBits(middle, Dimension));
            using Matrix<float> scales = GaussianMatrix.Draw(2, Dimension, 7), middleScales = GaussianMatrix.Draw(1, middle, 8);
            foreach (ref float scale in middleScales.Row(0)) scale = 0.5f + Math.Abs(scale);
            do _products.Add(Make(new RuntimeOptions { Signs = precision }));
            while (Bytes < coldBytes);
            _exact = Make(RuntimeOptions.Exact);

            DbfProduct Make(RuntimeOptions options) => new(outer, inner, scales.Row(0), middleScales.Row(0), scales.Row(1), options);
        }

        public override int Copies => _products.Count;

        public override long Bytes => _products.Sum(product => product.ResidentBytes);

        public override void Dispose()
        {
            foreach (DbfProduct product in _products) product.Dispose();
            _exact.Dispose();
            base.Dispose();
        }

        protected override void Run(int copy, Matrix<float> input, ComputeContext context) => _products[copy].Forward(input.View, Result.RowRange(0, input.Rows), context);

        protected override float[] Exact(Matrix<float> token, ComputeContext context)
        {
            using var result = new Matrix<float>(1, Dimension);
            _exact.Forward(token.View, result.View, context);
            return result.Row(0).ToArray();
        }
    }

    private static byte[] RandomBits(int rows, int columns)
    {
        byte[] bits = new byte[rows * columns / 8];
        new Random(rows).NextBytes(bits);
        return bits;
    }
}
