using System.Globalization;
using TensorCompress.Kernels.Simd;
using TensorCompress.Layers;
using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Comparison;

/// <summary>Products of a matrix (4096 x 4096, or as --sizes ROWS,COLUMNS says) in every format with one token, some tokens and a prompt, beside what bounds them.</summary>
internal static class ProductsComparison
{
    private const int PromptTokens = 128;

    private static readonly int[] Streams = [1, 4, 8], FewTokens = [1, 2, 3, 4, 6, 8, 12, 16];

    /// <summary>One token, cold, beside the memory bandwidth.</summary>
    public static void RunOneToken(Options options)
    {
        Describe();
        Console.WriteLine("| format | threads | microseconds, median (best) | GB/s | of the bandwidth: medians | bests |");
        Console.WriteLine("|---|---|---|---|---|---|");
        (int rows, int columns) = ColdLayers.ShapeOf(options);
        IReadOnlyList<ColdLayers> formats = ColdLayers.Create(options);
        using var memory = new ReadBandwidth();
        using Matrix<float> input = Random(1, columns), output = new(1, rows);
        foreach (int threads in options.Threads)
        {
            using var pool = new ComputePool(threads);
            using var context = new ComputeContext(pool);
            Action[] reads = [.. Streams.Select(streams => (Action)(() => memory.Read(streams, pool)))];
            Action[] products = [.. formats.Select(format => (Action)(() => format.Multiply(input.View, output.View, context)))];
            (double Median, double Best)[] times = [.. Interleaved.MeasureWithoutPause(options.Rounds ?? 15, [.. reads, .. products])];
            (double Median, double Best)[] readTimes = times[..Streams.Length];
            double bandwidth = ReadBandwidth.BytesRead / readTimes.Min(time => time.Median), best = ReadBandwidth.BytesRead / readTimes.Min(time => time.Best);
            Console.WriteLine(Text($"| read, {string.Join(", ", readTimes.Select((time, i) => Text($"{Streams[i]} streams {ReadBandwidth.BytesRead / time.Median / 1e9:F1}")))} | {threads} | - | {bandwidth / 1e9:F1} ({best / 1e9:F1}) | | |"));
            for (int i = 0; i < formats.Count; i++)
            {
                (double median, double fastest) = times[Streams.Length + i];
                double rate = formats[i].Bytes / median, bestRate = formats[i].Bytes / fastest;
                Console.WriteLine(Text(
                    $"| {formats[i].Name} | {threads} | {median / formats[i].Copies * 1e6:F0} ({fastest / formats[i].Copies * 1e6:F0}) | {rate / 1e9:F1} | {rate / bandwidth:P1} | {bestRate / best:P1} |"));
            }
        }

        foreach (ColdLayers format in formats) format.Dispose();
    }

    /// <summary>1 to 16 tokens, cold, beside one.</summary>
    public static void RunFewTokens(Options options)
    {
        Describe();
        Console.WriteLine("| format | threads | " + string.Join(" | ", FewTokens.Select(tokens => $"{tokens} tokens, microseconds (a token, of one alone)")) + " |");
        Console.WriteLine("|---|---|" + string.Concat(FewTokens.Select(_ => "---|")));
        (int rows, int columns) = ColdLayers.ShapeOf(options);
        IReadOnlyList<ColdLayers> formats = ColdLayers.Create(options);
        using Matrix<float> input = Random(FewTokens[^1], columns), output = new(FewTokens[^1], rows);
        foreach (ColdLayers format in formats)
        {
            foreach (int threads in options.Threads)
            {
                using var pool = new ComputePool(threads);
                using var context = new ComputeContext(pool);
                (double Median, double)[] times = [.. Interleaved.MeasureWithoutPause(
                    options.Rounds ?? 5, [.. FewTokens.Select(tokens => (Action)(() => format.Multiply(input.RowRange(0, tokens), output.RowRange(0, tokens), context)))])];
                IEnumerable<string> cells = FewTokens.Select((tokens, i) => Text($"{times[i].Median / format.Copies * 1e6:F0} ({times[i].Median / tokens / times[0].Median:P0})"));
                Console.WriteLine($"| {format.Name} | {threads} | {string.Join(" | ", cells)} |");
            }

            format.Dispose();
        }
    }

    /// <summary>A prompt of 128 tokens beside our own matrix product.</summary>
    public static void RunPrompt(Options options)
    {
        Describe();
        Console.WriteLine("| product | threads | GFLOP/s, median (best) | of sgemm 2048: medians | bests | of sgemm of this shape: medians |");
        Console.WriteLine("|---|---|---|---|---|---|");
        IReadOnlyList<ColdLayers> formats = ColdLayers.Create(options, isCold: false);
        (int rows, int columns) = ColdLayers.ShapeOf(options);
        using Matrix<float> a = Random(2048, 2048), c = new(2048, 2048), prompt = Random(PromptTokens, columns), weights = Random(rows, columns), output = new(PromptTokens, rows), shaped = new(PromptTokens, rows);
        foreach (int threads in options.Threads)
        {
            using var pool = new ComputePool(threads);
            using var context = new ComputeContext(pool);
            Action sgemm = () => MatrixProduct.Multiply(a.View, a.View, c.View, pool: pool);
            Action sameShape = () => MatrixProduct.Multiply(prompt.View, weights.Transposed, shaped.View, pool: pool);
            Action[] products = [.. formats.Select(format => (Action)(() => format.MultiplyOne(prompt.View, output.View, context)))];
            (double Median, double Best)[] times = [.. Interleaved.MeasureWithoutPause(options.Rounds ?? 9, [sgemm, sameShape, .. products])];
            const double Square = 2.0 * 2048 * 2048 * 2048;
            double promptWork = 2.0 * PromptTokens * rows * columns;
            string[] names = ["sgemm 2048", "sgemm of the prompt's shape", .. formats.Select(format => format.Name)];
            for (int i = 0; i < names.Length; i++)
            {
                double work = i == 0 ? Square : promptWork, rate = work / times[i].Median, best = work / times[i].Best;
                Console.WriteLine(Text(
                    $"| {names[i]} | {threads} | {rate / 1e9:F1} ({best / 1e9:F1}) | {rate / (Square / times[0].Median):P1} | {best / (Square / times[0].Best):P1} | {rate / (promptWork / times[1].Median):P1} |"));
            }
        }

        foreach (ColdLayers format in formats) format.Dispose();
    }

    private static void Describe()
    {
        CpuDescription cpu = CpuDescription.Current();
        Console.WriteLine($"{cpu.Name}, {cpu.LogicalCores} logical cores, {SimdLevel.Active}; .NET {Environment.Version}");
        Console.WriteLine();
    }

    private static Matrix<float> Random(int rows, int columns)
    {
        var matrix = new Matrix<float>(rows, columns);
        var random = new SeededRandom(2);
        for (nint row = 0; row < rows; row++)
        {
            foreach (ref float value in matrix.Row(row)) value = (float)random.NextDouble() - 0.5f;
        }

        return matrix;
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
