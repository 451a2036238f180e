using System.Numerics;
using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Comparison;

/// <summary>Products of few rows, symmetric products and triangular solves beside OpenBLAS, in both precisions.</summary>
internal static class ShapeComparison
{
    private const int Side = 4096;

    /// <summary>A of 1 to 140 rows times a matrix of 4096 x 4096 as it stands, and transposed. OpenBLAS's one row is its matrix-vector product.</summary>
    public static void RunSkinny(Options options)
    {
        OpenBlas? peer = RateTable.Begin(options, "rows x 4096 x 4096");
        foreach (int rows in options.Sizes ?? [1, 2, 4, 8, 16, 36, 70, 140])
        {
            Skinny<SinglePrecision, float>(rows, options, peer);
            Skinny<DoublePrecision, double>(rows, options, peer);
        }
    }

    /// <summary>C = A A^T, square A; ours writes both triangles, OpenBLAS one.</summary>
    public static void RunSymmetric(Options options)
    {
        OpenBlas? peer = RateTable.Begin(options, "A A^T");
        foreach (int n in options.Sizes ?? [512, 1024, 2048])
        {
            Symmetric<SinglePrecision, float>(n, options, peer);
            Symmetric<DoublePrecision, double>(n, options, peer);
        }
    }

    /// <summary>L X = B, as many right-hand sides as unknowns.</summary>
    public static void RunTriangular(Options options)
    {
        OpenBlas? peer = RateTable.Begin(options, "L X = B");
        foreach (int n in options.Sizes ?? [512, 1024, 2048])
        {
            Triangular<SinglePrecision, float>(n, options, peer);
            Triangular<DoublePrecision, double>(n, options, peer);
        }
    }

    private static unsafe void Skinny<TPrecision, T>(int rows, Options options, OpenBlas? peer)
        where TPrecision : IPrecision<T>
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        using Matrix<T> a = Random<T>(rows, Side), b = Random<T>(Side, Side), ours = new(rows, Side), theirs = new(rows, Side);
        fixed (T* pa = a.Row(0), pb = b.Row(0), pc = theirs.Row(0))
        {
            T* left = pa, right = pb, result = pc;
            foreach (bool transpose in new[] { false, true })
            {
                MatrixOperand<T> operand = transpose ? b.Transposed : b;
                foreach (int threads in options.Threads)
                {
                    using var pool = new ComputePool(threads);
                    RateTable.Report($"{TPrecision.Name}, {rows} rows{(transpose ? ", transposed" : "")}", threads, 2.0 * rows * Side * Side / 1e9, options, peer, () => TPrecision.Multiply(a, operand, ours.View, pool), () =>
                    {
                        if (rows == 1) peer!.MultiplyRow(Side, Side, left, right, transpose, result);
                        else peer!.Multiply(rows, Side, Side, left, right, transpose, result);
                    });
                    if (peer is not null) CheckNear(ours, theirs, (_, _) => true, 40 * TPrecision.Rounding * Math.Sqrt(Side));
                }
            }
        }
    }

    private static unsafe void Symmetric<TPrecision, T>(int n, Options options, OpenBlas? peer)
        where TPrecision : IPrecision<T>
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        using Matrix<T> a = Random<T>(n, n), ours = new(n, n), theirs = new(n, n);
        fixed (T* pa = a.Row(0), pc = theirs.Row(0))
        {
            T* left = pa, result = pc;
            foreach (int threads in options.Threads)
            {
                using var pool = new ComputePool(threads);
                RateTable.Report($"{TPrecision.Name} {n}", threads, 1.0 * n * n * n / 1e9, options, peer, () => TPrecision.SymmetricRankK(a, ours.View, pool), () => peer!.SymmetricRankK(n, n, left, result));
                if (peer is not null) CheckNear(ours, theirs, (i, j) => j <= i, 40 * TPrecision.Rounding * n);
            }
        }
    }

    private static unsafe void Triangular<TPrecision, T>(int n, Options options, OpenBlas? peer)
        where TPrecision : IPrecision<T>
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        // A diagonal of ones and little beside it: solved over and over the unknowns stay of the size that they have.
        using Matrix<T> lower = Random<T>(n, n), b = Random<T>(n, n), ours = new(n, n), theirs = new(n, n);
        for (int i = 0; i < n; i++)
        {
            foreach (ref T value in lower.Row(i)[..i]) value /= T.CreateChecked(n);
            lower[i, i] = T.One;
        }

        fixed (T* pl = lower.Row(0), px = theirs.Row(0))
        {
            T* factor = pl, unknowns = px;
            foreach (int threads in options.Threads)
            {
                using var pool = new ComputePool(threads);
                b.View.CopyTo(ours.View);
                b.View.CopyTo(theirs.View);
                RateTable.Report($"{TPrecision.Name} {n}", threads, 1.0 * n * n * n / 1e9, options, peer, () => TPrecision.SolveLower(lower, ours.View, pool), () => peer!.SolveLower(n, n, factor, unknowns));
                if (peer is not null) CheckNear(ours, theirs, (_, _) => true, 1000 * TPrecision.Rounding);
            }
        }
    }

    private static void CheckNear<T>(Matrix<T> ours, Matrix<T> theirs, Func<int, int, bool> counts, double tolerance)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        for (int i = 0; i < ours.Rows; i++)
        {
            for (int j = 0; j < ours.Columns; j++)
            {
                if (counts(i, j) && double.CreateChecked(T.Abs(ours[i, j] - theirs[i, j])) > tolerance) throw new InvalidOperationException($"Element ({i}, {j}): {ours[i, j]} here, {theirs[i, j]} there.");
            }
        }
    }

    private static Matrix<T> Random<T>(int rows, int columns)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        var random = new SeededRandom((ulong)(rows + columns));
        var matrix = new Matrix<T>(rows, columns);
        for (int i = 0; i < rows; i++)
        {
            foreach (ref T value in matrix.Row(i)) value = T.CreateChecked(random.NextDouble() - 0.5);
        }

        return matrix;
    }
}
