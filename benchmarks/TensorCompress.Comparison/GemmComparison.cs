using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Comparison;

/// <summary>Square matrix products beside OpenBLAS.</summary>
internal static unsafe class GemmComparison
{
    public static void Run(Options options)
    {
        OpenBlas? peer = RateTable.Begin(options, "product");
        foreach (int n in options.Sizes ?? [512, 1024, 2048, 4096]) Single(n, options, peer);
        foreach (int n in options.Sizes ?? [1024, 2048]) Double(n, options, peer);
    }

    private static void Single(int n, Options options, OpenBlas? peer)
    {
        using Matrix<float> a = new(n, n), b = new(n, n), c = new(n, n), theirs = new(n, n);
        var random = new SeededRandom(1);
        Fill(a, () => (float)random.NextDouble() - 0.5f);
        Fill(b, () => (float)random.NextDouble() - 0.5f);
        fixed (float* pa = a.Row(0), pb = b.Row(0), pc = theirs.Row(0))
        {
            float* left = pa, right = pb, result = pc;
            foreach (int threads in options.Threads)
            {
                using var pool = new ComputePool(threads);
                RateTable.Report($"sgemm {n}", threads, Work(n), options, peer, () => MatrixProduct.Multiply(a, b, c.View, pool: pool), () => peer!.Multiply(n, left, right, result));
                if (peer is not null) CheckNear(n, row => c.Row(row)[0], row => theirs.Row(row)[0], 1e-6 * n);
            }
        }
    }

    private static void Double(int n, Options options, OpenBlas? peer)
    {
        using Matrix<double> a = new(n, n), b = new(n, n), c = new(n, n), theirs = new(n, n);
        var random = new SeededRandom(1);
        Fill(a, () => random.NextDouble() - 0.5);
        Fill(b, () => random.NextDouble() - 0.5);
        fixed (double* pa = a.Row(0), pb = b.Row(0), pc = theirs.Row(0))
        {
            double* left = pa, right = pb, result = pc;
            foreach (int threads in options.Threads)
            {
                using var pool = new ComputePool(threads);
                RateTable.Report($"dgemm {n}", threads, Work(n), options, peer, () => MatrixProduct.Multiply(a, b, c.View, pool: pool), () => peer!.Multiply(n, left, right, result));
                if (peer is not null) CheckNear(n, row => c.Row(row)[0], row => theirs.Row(row)[0], 1e-15 * n);
            }
        }
    }

    private static double Work(int n) => 2.0 * n * n * n / 1e9;

    private static void CheckNear(int n, Func<int, double> ours, Func<int, double> theirs, double tolerance)
    {
        for (int row = 0; row < n; row++)
        {
            if (Math.Abs(ours(row) - theirs(row)) > tolerance) throw new InvalidOperationException($"Row {row}: {ours(row)} here, {theirs(row)} there.");
        }
    }

    private static void Fill<T>(Matrix<T> matrix, Func<T> next)
        where T : unmanaged
    {
        for (nint i = 0; i < matrix.Rows; i++)
        {
            foreach (ref T value in matrix.Row(i)) value = next();
        }
    }
}
