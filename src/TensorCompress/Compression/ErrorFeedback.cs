using TensorCompress.Kernels;
using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression;

/// <summary>Rounds a segment of neighbouring columns of one row. Called concurrently for different rows.</summary>
/// <param name="row">Row of W.</param>
/// <param name="column">First column of the segment in W.</param>
/// <param name="values">What the segment should be, after what earlier columns left over.</param>
/// <param name="rounded">Receives what it becomes.</param>
internal delegate void SegmentQuantizer(int row, int column, ReadOnlySpan<float> values, Span<float> rounded);

/// <summary>
/// Quantises columns (or segments of columns) in order and feeds what is lost into those still to come, so that <c>tr((W - Q) H (W - Q)^T)</c> stays small: GPTQ (Frantar et al.,
/// arXiv 2210.17323) for scalars, GPTVQ (van Baalen et al., arXiv 2402.15319) for vectors. With <c>H^-1 = U^T U</c>, U upper triangular, the loss E of a segment B is
/// <c>(W_B - Q_B) U_BB^-1</c>, and the columns behind it change by <c>-E U_B,rest</c>.
/// </summary>
internal sealed class ErrorFeedback : IDisposable
{
    /// <summary>Columns whose mutual feedback is applied at once; those behind them follow in one product.</summary>
    private const int BlockColumns = 128;

    private readonly int _segment;
    private readonly int[] _order;
    private readonly Matrix<float> _upper;
    private readonly ComputePool _pool;

    private ErrorFeedback(int segment, int[] order, Matrix<float> upper, ComputePool pool)
    {
        _segment = segment;
        _order = order;
        _upper = upper;
        _pool = pool;
    }

    /// <summary>Factorises the metric.</summary>
    /// <param name="metric">H, [columns, columns], symmetric and positive definite.</param>
    /// <param name="segment">Neighbouring columns that are rounded together; a last one may be shorter.</param>
    /// <param name="pool">Threads; the result does not depend on their number.</param>
    /// <exception cref="ArithmeticException">The metric is not positive definite, whatever ridge is added.</exception>
    public static ErrorFeedback Create(MatrixView<double> metric, int segment, ComputePool pool)
    {
        int columns = (int)metric.Rows;
        int[] order = OrderByActivation(metric, segment);

        // With columns in reverse order H = L L^T; in order again that is H = M M^T with M upper triangular, and U = M^-1.
        using var reversed = new Matrix<double>(columns, columns);
        for (int i = 0; i < columns; i++)
        {
            ReadOnlySpan<double> source = metric.Row(order[columns - 1 - i]);
            Span<double> row = reversed.Row(i);
            for (int j = 0; j < columns; j++) row[j] = source[order[columns - 1 - j]];
        }

        MatrixScale.DiagonalNearOne(reversed.View);
        using Cholesky factor = Cholesky.FactorizeWithRidge(reversed.View, pool: pool);
        using var inverse = new Matrix<double>(columns, columns);
        for (int i = 0; i < columns; i++) inverse[i, i] = 1;
        factor.SolveLower(inverse.View);
        var upper = new Matrix<float>(columns, columns);
        for (int i = 0; i < columns; i++)
        {
            for (int j = i; j < columns; j++) upper[i, j] = (float)inverse[columns - 1 - i, columns - 1 - j];
        }

        return new ErrorFeedback(segment, order, upper, pool);
    }

    /// <summary>Rounds a matrix.</summary>
    /// <param name="weights">W, [rows, columns]; only read.</param>
    /// <param name="quantize">Rounds a segment.</param>
    /// <param name="rounded">[rows, columns], overwritten with what the quantiser gave.</param>
    /// <param name="cancellationToken">Looked at between blocks of columns.</param>
    public void Run(MatrixView<float> weights, SegmentQuantizer quantize, MatrixView<float> rounded, CancellationToken cancellationToken)
    {
        int rows = (int)weights.Rows, columns = (int)weights.Columns, width = Math.Max(BlockColumns / _segment, 1) * _segment;
        using var pending = new Matrix<float>(rows, columns);
        using var losses = new Matrix<float>(rows, width);
        for (int row = 0; row < rows; row++)
        {
            ReadOnlySpan<float> source = weights.Row(row);
            Span<float> values = pending.Row(row);
            for (int i = 0; i < columns; i++) values[i] = source[_order[i]];
        }

        for (int start = 0; start < columns; start += width)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int count = Math.Min(width, columns - start), first = start;
            _pool.For(rows, 4, (from, to) =>
            {
                for (int row = (int)from; row < (int)to; row++)
                    RoundRow(row, first, pending.Row(row).Slice(first, count), losses.Row(row)[..count], quantize, rounded.Row(row));
            });
            int rest = columns - start - count;
            if (rest == 0) break;
            MatrixView<float> behind = _upper.RowRange(start, count).ColumnRange(start + count, rest);
            MatrixProduct.Multiply(losses.View.ColumnRange(0, count), behind, pending.View.ColumnRange(start + count, rest), alpha: -1, beta: 1, _pool);
        }
    }

    /// <summary>1 / (H^-1)_jj for each column, up to a common factor: what an error of it costs after the others have made good what they can.</summary>
    public float[] Importance()
    {
        var inverse = new double[_order.Length];
        for (int i = 0; i < _order.Length; i++)
        {
            ReadOnlySpan<float> row = _upper.Row(i);
            for (int j = i; j < row.Length; j++) inverse[_order[j]] += (double)row[j] * row[j];
        }

        return [.. inverse.Select(value => (float)(1 / value))];
    }

    public void Dispose() => _upper.Dispose();

    /// <summary>Columns in the order of rounding: segments with the largest inputs first, because what they lose can still be made good.</summary>
    private static int[] OrderByActivation(MatrixView<double> metric, int segment)
    {
        int columns = (int)metric.Rows, whole = columns / segment;
        var energy = new double[whole];
        for (int i = 0; i < whole * segment; i++) energy[i / segment] += metric.Row(i)[i];
        IEnumerable<int> order = Enumerable.Range(0, whole).OrderByDescending(i => energy[i]) // a stable sort
            .SelectMany(index => Enumerable.Range(index * segment, segment));
        return [.. order, .. Enumerable.Range(whole * segment, columns - whole * segment)];
    }

    private void RoundRow(int row, int first, Span<float> pending, Span<float> losses, SegmentQuantizer quantize, Span<float> rounded)
    {
        Span<float> segment = _segment <= 64 ? stackalloc float[_segment] : new float[_segment];
        for (int start = 0; start < pending.Length; start += _segment)
        {
            int count = Math.Min(_segment, pending.Length - start);
            ReadOnlySpan<float> values = pending.Slice(start, count);
            int column = _order[first + start];
            quantize(row, column, values, segment[..count]);
            segment[..count].CopyTo(rounded[column..]);

            // E U_BB = W_B - Q_B from the left: each column's loss, then its share of the later columns of the block.
            for (int i = 0; i < count; i++)
            {
                int at = start + i;
                ReadOnlySpan<float> upper = _upper.Row(first + at)[first..];
                float loss = (pending[at] - segment[i]) / upper[at];
                losses[at] = loss;
                Scaling.AddScaled(upper[(at + 1)..pending.Length], -loss, pending[(at + 1)..]);
            }
        }
    }
}
