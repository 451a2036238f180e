using System.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Numerics.SingularValues;

/// <summary>
/// The largest singular triplets from the Krylov space of a random block (Halko, Martinsson and Tropp, SIAM Review 53, 2011; Musco and Musco, NeurIPS 2015):
/// Q_0 = orth(A W), Q_j = orth(A orth(A^T Q_(j-1))) beside all earlier ones. The products Q_j^T A that lead to the next block are also the rows of Q^T A, so the whole
/// Krylov space costs the same products with A as subspace iteration, which keeps its last block only.
/// </summary>
internal sealed class BlockKrylov<T> : IDisposable
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>Gaussian rows that one thread makes at a time.</summary>
    private const int RowsPerChunk = 4;

    private const int MaxRounds = 4;

    /// <summary>Share of a unit row along the basis that does not spoil it when taken off.</summary>
    private const double NegligiblePart = 1e-2;

    private readonly MatrixView<T> _matrix;
    private readonly ComputePool _pool;
    private readonly int _block;
    private readonly int _blocks;

    /// <summary>Q^T, [blocks, m], and Q^T A, [blocks, n].</summary>
    private readonly Matrix<T> _basis;
    private readonly Matrix<T> _projected;

    /// <param name="matrix">A, [m, n], of magnitudes whose sums and, in double, squares of sums stay finite.</param>
    /// <param name="rank">Triplets wanted.</param>
    /// <param name="block">Rows of a block.</param>
    /// <param name="blocks">Blocks of the space; together at most the short side.</param>
    /// <param name="pool">Threads.</param>
    public BlockKrylov(MatrixView<T> matrix, int rank, int block, int blocks, ComputePool pool)
    {
        (_matrix, _block, _blocks, _pool) = (matrix, block, blocks, pool);
        _basis = new Matrix<T>(blocks * block, matrix.Rows);
        _projected = new Matrix<T>(blocks * block, matrix.Columns);
        Rank = Math.Min(rank, blocks * block);
    }

    /// <summary>Triplets that are returned.</summary>
    public int Rank { get; }

    /// <summary>Builds the Krylov space.</summary>
    public void Build(SeededRandom random, CancellationToken cancellationToken)
    {
        using Matrix<T> start = Gaussian(_block, (int)_matrix.Columns, random, _pool);
        for (int step = 0; step < _blocks; step++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            MatrixView<T> block = _basis.RowRange(step * _block, _block), projected = _projected.RowRange(step * _block, _block);
            TypedProduct.Multiply(start, _matrix.Transposed, block, 1, 0, _pool);
            AppendToBasis(block, _basis.RowRange(0, step * _block));
            cancellationToken.ThrowIfCancellationRequested();
            TypedProduct.Multiply(block, _matrix, projected, 1, 0, _pool);
            if (step == _blocks - 1) break;
            projected.CopyTo(start.View);
            CholeskyQr.Orthonormalize(start.View, passes: 1, _pool);
        }
    }

    /// <summary>The triplets of the projection Q Q^T A.</summary>
    /// <param name="values">Overwritten: s, as many as <see cref="Rank"/>.</param>
    /// <param name="left">[rank, m], overwritten with U^T.</param>
    /// <param name="right">[rank, n], overwritten with V^T.</param>
    /// <param name="cancellationToken">Looked at often.</param>
    public void Extract(Span<double> values, MatrixView<T> left, MatrixView<T> right, CancellationToken cancellationToken)
    {
        using Matrix<double> gram = TypedProduct.Gram<T>(_projected, _pool);
        using SymmetricEigendecomposition eigen = SymmetricEigen.Decompose(gram.View, _pool, cancellationToken);
        using var mixing = new Matrix<T>(Rank, gram.Rows);
        MatrixCopy.CopyRounded(eigen.VectorsTransposed.RowRange(0, Rank), mixing.View);
        TypedProduct.Multiply(mixing, _basis, left, 1, 0, _pool);
        TypedProduct.Multiply(mixing, _projected, right, 1, 0, _pool);
        double[] squares = MatrixScale.RowSquares(right, _pool);
        for (int i = 0; i < values.Length; i++) values[i] = Math.Sqrt(squares[i]);

        // The rows are s_i v_i. Divided by s_i they are orthogonal to rounding times s_1 / s_i; the Gram matrix, of unit diagonal inside, makes that rounding.
        CholeskyQr.Orthonormalize(right, passes: 1, _pool);
    }

    /// <summary>||(A - U diag(s) V^T) W|| over Gaussian W, which is the Frobenius norm of the difference but for sampling.</summary>
    /// <returns>The mean square per column of W.</returns>
    public static double SampledSquare(MatrixView<T> matrix, ReadOnlySpan<double> values, MatrixView<T> left, MatrixView<T> right, SeededRandom random, ComputePool pool)
    {
        const int Probes = 8;
        using Matrix<T> probes = Gaussian(Probes, (int)matrix.Columns, random, pool), parts = new(Probes, right.Rows), residual = new(Probes, matrix.Rows);
        TypedProduct.Multiply(probes, right.Transposed, parts.View, 1, 0, pool);
        using (Matrix<double> scaled = MatrixCopy.Widen(parts.View))
        {
            for (int i = 0; i < Probes; i++)
            {
                Span<double> row = scaled.Row(i);
                for (int j = 0; j < row.Length; j++) row[j] *= values[j];
            }

            MatrixCopy.CopyRounded(scaled.View, parts.View);
        }

        TypedProduct.Multiply(parts, left, residual.View, 1, 0, pool);
        TypedProduct.Multiply(probes, matrix.Transposed, residual.View, -1, 1, pool);
        return MatrixScale.RowSquares(residual.View, pool).Sum() / Probes;
    }

    public void Dispose()
    {
        _basis.Dispose();
        _projected.Dispose();
    }

    /// <summary>Makes a block orthonormal, and orthogonal to the rows before it.</summary>
    private void AppendToBasis(MatrixView<T> block, MatrixView<T> before)
    {
        for (int round = 0; round < MaxRounds; round++)
        {
            double along = before.Rows == 0 ? 0 : Project(block, before);
            if (!CholeskyQr.TryOrthonormalize(block, _pool))
            {
                Complete(block, before);
                return;
            }

            // Twice is enough, unless what was left after once was mostly rounding: then it is as good as random, and goes round again.
            if (round > 0 && along < NegligiblePart) return;
        }

        Complete(block, before);
    }

    /// <summary>Takes off the parts along an orthonormal basis.</summary>
    /// <returns>The largest sum of squares that was taken off a row.</returns>
    private double Project(MatrixView<T> block, MatrixView<T> before)
    {
        using var parts = new Matrix<T>(block.Rows, before.Rows);
        TypedProduct.Multiply(block, before.Transposed, parts.View, 1, 0, _pool);
        TypedProduct.Multiply(parts, before, block, -1, 1, _pool);
        return MatrixScale.RowSquares(parts.View, _pool).Max();
    }

    /// <summary>The block where its rows depend on each other or on those before: reflections of all of them make up what is missing.</summary>
    private void Complete(MatrixView<T> block, MatrixView<T> before)
    {
        var all = new Matrix<double>(before.Rows + block.Rows, block.Columns);
        MatrixCopy.CopyWidened(before, all.RowRange(0, before.Rows));
        MatrixCopy.CopyWidened(block, all.RowRange(before.Rows, block.Rows));
        using HouseholderQr reflections = HouseholderQr.FactorizeRows(all, _pool);
        using Matrix<double> basis = reflections.ThinQTransposed();
        MatrixCopy.CopyRounded(basis.RowRange(before.Rows, block.Rows), block);
    }

    private static Matrix<T> Gaussian(int rows, int columns, SeededRandom random, ComputePool pool)
    {
        var result = new Matrix<T>(rows, columns);
        pool.For(rows, RowsPerChunk, (start, end) =>
        {
            using var row = new Matrix<double>(1, columns);
            for (nint i = start; i < end; i++)
            {
                SeededRandom own = random.Fork((ulong)i);
                foreach (ref double value in row.Row(0)) value = own.NextGaussian();
                MatrixCopy.CopyRounded(row.View, result.RowRange(i, 1));
            }
        });
        return result;
    }
}
