using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Numerics.Eigen;

/// <summary>
/// Eigenvalues and eigenvectors of a symmetric tridiagonal matrix: blocks of at most <see cref="LeafSize"/> by the QL iteration, joined two by two. Nearly all the work
/// is in the matrix products of the last joins.
/// </summary>
internal static class DivideAndConquer
{
    private const int LeafSize = 32;

    /// <summary>Solves the problem.</summary>
    /// <param name="diagonal">n; becomes the eigenvalues, in no order.</param>
    /// <param name="offDiagonal">n - 1.</param>
    /// <param name="pool">Threads.</param>
    /// <param name="cancellationToken">Looked at between levels.</param>
    /// <returns>[n, n]: row i is the unit eigenvector of eigenvalue i.</returns>
    /// <exception cref="ArithmeticException">The iteration of a small block did not converge (never seen).</exception>
    public static Matrix<double> Solve(double[] diagonal, ReadOnlySpan<double> offDiagonal, ComputePool pool, CancellationToken cancellationToken)
    {
        int size = diagonal.Length;
        double[] couplings = offDiagonal.ToArray();
        double norm = TridiagonalQl.Norm(diagonal, offDiagonal);
        var vectors = new Matrix<double>(size, size);
        using Matrix<double> spareRows = new(size, size), spareSquare = new(size, size);
        var workspace = new Workspace(vectors, spareRows, spareSquare);
        int[] bounds = Leaves(size);
        foreach (int bound in bounds[1..^1])
        {
            double magnitude = Math.Abs(couplings[bound - 1]);
            diagonal[bound - 1] -= magnitude;
            diagonal[bound] -= magnitude;
        }

        ForEach(bounds.Length - 1, leaf => SolveLeaf(diagonal, couplings, norm, vectors, bounds[leaf], bounds[leaf + 1]), pool);
        while (bounds.Length > 2)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int[] current = bounds;
            ForEach((current.Length - 1) / 2, pair => RankOneMerge.Join(
                diagonal, workspace, current[2 * pair], current[2 * pair + 1], current[2 * pair + 2], couplings[current[2 * pair + 1] - 1], pool), pool);
            bounds = [.. current.Where((_, i) => i % 2 == 0)];
        }

        return vectors;
    }

    /// <summary>Many small tasks share the threads; of few, each has all threads for itself. Either way the results are the same.</summary>
    private static void ForEach(int count, Action<int> body, ComputePool pool)
    {
        if (count < 2 * pool.Threads)
        {
            for (int i = 0; i < count; i++) body(i);
            return;
        }

        pool.For(count, 1, (start, end) =>
        {
            for (int i = (int)start; i < end; i++) body(i);
        });
    }

    /// <summary>0 to the size in 2^p nearly equal steps.</summary>
    private static int[] Leaves(int size)
    {
        int count = 1;
        while ((size + count - 1) / count > LeafSize) count *= 2;
        return [.. Enumerable.Range(0, count + 1).Select(i => (int)((long)size * i / count))];
    }

    private static void SolveLeaf(double[] diagonal, double[] couplings, double norm, Matrix<double> vectors, int start, int end)
    {
        int size = end - start;
        double[] e = new double[size];
        for (int i = 0; i < size - 1; i++) e[i] = couplings[start + i];
        for (int i = start; i < end; i++) vectors[i, i] = 1;
        if (!TridiagonalQl.Diagonalize(diagonal.AsSpan(start, size), e, norm, vectors.RowRange(start, size).ColumnRange(start, size)))
            throw new ArithmeticException($"The QL iteration of a symmetric matrix did not converge in {TridiagonalQl.MaxSweeps} sweeps.");
    }
}
