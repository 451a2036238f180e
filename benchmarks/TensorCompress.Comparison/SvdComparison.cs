using System.Diagnostics;
using System.Globalization;
using System.Numerics.Tensors;
using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Comparison;

/// <summary>Singular value decompositions beside LAPACK's, and truncated ones beside the same algorithm on OpenBLAS.</summary>
internal static unsafe class SvdComparison
{
    private const int Side = 4096;

    /// <summary>Full ones, with vectors.</summary>
    public static void RunFull(Options options)
    {
        OpenBlas? peer = RateTable.Introduce(options);
        Console.WriteLine("| full, with vectors | threads | seconds, median (best) | sgesdd, median (best) | ratio | residual / (n eps64 s1) | orthogonality |");
        Console.WriteLine("|---|---|---|---|---|---|---|");
        foreach (int n in options.Sizes ?? [512, 1024, 2048])
        {
            foreach (int threads in options.Threads) Full(n, threads, options.Rounds ?? Math.Clamp(6000 / n, 3, 15), peer);
        }
    }

    /// <summary>Truncated ones of 4096 x 4096 to ranks 128 and 256, or to those of <c>--sizes</c>.</summary>
    public static void RunTruncated(Options options)
    {
        OpenBlas? peer = RateTable.Introduce(options);
        Console.WriteLine("| truncated 4096 x 4096, 2 power steps | threads | seconds, median (best) | on OpenBLAS, median (best) | ratio | excess error | the peer's | estimated / true error | orthogonality |");
        Console.WriteLine("|---|---|---|---|---|---|---|---|---|");
        foreach (string spectrum in new[] { "flat", "decaying" })
        {
            using Matrix<float> matrix = Make(spectrum, Side, Side);
            double[] values = Svd.Values(matrix.View);
            foreach (int rank in options.Sizes ?? [128, 256])
            {
                foreach (int threads in options.Threads) Truncated(spectrum, matrix, values, rank, threads, options.Rounds ?? 3, peer);
            }
        }
    }

    /// <summary>4096 x 14336 to rank 512, alone in its process: the peak is the process's.</summary>
    public static void RunLarge(Options options)
    {
        RateTable.Introduce(options);
        using Matrix<float> matrix = Make("flat", Side, 14336);
        double before = PeakMebibytes();
        using var pool = new ComputePool(options.Threads[^1]);
        long start = Stopwatch.GetTimestamp();
        using SingularValueDecomposition svd = Svd.Truncated(matrix.View, 512, pool);
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"4096 x 14336 float to rank 512, {pool.Threads} threads: {seconds:F2} s by {svd.Path}, peak {PeakMebibytes():F0} MiB (with the matrix: {before:F0} MiB), estimated error {svd.EstimatedError:F5}"));
    }

    private static void Full(int n, int threads, int rounds, OpenBlas? peer)
    {
        using Matrix<float> matrix = Make("flat", n, n), copy = new(n, n), left = new(n, n), right = new(n, n), values = new(1, n);
        using var pool = new ComputePool(threads);
        peer?.SetThreads(threads);
        SingularValueDecomposition? result = null;
        Action ours = () =>
        {
            result?.Dispose();
            result = Svd.Full(matrix.View, pool);
        };
        fixed (float* a = copy.Row(0), u = left.Row(0), v = right.Row(0), s = values.Row(0))
        {
            float* pa = a, pu = u, pv = v, ps = s;
            Action theirs = () =>
            {
                matrix.View.CopyTo(copy.View);
                peer!.SingularValues(n, pa, ps, pu, pv);
            };
            IReadOnlyList<(double Median, double Best)> times = peer is null ? Interleaved.Measure(rounds, ours) : Interleaved.Measure(rounds, ours, theirs);
            double orthogonality = Math.Max(Orthogonality(result!.LeftTransposed), Orthogonality(result.RightTransposed));
            double residual = Residual(matrix, result) / (n * Math.Pow(2, -52) * result.Values[0]);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {n} ({result.Path}) | {threads} {Times(times)} | {residual:F3} | {orthogonality:E1} |"));
            result.Dispose();
        }
    }

    private static void Truncated(string spectrum, Matrix<float> matrix, double[] spectrumValues, int rank, int threads, int rounds, OpenBlas? peer)
    {
        using var pool = new ComputePool(threads);
        peer?.SetThreads(threads);
        using PeerSketch? sketch = peer is null ? null : new PeerSketch(peer, matrix, rank);
        SingularValueDecomposition? result = null;
        Action ours = () =>
        {
            result?.Dispose();
            result = Svd.Truncated(matrix.View, rank, pool);
        };
        IReadOnlyList<(double Median, double Best)> times = sketch is null ? Interleaved.Measure(rounds, ours) : Interleaved.Measure(rounds, ours, sketch.Run);
        double best = Math.Sqrt(spectrumValues.Skip(rank).Sum(value => value * value)), norm = Math.Sqrt(spectrumValues.Sum(value => value * value));
        double error = Residual(matrix, result!), orthogonality = Math.Max(Orthogonality(result!.LeftTransposed), Orthogonality(result.RightTransposed));
        string theirs = "-";
        if (sketch is not null)
        {
            using Matrix<double> left = Widen(sketch.Left), right = Widen(sketch.Right);
            theirs = string.Create(CultureInfo.InvariantCulture, $"{Residual(matrix, left, sketch.Values, right) / best - 1:P3}");
        }

        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"| {spectrum}, rank {rank} | {threads} {Times(times)} | {error / best - 1:P3} | {theirs} | {result.EstimatedError * norm / error:F4} | {orthogonality:E1} |"));
        result.Dispose();
    }

    private static string Times(IReadOnlyList<(double Median, double Best)> times)
    {
        string ours = string.Create(CultureInfo.InvariantCulture, $"| {times[0].Median:F3} ({times[0].Best:F3}) ");
        return times.Count == 1 ? ours + "| - | -" : ours + string.Create(CultureInfo.InvariantCulture, $"| {times[1].Median:F3} ({times[1].Best:F3}) | {times[1].Median / times[0].Median:P0}");
    }

    /// <summary>||A - U diag(s) V^T|| (Frobenius).</summary>
    private static double Residual(Matrix<float> matrix, SingularValueDecomposition svd) => Residual(matrix, svd.LeftTransposed, svd.Values, svd.RightTransposed);

    private static double Residual(Matrix<float> matrix, Matrix<double> left, ReadOnlySpan<double> values, Matrix<double> right)
    {
        using Matrix<double> scaled = new(values.Length, matrix.Columns), residual = Widen(matrix);
        for (int i = 0; i < values.Length; i++) TensorPrimitives.Multiply(right.Row(i), values[i], scaled.Row(i));
        MatrixProduct.Multiply(left.Transposed, scaled, residual.View, alpha: -1, beta: 1);
        double square = 0;
        for (nint i = 0; i < matrix.Rows; i++) square += TensorPrimitives.SumOfSquares<double>(residual.Row(i));
        return Math.Sqrt(square);
    }

    private static Matrix<double> Widen(Matrix<float> matrix)
    {
        var wide = new Matrix<double>(matrix.Rows, matrix.Columns);
        for (nint i = 0; i < matrix.Rows; i++) TensorPrimitives.ConvertTruncating<float, double>(matrix.Row(i), wide.Row(i));
        return wide;
    }

    /// <summary>The largest magnitude in Q Q^T - I.</summary>
    private static double Orthogonality(Matrix<double> rows)
    {
        using var gram = new Matrix<double>(rows.Rows, rows.Rows);
        MatrixProduct.SymmetricRankK(rows, gram.View);
        double largest = 0;
        for (int i = 0; i < rows.Rows; i++)
        {
            for (int j = 0; j < rows.Rows; j++) largest = Math.Max(largest, Math.Abs(gram[i, j] - (i == j ? 1 : 0)));
        }

        return largest;
    }

    /// <summary>A Gaussian matrix, whose spectrum is flat; decaying: its column j, and the transform of it, weighted like j^-0.5.</summary>
    private static Matrix<float> Make(string spectrum, int rows, int columns)
    {
        Matrix<float> matrix = GaussianMatrix.Draw(rows, columns, 7);
        if (spectrum == "flat") return matrix;
        using Matrix<float> source = matrix, mixer = Make("flat", columns, columns);
        for (int i = 0; i < rows; i++)
        {
            for (int j = 0; j < columns; j++) source[i, j] /= MathF.Sqrt(j + 1);
        }

        var result = new Matrix<float>(rows, columns);
        MatrixProduct.Multiply(source, mixer, result.View);
        return result;
    }

    private static double PeakMebibytes()
    {
        using Process process = Process.GetCurrentProcess();
        return process.PeakWorkingSet64 / 1048576.0;
    }
}
