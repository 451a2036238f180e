using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Numerics.SingularValues;

/// <summary>
/// Makes the rows of a matrix orthogonal by plane rotations (Hestenes). Rows are visited in pairs of blocks that fit the cache; the blocks meet as in a round-robin
/// tournament, so the pairs of a round share no row and may run on any thread, and the order of all rotations depends on the shape only.
/// </summary>
internal static class OneSidedJacobi
{
    private const int MaxSweeps = 60;

    /// <summary>Bytes of two blocks of rows together, about half of a second-level cache.</summary>
    private const int PairBytes = 1 << 19;

    /// <summary>Squared norms below this are noise of numbers that have underflowed (the matrix is scaled to about 1).</summary>
    private const double TinySquare = 1e-280;

    /// <summary>Rotates until all rows are orthogonal, and normalises them.</summary>
    /// <param name="rows">W, [k, l] with k &lt;= l; becomes Q with orthonormal rows.</param>
    /// <param name="rotation">[k, k], overwritten with the orthogonal R for which R W = diag(s) Q.</param>
    /// <param name="pool">Threads.</param>
    /// <param name="cancellationToken">Looked at between rounds.</param>
    /// <returns>s, in no order.</returns>
    /// <exception cref="ArithmeticException">The rotations did not converge.</exception>
    public static double[] Orthogonalize(Matrix<double> rows, Matrix<double> rotation, ComputePool pool, CancellationToken cancellationToken)
    {
        double[] squares = SortByNorm(rows, rotation);
        Sweeps sweeps = new(rows, rotation, squares, pool);
        for (int sweep = 0; sweeps.RotateAll(cancellationToken); sweep++)
        {
            if (sweep == MaxSweeps) throw new ArithmeticException($"Jacobi rotations of a {rows.Rows} x {rows.Columns} matrix did not converge in {MaxSweeps} sweeps.");
        }

        return Normalize(rows, squares);
    }

    /// <summary>Brings the rows into descending order of their norms, which saves sweeps, and notes it in the rotation.</summary>
    private static double[] SortByNorm(Matrix<double> rows, Matrix<double> rotation)
    {
        int count = (int)rows.Rows;
        double[] squares = new double[count];
        for (int i = 0; i < count; i++) squares[i] = DoubleVectors.Dot(rows.Row(i), rows.Row(i));
        int[] order = [.. Enumerable.Range(0, count).OrderByDescending(i => squares[i])]; // a stable sort
        using var sorted = new Matrix<double>(rows.Rows, rows.Columns);
        for (int i = 0; i < count; i++)
        {
            rows.Row(order[i]).CopyTo(sorted.Row(i));
            rotation.Row(i).Clear();
            rotation[i, order[i]] = 1;
        }

        sorted.View.CopyTo(rows.View);
        return [.. order.Select(i => squares[i])];
    }

    /// <summary>Divides every row by its norm. Rows that are zero, or so small that they were left out of the rotations, are replaced by any that complete the basis.</summary>
    private static double[] Normalize(Matrix<double> rows, double[] squares)
    {
        double[] norms = new double[squares.Length];
        var left = new List<int>();
        for (int i = 0; i < squares.Length; i++)
        {
            if (squares[i] < TinySquare)
            {
                left.Add(i);
                continue;
            }

            norms[i] = Math.Sqrt(squares[i]);
            foreach (ref double value in rows.Row(i)) value /= norms[i];
        }

        OrthonormalCompletion.Complete(rows, left);
        return norms;
    }

    private sealed class Sweeps(Matrix<double> rows, Matrix<double> rotation, double[] squares, ComputePool pool)
    {
        private readonly int _count = (int)rows.Rows;
        private readonly int _blockRows = (int)Math.Clamp(PairBytes / (2 * sizeof(double) * Math.Max(1, rows.Rows + rows.Columns)), 4, 64);
        /// <summary>Cosines below this are rounding of the inner product.</summary>
        private readonly double _tolerance = (4 + Math.Sqrt(rows.Columns)) * Math.Pow(2, -53);
        private int _rotated;

        /// <summary>Visits every pair of rows once.</summary>
        /// <returns>Whether any pair was not orthogonal yet.</returns>
        public bool RotateAll(CancellationToken cancellationToken)
        {
            _rotated = 0;
            int blocks = (_count + _blockRows - 1) / _blockRows;
            pool.For(blocks, 1, (start, end) =>
            {
                for (int block = (int)start; block < end; block++) RotateInside(block);
            });

            // The circle method: the last player (a bye, if the number is odd) stays, the others move on by one place each round.
            int players = blocks + (blocks & 1);
            for (int round = 0; round < players - 1; round++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                int shift = round;
                pool.For(players / 2, 1, (start, end) =>
                {
                    for (int table = (int)start; table < end; table++)
                    {
                        int first = table == 0 ? players - 1 : (shift + table) % (players - 1), second = (shift + players - 1 - table) % (players - 1);
                        if (first < blocks && second < blocks) RotateBetween(Math.Min(first, second), Math.Max(first, second));
                    }
                });
            }

            return _rotated != 0;
        }

        private void RotateInside(int block)
        {
            int end = Math.Min(_count, (block + 1) * _blockRows);
            for (int i = block * _blockRows; i < end; i++)
            {
                for (int j = i + 1; j < end; j++) RotatePair(i, j);
            }
        }

        private void RotateBetween(int upper, int lower)
        {
            int upperEnd = Math.Min(_count, (upper + 1) * _blockRows), lowerEnd = Math.Min(_count, (lower + 1) * _blockRows);
            for (int i = upper * _blockRows; i < upperEnd; i++)
            {
                for (int j = lower * _blockRows; j < lowerEnd; j++) RotatePair(i, j);
            }
        }

        private void RotatePair(int i, int j)
        {
            double a = squares[i], b = squares[j];
            if (a < TinySquare || b < TinySquare) return;
            double product = DoubleVectors.Dot(rows.Row(i), rows.Row(j));
            if (Math.Abs(product) <= _tolerance * Math.Sqrt(a) * Math.Sqrt(b)) return;
            Volatile.Write(ref _rotated, 1);

            // The smaller of the two angles that make the rows orthogonal; then the longer row goes first.
            double zeta = (b - a) / (2 * product);
            double t = (zeta >= 0 ? 1 : -1) / (Math.Abs(zeta) + Math.Sqrt(1 + zeta * zeta));
            double c = 1 / Math.Sqrt(1 + t * t), s = c * t;
            PlaneRotation plane = a >= b ? new(c, -s, s, c) : new(s, c, c, -s);
            (squares[i], squares[j]) = DoubleVectors.Rotate(rows.Row(i), rows.Row(j), plane);
            DoubleVectors.Rotate(rotation.Row(i), rotation.Row(j), plane);
        }
    }
}
