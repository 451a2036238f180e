using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.BlockTensorTrain;

/// <summary>
/// Projection onto block tensor trains: every block on its own by its singular vectors, which is exact in the Frobenius norm, and where there is a number of vectors for all blocks together, the
/// largest singular values of all of them, which is exact too. With statistics the blocks of a row of blocks are fitted by turns in the metric of the inputs: with the others fixed, the best
/// full block is <c>B = W_a + sum over c != a of (W_c - B_c) H_ca H_aa^-1</c>, and of rank r its projection in the metric H_aa. No turn raises the output error. Where outputs do not matter
/// alike, W stands for <c>diag(sqrt d) W</c> throughout, and the rows of L are divided when they are stored.
/// </summary>
internal sealed class BlockTensorTrainFactorizer : IDisposable
{
    private const double Ridge = 1e-4;

    /// <summary>Turns over all blocks of a row of blocks.</summary>
    private const int DefaultSweeps = 4;

    /// <summary>Turns after which it shows what a rank is worth beside the others.</summary>
    private const int TrialSweeps = 2;

    private readonly MatrixView<float> _weights;
    private readonly BlockShape _shape;
    private readonly double[]? _scales;
    private readonly Metric? _metric;
    private readonly ComputePool _pool;
    private readonly CancellationToken _cancellation;

    /// <summary>Prepares.</summary>
    /// <param name="weights">W, [m, n], finite.</param>
    /// <param name="shape">How it is cut.</param>
    /// <param name="statistics">Second moment of the inputs; null for the Frobenius norm.</param>
    /// <param name="pool">Threads; results do not depend on their number.</param>
    /// <param name="cancellationToken">Looked at between blocks.</param>
    public BlockTensorTrainFactorizer(MatrixView<float> weights, BlockShape shape, LayerStatistics? statistics, ComputePool pool, CancellationToken cancellationToken)
    {
        _weights = weights;
        _shape = shape;
        _scales = statistics?.OutputScales();
        _metric = statistics is null ? null : new Metric(statistics, shape, pool);
        _pool = pool;
        _cancellation = cancellationToken;
    }

    /// <summary>
    /// Ranks that leave least. Without statistics that is exact. With them blocks stand in for each other, so what a rank is worth depends on the other ranks: the ranks that are best for each
    /// block on its own are fitted once, and those that are best with the others as they are then are taken.
    /// </summary>
    /// <param name="vectors">All ranks together, at least 1.</param>
    public BlockRanks Ranks(int vectors)
    {
        var spectra = new double[_shape.Blocks][];
        Fit(new BlockRanks(_shape, new int[_shape.Blocks]), 0, spectra).Dispose();
        BlockRanks alone = Largest(spectra, vectors);
        if (_metric is null) return alone;
        Fit(alone, TrialSweeps, spectra).Dispose();
        return Largest(spectra, vectors);
    }

    /// <summary>Fits vectors of given ranks.</summary>
    /// <param name="ranks">Rank of each block.</param>
    /// <param name="sweeps">Turns over the blocks, with statistics.</param>
    public BlockVectors Fit(BlockRanks ranks, int sweeps = DefaultSweeps) => Fit(ranks, _metric is null ? 1 : sweeps, null);

    /// <summary>Frees the metric.</summary>
    public void Dispose() => _metric?.Dispose();

    private BlockVectors Fit(BlockRanks ranks, int sweeps, double[][]? spectra)
    {
        var vectors = new BlockVectors(_shape, ranks);
        _pool.For(_shape.Rows2, 1, (start, end) =>
        {
            for (int row2 = (int)start; row2 < (int)end; row2++) FitRow(row2, vectors, sweeps, spectra);
        });
        return vectors;
    }

    /// <summary>The largest singular values of all; of equal ones those of the first blocks.</summary>
    private BlockRanks Largest(double[][] spectra, int vectors)
    {
        double[] all = [.. spectra.SelectMany(spectrum => spectrum)];
        Array.Sort(all);
        double least = all[^Math.Min(vectors, all.Length)];
        int[] ranks = [.. spectra.Select(spectrum => spectrum.Count(value => value > least))];
        int left = vectors - ranks.Sum();
        for (int block = 0; block < ranks.Length && left > 0; block++)
        {
            int equal = Math.Min(left, spectra[block].Count(value => value == least));
            ranks[block] += equal;
            left -= equal;
        }

        return new BlockRanks(_shape, ranks);
    }

    /// <summary>All blocks of one j2. Runs on one thread: the products inside find the pool busy.</summary>
    /// <param name="row2">j2.</param>
    /// <param name="vectors">What is found.</param>
    /// <param name="sweeps">Turns; the first projects each block on its own.</param>
    /// <param name="spectra">Told at the end the singular values of what each block would be if it had all ranks and the others stayed as they are; null for nobody.</param>
    private void FitRow(int row2, BlockVectors vectors, int sweeps, double[][]? spectra)
    {
        int width = _shape.Columns2;
        using Matrix<double> exact = RowOfBlocks(row2), residual = new(_shape.Rows1, _shape.Columns);
        exact.View.CopyTo(residual.View);
        using var target = new Matrix<double>(_shape.Rows1, width);
        for (int sweep = 0; sweep < sweeps; sweep++)
        {
            for (int column1 = 0; column1 < _shape.Columns1; column1++)
            {
                if (vectors.Ranks[row2, column1] == 0) continue;
                _cancellation.ThrowIfCancellationRequested();
                Aim(column1, sweep > 0);
                Project(target, row2, column1, vectors);
                Subtract(exact.View.ColumnRange(column1 * width, width), target.View, residual.View.ColumnRange(column1 * width, width));
            }
        }

        for (int column1 = 0; column1 < _shape.Columns1 && spectra is not null; column1++)
        {
            _cancellation.ThrowIfCancellationRequested();
            Aim(column1, sweeps > 0);
            using Matrix<double> weighted = Weighted(target.View, column1);
            spectra[row2 * _shape.Columns1 + column1] = Svd.Values(weighted.View);
        }

        // The block, and what the other blocks leave undone, as far as this block's inputs can stand in for theirs.
        void Aim(int column1, bool isBesideOthers)
        {
            MatrixView<double> wanted = exact.View.ColumnRange(column1 * width, width);
            if (_metric is null || !isBesideOthers)
            {
                wanted.CopyTo(target.View);
                return;
            }

            Subtract(wanted, residual.View.ColumnRange(column1 * width, width), target.View);
            MatrixProduct.Multiply(residual, _metric.Substitution(column1), target.View, beta: 1);
        }
    }

    private static void Subtract(MatrixView<double> minuend, MatrixView<double> subtrahend, MatrixView<double> difference)
    {
        for (nint i = 0; i < difference.Rows; i++)
        {
            Span<double> row = difference.Row(i);
            ReadOnlySpan<double> from = minuend.Row(i), what = subtrahend.Row(i);
            for (int j = 0; j < row.Length; j++) row[j] = from[j] - what[j];
        }
    }

    /// <summary>Replaces a block by its best approximation of the rank, and stores the two factors.</summary>
    private void Project(Matrix<double> block, int row2, int column1, BlockVectors vectors)
    {
        int rank = vectors.Ranks[row2, column1], first = vectors.Ranks.LeftStart(row2, column1), firstRight = vectors.Ranks.RightStart(row2, column1);
        using Matrix<double> weighted = Weighted(block.View, column1);
        using SingularValueDecomposition singular = Svd.Truncated(weighted.View, rank);
        using var right = new Matrix<double>(rank, block.Columns);
        MatrixProduct.Multiply(singular.LeftTransposed, block, right.View);
        for (int r = 0; r < rank; r++)
        {
            Span<double> inner = right.Row(r), outer = singular.LeftTransposed.Row(r);
            double root = Math.Sqrt(Math.Sqrt(DoubleVectors.Dot(inner, inner)));
            for (int j = 0; j < outer.Length; j++) vectors.Left[row2].Row(j)[first + r] = (float)(outer[j] * root / Scale(row2, j));
            Span<float> stored = vectors.Right.Row(firstRight + r);
            for (int j = 0; j < inner.Length; j++) stored[j] = root == 0 ? 0 : (float)(inner[j] / root);
        }

        MatrixProduct.Multiply(singular.LeftTransposed.Transposed, right, block.View);
    }

    /// <summary>A block in the metric of its inputs.</summary>
    private Matrix<double> Weighted(MatrixView<double> block, int column1)
    {
        var weighted = new Matrix<double>(block.Rows, block.Columns);
        if (_metric is null) block.CopyTo(weighted.View);
        else MatrixProduct.Multiply(block, _metric.Root(column1), weighted.View);
        return weighted;
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
