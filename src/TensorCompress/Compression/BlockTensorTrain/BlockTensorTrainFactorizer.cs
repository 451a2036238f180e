using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.BlockTensorTrain;

/// <summary>
/// Projection onto block tensor trains: every block on its own by its singular vectors, which is exact in the Frobenius norm. With statistics the blocks of a row of blocks are
/// fitted by turns in the metric of the inputs: with the others fixed, the best full block is <c>B = W_a + sum over c != a of (W_c - B_c) H_ca H_aa^-1</c>, and of rank r its projection
/// in the metric H_aa. No turn raises the output error. Where outputs do not matter alike, W stands for <c>diag(sqrt d) W</c> throughout, and the rows of L are divided when they are stored.
/// </summary>
internal sealed class BlockTensorTrainFactorizer
{
    private const double Ridge = 1e-4;

    /// <summary>Turns over all blocks of a row of blocks.</summary>
    private const int Sweeps = 4;

    private readonly MatrixView<float> _weights;
    private readonly BlockShape _shape;
    private readonly int _rank;
    private readonly double[]? _scales;
    private readonly MatrixView<float> _left;
    private readonly MatrixView<float> _right;

    private BlockTensorTrainFactorizer(MatrixView<float> weights, BlockShape shape, int rank, double[]? scales, MatrixView<float> left, MatrixView<float> right)
    {
        _weights = weights;
        _scales = scales;
        _shape = shape;
        _rank = rank;
        _left = left;
        _right = right;
    }

    /// <summary>Factorises a matrix.</summary>
    /// <param name="weights">W, [m, n], finite.</param>
    /// <param name="shape">How it is cut.</param>
    /// <param name="rank">Rank of each block.</param>
    /// <param name="statistics">Second moment of the inputs; null for the Frobenius norm.</param>
    /// <param name="pool">Threads; the result does not depend on their number.</param>
    /// <param name="cancellationToken">Looked at between blocks.</param>
    /// <param name="sweeps">Turns over the blocks, with statistics.</param>
    /// <returns>L as [(j2, j1), (i1, r)] and R as [(i1, j2, r), i2].</returns>
    public static (Matrix<float> Left, Matrix<float> Right) Factorize(
        MatrixView<float> weights, BlockShape shape, int rank, LayerStatistics? statistics, ComputePool pool, CancellationToken cancellationToken, int sweeps = Sweeps)
    {
        var left = new Matrix<float>(shape.Rows, (nint)shape.Columns1 * rank);
        var right = new Matrix<float>((nint)shape.Columns1 * shape.Rows2 * rank, shape.Columns2);
        var factorizer = new BlockTensorTrainFactorizer(weights, shape, rank, statistics?.OutputScales(), left.View, right.View);
        Metric? metric = statistics is null ? null : new Metric(statistics, shape, pool);
        using (metric)
        {
            pool.For(shape.Rows2, 1, (start, end) =>
            {
                for (int row = (int)start; row < (int)end; row++) factorizer.FitRow(row, metric, metric is null ? 1 : sweeps, cancellationToken);
            });
        }

        return (left, right);
    }

    /// <summary>All blocks of one j2. Runs on one thread: the products inside find the pool busy.</summary>
    private void FitRow(int row2, Metric? metric, int sweeps, CancellationToken cancellationToken)
    {
        int width = _shape.Columns2;
        using Matrix<double> exact = RowOfBlocks(row2), residual = new(_shape.Rows1, _shape.Columns);
        exact.View.CopyTo(residual.View);
        using var target = new Matrix<double>(_shape.Rows1, width);
        for (int sweep = 0; sweep < sweeps; sweep++)
        {
            for (int column1 = 0; column1 < _shape.Columns1; column1++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                MatrixView<double> block = residual.View.ColumnRange(column1 * width, width), wanted = exact.View.ColumnRange(column1 * width, width);
                wanted.CopyTo(target.View);
                if (metric is not null && sweep > 0) // the first turn projects each block on its own
                {
                    // What the other blocks leave undone, as far as this block's inputs can stand in for theirs.
                    for (nint i = 0; i < block.Rows; i++) block.Row(i).Clear();
                    MatrixProduct.Multiply(residual, metric.Substitution(column1), target.View, beta: 1);
                }

                Project(target, row2, column1, metric);
                for (nint i = 0; i < block.Rows; i++)
                {
                    Span<double> left = block.Row(i);
                    ReadOnlySpan<double> goal = wanted.Row(i), fitted = target.Row(i);
                    for (int j = 0; j < left.Length; j++) left[j] = goal[j] - fitted[j];
                }
            }
        }
    }

    /// <summary>Replaces a block by its best approximation of the rank, and stores the two factors.</summary>
    private void Project(Matrix<double> block, int row2, int column1, Metric? metric)
    {
        using var weighted = new Matrix<double>(block.Rows, block.Columns);
        if (metric is null) block.View.CopyTo(weighted.View);
        else MatrixProduct.Multiply(block, metric.Root(column1), weighted.View);
        using SingularValueDecomposition vectors = Svd.Truncated(weighted.View, _rank);
        using var right = new Matrix<double>(_rank, block.Columns);
        MatrixProduct.Multiply(vectors.LeftTransposed, block, right.View);
        for (int r = 0; r < _rank; r++)
        {
            Span<double> inner = right.Row(r), outer = vectors.LeftTransposed.Row(r);
            double root = Math.Sqrt(Math.Sqrt(DoubleVectors.Dot(inner, inner)));
            for (int j = 0; j < outer.Length; j++) _left.Row((nint)row2 * _shape.Rows1 + j)[column1 * _rank + r] = (float)(outer[j] * root / Scale(row2, j));
            Span<float> stored = _right.Row(((nint)column1 * _shape.Rows2 + row2) * _rank + r);
            for (int j = 0; j < inner.Length; j++) stored[j] = root == 0 ? 0 : (float)(inner[j] / root);
        }

        MatrixProduct.Multiply(vectors.LeftTransposed.Transposed, right, block.View);
    }

    private double Scale(int row2, int row1) => _scales?[row1 * _shape.Rows2 + row2] ?? 1;

    private Matrix<double> RowOfBlocks(int row2)
    {
        var rows = new Matrix<double>(_shape.Rows1, _shape.Columns);
        for (int row1 = 0; row1 < _shape.Rows1; row1++)
        {
            ReadOnlySpan<float> source = _weights.Row((nint)row1 * _shape.Rows2 + row2);
            Span<double> row = rows.Row(row1);
            double scale = Scale(row2, row1);
            for (int j = 0; j < row.Length; j++) row[j] = scale * source[j];
        }

        return rows;
    }

    /// <summary>The parts of H that a turn needs, for every i1: the Cholesky factor of H_aa, and H_:a H_aa^-1.</summary>
    private sealed class Metric : IDisposable
    {
        private readonly Cholesky[] _roots;
        private readonly Matrix<double>[] _substitutions;

        public Metric(LayerStatistics statistics, BlockShape shape, ComputePool pool)
        {
            using Matrix<double> moment = statistics.Shrunk(0, Ridge);
            int width = shape.Columns2;
            _roots = new Cholesky[shape.Columns1];
            _substitutions = new Matrix<double>[shape.Columns1];
            for (int column1 = 0; column1 < shape.Columns1; column1++)
            {
                MatrixView<double> rows = moment.RowRange(column1 * width, width);
                _roots[column1] = Cholesky.FactorizeWithRidge(rows.ColumnRange(column1 * width, width), pool: pool);
                using var solved = new Matrix<double>(width, shape.Columns);
                rows.CopyTo(solved.View);
                _roots[column1].Solve(solved.View); // H_aa^-1 H_a:, and H is symmetric
                var substitution = new Matrix<double>(shape.Columns, width);
                for (nint i = 0; i < width; i++)
                {
                    for (nint j = 0; j < shape.Columns; j++) substitution[j, i] = solved[i, j];
                }

                _substitutions[column1] = substitution;
            }
        }

        public Matrix<double> Root(int column1) => _roots[column1].Lower;

        public Matrix<double> Substitution(int column1) => _substitutions[column1];

        public void Dispose()
        {
            foreach (Cholesky root in _roots) root.Dispose();
            foreach (Matrix<double> substitution in _substitutions) substitution.Dispose();
        }
    }
}
