using TensorCompress.Kernels;
using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Scalar;

/// <summary>
/// Quantisation in groups that keeps the output error <c>tr((W - Q) H (W - Q)^T)</c> small: grids by a search over clipped ranges, codes with error feedback, then by turns the scales in
/// closed form and single codes by coordinate descent, each of which can only lower the error.
/// </summary>
internal sealed class FeedbackQuantizer : IDisposable
{
    /// <summary>Ridge of the metric, relative to its mean diagonal.</summary>
    private const double Ridge = 0.01;

    /// <summary>Rounds of scales and codes after the feedback, and sweeps over the codes in each.</summary>
    private const int Rounds = 3, Sweeps = 4;

    /// <summary>Rows that are refined together by one thread.</summary>
    private const int RowBlock = 32;

    private readonly ScalarOptions _options;
    private readonly MatrixView<float> _weights;
    private readonly Matrix<float> _metric;
    private readonly RoundingGrid[] _grids;
    private readonly Matrix<float> _levels;
    private readonly ComputePool _pool;
    private readonly int _groups;

    private FeedbackQuantizer(MatrixView<float> weights, Matrix<float> metric, ScalarOptions options, ComputePool pool)
    {
        _weights = weights;
        _metric = metric;
        _options = options;
        _pool = pool;
        _groups = QuantizedRows.GroupCount((int)weights.Columns, options.Group);
        _grids = new RoundingGrid[weights.Rows * _groups];
        _levels = new Matrix<float>(weights.Rows, weights.Columns);
    }

    /// <summary>Quantises a matrix.</summary>
    /// <param name="weights">Finite, [output, input].</param>
    /// <param name="options">Bits, group, symmetry and type of scales; a group longer than a row becomes the row.</param>
    /// <param name="statistics">Second moment of the inputs.</param>
    /// <param name="pool">Threads; the result does not depend on their number.</param>
    /// <param name="cancellationToken">Looked at between blocks of columns.</param>
    /// <exception cref="ArgumentException">The statistics are of another number of inputs, or a scale is beyond its type's range.</exception>
    public static QuantizedRows Quantize(MatrixView<float> weights, ScalarOptions options, LayerStatistics statistics, ComputePool pool, CancellationToken cancellationToken)
    {
        statistics.ThrowIfUnfit(weights);
        if (options.Group > weights.Columns) options = new ScalarOptions(options.Bits, (int)weights.Columns, options.Symmetric, options.Scales);
        using Matrix<double> exact = statistics.Shrunk(0, Ridge);
        using Matrix<float> metric = Narrow(exact);
        using var quantizer = new FeedbackQuantizer(weights, metric, options, pool);
        using (ErrorFeedback feedback = ErrorFeedback.Create(exact.View, 1, pool))
        {
            quantizer.SearchGrids(feedback.Importance());
            using var rounded = new Matrix<float>(weights.Rows, weights.Columns);
            feedback.Run(weights, quantizer.Round, rounded.View, cancellationToken);
        }

        quantizer.Refine(cancellationToken);
        return quantizer.Pack();
    }

    public void Dispose() => _levels.Dispose();

    private static Matrix<float> Narrow(Matrix<double> matrix)
    {
        var narrow = new Matrix<float>(matrix.Rows, matrix.Columns);
        for (nint i = 0; i < matrix.Rows; i++)
        {
            ReadOnlySpan<double> source = matrix.Row(i);
            Span<float> row = narrow.Row(i);
            for (int j = 0; j < row.Length; j++) row[j] = (float)source[j];
        }

        return narrow;
    }

    private void SearchGrids(float[] importance) => _pool.For(_weights.Rows, 4, (start, end) =>
    {
        for (int row = (int)start; row < (int)end; row++)
        {
            for (int group = 0; group < _groups; group++)
            {
                (int first, int count) = Columns(group);
                Grid(row, group) = RoundingGrid.Search(_weights.Row(row).Slice(first, count), importance.AsSpan(first, count), _options);
            }
        }
    });

    private void Round(int row, int column, ReadOnlySpan<float> values, Span<float> rounded)
    {
        RoundingGrid grid = Grid(row, column / _options.Group);
        int level = grid.Level(values[0], _options.Steps);
        _levels.Row(row)[column] = level;
        rounded[0] = level * grid.Scale;
    }

    private void Refine(CancellationToken cancellationToken) => _pool.For(_weights.Rows, RowBlock, (start, end) =>
    {
        for (nint row = start; row < end; row += RowBlock) Refine((int)row, (int)nint.Min(RowBlock, end - row), cancellationToken);
    });

    /// <summary>Lowers the error of a few rows: scales, then codes, by turns.</summary>
    private void Refine(int first, int rows, CancellationToken cancellationToken)
    {
        using var residual = new Matrix<float>(rows, _weights.Columns);
        using var gradient = new Matrix<float>(rows, _weights.Columns);
        using var products = new Matrix<float>((nint)rows * _groups, _weights.Columns);
        for (int round = 0; round < Rounds; round++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            FitScales(first, rows, products);
            for (int i = 0; i < rows; i++) Residual(first + i, residual.Row(i));
            MatrixProduct.Multiply(residual, _metric, gradient.View, pool: _pool);
            bool changed = false;
            for (int i = 0; i < rows; i++) changed |= DescendCodes(first + i, gradient.Row(i));
            if (!changed) break;
        }
    }

    private void Residual(int row, Span<float> residual)
    {
        ReadOnlySpan<float> weights = _weights.Row(row), levels = _levels.Row(row);
        for (int j = 0; j < residual.Length; j++) residual[j] = MathF.FusedMultiplyAdd(-Grid(row, j / _options.Group).Scale, levels[j], weights[j]);
    }

    /// <summary>Single codes, one after the other, each to its best value while the others stay; <c>gradient = H (w - q)</c> is kept up to date.</summary>
    private bool DescendCodes(int row, Span<float> gradient)
    {
        Span<float> levels = _levels.Row(row);
        bool changed = false;
        for (int sweep = 0; sweep < Sweeps; sweep++)
        {
            bool changedNow = false;
            for (int j = 0; j < levels.Length; j++)
            {
                RoundingGrid grid = Grid(row, j / _options.Group);
                float best = grid.Level(MathF.FusedMultiplyAdd(levels[j], grid.Scale, gradient[j] / _metric[j, j]), _options.Steps);
                if (best == levels[j]) continue;
                float change = (best - levels[j]) * grid.Scale;
                levels[j] = best;
                Scaling.AddScaled(_metric.Row(j), -change, gradient);
                changedNow = true;
            }

            changed |= changedNow;
            if (!changedNow) break;
        }

        return changed;
    }

    /// <summary>The scales of a row that fit its levels best: least squares, <c>(C H C^T) s = C H w</c> with C the levels group by group; kept where rounding to the stored type leaves a gain.</summary>
    private void FitScales(int first, int rows, Matrix<float> products)
    {
        for (int group = 0; group < _groups; group++)
        {
            (int column, int count) = Columns(group);
            MatrixView<float> levels = _levels.RowRange(first, rows).ColumnRange(column, count);
            var destination = new MatrixView<float>(products, (nint)group * products.Columns, rows, products.Columns, (nint)_groups * products.Columns);
            MatrixProduct.Multiply(levels, _metric.RowRange(column, count), destination, pool: _pool);
        }

        var normal = new double[_groups * _groups];
        var right = new double[_groups];
        for (int i = 0; i < rows; i++)
        {
            int row = first + i;
            ReadOnlySpan<float> weights = _weights.Row(row), levels = _levels.Row(row);
            for (int g = 0; g < _groups; g++)
            {
                ReadOnlySpan<float> product = products.Row((nint)i * _groups + g);
                double sum = 0;
                for (int j = 0; j < weights.Length; j++) sum += (double)weights[j] * product[j];
                right[g] = sum;
                for (int h = 0; h <= g; h++)
                {
                    (int column, int count) = Columns(h);
                    double moment = 0;
                    for (int j = column; j < column + count; j++) moment += (double)levels[j] * product[j];
                    normal[g * _groups + h] = normal[h * _groups + g] = moment;
                }
            }

            ApplyScales(row, normal, right);
        }
    }

    private void ApplyScales(int row, double[] normal, double[] right)
    {
        // Gauss-Seidel on the rounded scales: each step lowers the error, so a singular system does no harm.
        for (int sweep = 0; sweep < 8; sweep++)
        {
            bool changed = false;
            for (int g = 0; g < _groups; g++)
            {
                double diagonal = normal[g * _groups + g];
                if (diagonal <= 0) continue;
                double rest = right[g];
                for (int h = 0; h < _groups; h++)
                {
                    if (h != g) rest -= normal[g * _groups + h] * Grid(row, h).Scale;
                }

                float scale = ScalarQuantizer.RoundScale(Math.Max(0, rest / diagonal), _options);
                if (scale == 0 || scale == Grid(row, g).Scale || !float.IsFinite(QuantizedRows.LargestWeight(scale, _options.Bits))) continue;
                Grid(row, g) = Grid(row, g) with { Scale = scale };
                changed = true;
            }

            if (!changed) break;
        }
    }

    private QuantizedRows Pack()
    {
        QuantizedRows packed = QuantizedRows.Create(_options, (int)_weights.Rows, (int)_weights.Columns);
        int offset = 1 << (_options.Bits - 1);
        for (int row = 0; row < packed.Rows; row++)
        {
            for (int group = 0; group < _groups; group++)
            {
                RoundingGrid grid = Grid(row, group);
                int zero = _options.Symmetric ? offset : -grid.Least;
                packed.WriteScale(row, group, grid.Scale);
                if (packed.Zeros is { } zeros) BitStream.Write(zeros.Row(row), (long)group * _options.Bits, zero);
                (int first, int count) = Columns(group);
                for (int j = first; j < first + count; j++) BitStream.Write(packed.Codes.Row(row), (long)j * _options.Bits, (int)_levels.Row(row)[j] + zero);
            }
        }

        return packed;
    }

    private (int First, int Count) Columns(int group)
    {
        int first = group * _options.Group;
        return (first, Math.Min(_options.Group, (int)_weights.Columns - first));
    }

    private ref RoundingGrid Grid(int row, int group) => ref _grids[row * _groups + group];
}
