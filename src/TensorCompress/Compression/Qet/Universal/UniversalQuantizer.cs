using TensorCompress.Kernels;
using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Qet.Universal;

/// <summary>
/// Quantisation by universal codebooks after a rotation of the columns. With statistics the error is <c>tr((W - Q) H (W - Q)^T)</c>: segments are rounded with error feedback, then the scale of each row in
/// closed form and single segments by coordinate descent take turns, each of which can only lower it. Without, H is the identity.
/// </summary>
internal sealed class UniversalQuantizer : IDisposable
{
    private const int Dimension = UniversalCodebook.Dimension;

    /// <summary>Ridge of the metric, relative to its mean diagonal.</summary>
    private const double Ridge = 0.01;

    /// <summary>Rounds of scales and words after the first, and sweeps over the words in each.</summary>
    private const int Rounds = 3, Sweeps = 3;

    /// <summary>Rows that are refined together by one thread.</summary>
    private const int RowBlock = 32;

    private readonly Matrix<float> _weights;
    private readonly Matrix<float> _rounded;
    private readonly byte[] _rates;
    private readonly float[] _scales;
    private readonly bool _hasWideScales;
    private readonly (int First, int Second)[] _words;
    private readonly int _segments;
    private readonly ComputePool _pool;

    private UniversalQuantizer(Matrix<float> weights, byte[] rates, bool hasWideScales, ComputePool pool)
    {
        (_weights, _rates, _hasWideScales, _pool) = (weights, rates, hasWideScales, pool);
        _segments = UniversalRows.SegmentsOf((int)weights.Columns);
        _rounded = new Matrix<float>(weights.Rows, weights.Columns);
        _scales = new float[weights.Rows];
        _words = new (int, int)[checked(weights.Rows * _segments)];
    }

    /// <summary>Quantises a matrix.</summary>
    /// <param name="weights">Finite, [output, input].</param>
    /// <param name="maxBytes">What may be stored.</param>
    /// <param name="rotation">Width of the blocks to rotate: a power of two that divides the columns; 0 to choose.</param>
    /// <param name="statistics">Second moment of the inputs and importance of outputs; null for the squared error of the weights.</param>
    /// <param name="pool">Threads; the result does not depend on their number.</param>
    /// <param name="cancellationToken">Looked at between blocks of rows and columns.</param>
    /// <param name="leastBytes">What the least rate takes.</param>
    /// <returns>Null where the budget does not pay for the least rate.</returns>
    /// <exception cref="ArgumentException">The statistics are of another layer, or the rotation does not fit.</exception>
    public static UniversalRows? Quantize(MatrixView<float> weights, long maxBytes, int rotation, LayerStatistics? statistics, ComputePool pool, CancellationToken cancellationToken, out long leastBytes)
    {
        QetCodec.ThrowIfNotUsable(weights);
        statistics?.ThrowIfUnfit(weights);
        int columns = (int)weights.Columns, width = rotation == 0 ? BlockHadamard.WidthFor(columns) : rotation;
        if (columns % width != 0) throw new ArgumentException($"{columns} columns do not divide into rotated blocks of {width}.", nameof(rotation));
        using var rotated = new Matrix<float>(weights.Rows, columns);
        weights.CopyTo(rotated.View);
        pool.For(rotated.Rows, 16, (start, end) =>
        {
            for (nint row = start; row < end; row++) BlockHadamard.Rotate(rotated.Row(row), width);
        });
        double[] deviations = Deviations(rotated), importance = statistics?.OutputScales() ?? [.. deviations.Select(_ => 1.0)];
        double largestHalf = (double)Half.MaxValue / Math.Sqrt(columns); // a fitted scale is at most the row's norm, unless its words are of the smallest codewords alone
        bool isWide = deviations.Any(deviation => deviation > 0 && (deviation < 1e-3 || deviation > largestHalf));
        int segments = UniversalRows.SegmentsOf(columns), scaleBytes = isWide ? sizeof(float) : sizeof(short);
        leastBytes = weights.Rows * (long)(UniversalRate.All[0].RowBytes(segments) + scaleBytes);
        byte[]? rates = RateAllocation.Choose([.. deviations.Zip(importance, (deviation, scale) => deviation * scale * deviation * scale)], segments, maxBytes, scaleBytes);
        if (rates is null) return null;
        using var quantizer = new UniversalQuantizer(rotated, rates, isWide, pool);
        for (int row = 0; row < deviations.Length; row++) quantizer._scales[row] = quantizer.RoundScale(deviations[row]);
        if (statistics is null) quantizer.RoundWithoutMetric();
        else quantizer.RoundInMetric(statistics, width, cancellationToken);
        return quantizer.Pack(width);
    }

    /// <inheritdoc/>
    public void Dispose() => _rounded.Dispose();

    private static double[] Deviations(Matrix<float> rotated)
    {
        double[] deviations = new double[rotated.Rows];
        for (int row = 0; row < deviations.Length; row++) deviations[row] = Math.Sqrt(DoubleVectors.SquaredNorm(rotated.Row(row)) / rotated.Columns);
        return deviations;
    }

    // A file with a scale beyond the largest magnitude is refused when it is read.
    private float RoundScale(double scale) => _hasWideScales ? Math.Min((float)scale, QetCodec.LargestMagnitude) : (float)(Half)Math.Min(scale, (double)Half.MaxValue);

    private UniversalRate Rate(int row) => UniversalRate.All[_rates[row]];

    private void Encode(int row, int column, ReadOnlySpan<float> values, Span<float> rounded)
    {
        Span<float> decoded = stackalloc float[Dimension];
        _words[(long)row * _segments + column / Dimension] = UniversalRows.Encode(Rate(row), _scales[row], values, decoded);
        decoded[..values.Length].CopyTo(rounded);
    }

    private void EncodeRow(int row)
    {
        ReadOnlySpan<float> weights = _weights.Row(row);
        Span<float> rounded = _rounded.Row(row);
        for (int start = 0; start < weights.Length; start += Dimension)
        {
            int count = Math.Min(Dimension, weights.Length - start);
            Encode(row, start, weights.Slice(start, count), rounded.Slice(start, count));
        }
    }

    /// <summary>Words, the best scale for them, words again.</summary>
    private void RoundWithoutMetric() => _pool.For(_weights.Rows, 4, (start, end) =>
    {
        for (int row = (int)start; row < (int)end; row++)
        {
            EncodeRow(row);
            double norm = DoubleVectors.SquaredNorm(_rounded.Row(row));
            if (norm == 0) continue;
            float scale = RoundScale(_scales[row] * DoubleVectors.Dot(_weights.Row(row), _rounded.Row(row)) / norm);
            if (scale == _scales[row] || !(scale > 0)) continue;
            _scales[row] = scale;
            EncodeRow(row);
        }
    });

    private void RoundInMetric(LayerStatistics statistics, int width, CancellationToken cancellationToken)
    {
        using Matrix<double> exact = statistics.Shrunk(0, Ridge);
        MatrixScale.DiagonalNearOne(exact.View);
        BlockHadamard.RotateBothSides(exact, width, _pool);
        using (ErrorFeedback feedback = ErrorFeedback.Create(exact.View, Dimension, _pool)) feedback.Run(_weights.View, Encode, _rounded.View, cancellationToken);
        using var metric = new Matrix<float>(exact.Rows, exact.Columns);
        for (nint i = 0; i < exact.Rows; i++)
        {
            for (int j = 0; j < (int)exact.Columns; j++) metric[i, j] = (float)exact[i, j];
        }

        float[] inverses = SegmentInverses(exact);
        _pool.For(_weights.Rows, RowBlock, (start, end) =>
        {
            for (nint row = start; row < end; row += RowBlock) Refine((int)row, (int)nint.Min(RowBlock, end - row), metric, inverses, cancellationToken);
        });
    }

    /// <summary>The inverse of each segment's block of the metric, [segment, row, column].</summary>
    private float[] SegmentInverses(Matrix<double> metric)
    {
        float[] inverses = new float[_segments * Dimension * Dimension];
        for (int segment = 0; segment < _segments; segment++)
        {
            int start = segment * Dimension, count = Math.Min(Dimension, (int)metric.Columns - start);
            using Cholesky factor = Cholesky.FactorizeWithRidge(metric.RowRange(start, count).ColumnRange(start, count), pool: _pool);
            using var inverse = new Matrix<double>(count, count);
            for (int i = 0; i < count; i++) inverse[i, i] = 1;
            factor.Solve(inverse.View);
            for (int i = 0; i < count; i++)
            {
                for (int j = 0; j < count; j++) inverses[(start + i) * Dimension + j] = (float)inverse[i, j];
            }
        }

        return inverses;
    }

    private void Refine(int first, int rows, Matrix<float> metric, float[] inverses, CancellationToken cancellationToken)
    {
        using var residual = new Matrix<float>(rows, metric.Columns);
        using var gradient = new Matrix<float>(rows, metric.Columns);
        using var product = new Matrix<float>(rows, metric.Columns);
        for (int round = 0; round < Rounds; round++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            MatrixProduct.Multiply(_rounded.RowRange(first, rows), metric, product.View, pool: _pool);
            for (int i = 0; i < rows; i++) FitScale(first + i, product.Row(i));
            for (int i = 0; i < rows; i++)
            {
                ReadOnlySpan<float> weights = _weights.Row(first + i), rounded = _rounded.Row(first + i);
                Span<float> values = residual.Row(i);
                for (int j = 0; j < values.Length; j++) values[j] = weights[j] - rounded[j];
            }

            MatrixProduct.Multiply(residual, metric, gradient.View, pool: _pool);
            bool changed = false;
            for (int i = 0; i < rows; i++) changed |= Descend(first + i, gradient.Row(i), metric, inverses);
            if (!changed) break;
        }
    }

    /// <summary>The scale that fits a row's words best: <c>(q H w) / (q H q)</c> times the present one.</summary>
    private void FitScale(int row, ReadOnlySpan<float> product)
    {
        Span<float> rounded = _rounded.Row(row);
        double norm = DoubleVectors.Dot(rounded, product);
        if (!(norm > 0)) return;
        float scale = RoundScale(_scales[row] * DoubleVectors.Dot(_weights.Row(row), product) / norm);
        if (!(scale > 0) || scale == _scales[row]) return;
        _scales[row] = scale;
        for (int segment = 0; segment < _segments; segment++) Decode(row, segment);
    }

    private void Decode(int row, int segment)
    {
        Span<float> decoded = stackalloc float[Dimension], rounded = _rounded.Row(row)[(segment * Dimension)..];
        (int one, int two) = _words[(long)row * _segments + segment];
        System.Runtime.Intrinsics.Vector256.CopyTo(UniversalRows.Decode(Rate(row), _scales[row], one, two), decoded);
        decoded[..Math.Min(Dimension, rounded.Length)].CopyTo(rounded);
    }

    /// <summary>Single segments, one after the other, each to a better word while the others stay; <c>gradient = H (w - q)</c> is kept up to date.</summary>
    private bool Descend(int row, Span<float> gradient, Matrix<float> metric, float[] inverses)
    {
        Span<float> rounded = _rounded.Row(row), target = stackalloc float[Dimension], decoded = stackalloc float[Dimension], best = stackalloc float[Dimension];
        bool changed = false;
        for (int sweep = 0; sweep < Sweeps; sweep++)
        {
            bool changedNow = false;
            for (int segment = 0; segment < _segments; segment++)
            {
                int start = segment * Dimension, count = Math.Min(Dimension, rounded.Length - start);
                Span<float> now = rounded.Slice(start, count), slope = gradient.Slice(start, count);
                ref (int First, int Second) words = ref _words[(long)row * _segments + segment];
                (int First, int Second) chosen = words;
                double most = 0;

                // Two points are worth rounding: the segment's own minimum, and where each number alone would have its.
                for (int kind = 0; kind < 2; kind++)
                {
                    for (int i = 0; i < count; i++)
                        target[i] = now[i] + (kind == 0 ? FloatDot(inverses.AsSpan((start + i) * Dimension, count), slope) : slope[i] / metric[start + i, start + i]);
                    (int First, int Second) candidate = UniversalRows.Encode(Rate(row), _scales[row], target[..count], decoded);
                    if (candidate == words || candidate == chosen) continue;
                    double gain = Gain(now, decoded[..count], slope, metric, start);
                    if (!(gain > most)) continue;
                    (most, chosen) = (gain, candidate);
                    decoded.CopyTo(best);
                }

                if (chosen == words) continue;
                words = chosen;
                for (int i = 0; i < count; i++)
                {
                    float change = best[i] - now[i];
                    now[i] = best[i];
                    Scaling.AddScaled(metric.Row(start + i), -change, gradient);
                }

                changedNow = true;
            }

            changed |= changedNow;
            if (!changedNow) break;
        }

        return changed;
    }

    /// <summary>What the error falls by where a segment becomes another: <c>2 d.g - d H d</c>.</summary>
    private static double Gain(ReadOnlySpan<float> now, ReadOnlySpan<float> next, ReadOnlySpan<float> slope, Matrix<float> metric, int start)
    {
        Span<double> change = stackalloc double[Dimension];
        for (int i = 0; i < now.Length; i++) change[i] = (double)next[i] - now[i];
        double gain = 0;
        for (int i = 0; i < now.Length; i++)
        {
            ReadOnlySpan<float> block = metric.Row(start + i).Slice(start, now.Length);
            double curvature = 0;
            for (int j = 0; j < block.Length; j++) curvature += block[j] * change[j];
            gain += change[i] * (2.0 * slope[i] - curvature);
        }

        return gain;
    }

    private static float FloatDot(ReadOnlySpan<float> left, ReadOnlySpan<float> right)
    {
        float sum = 0;
        for (int i = 0; i < left.Length; i++) sum = MathF.FusedMultiplyAdd(left[i], right[i], sum);
        return sum;
    }

    private UniversalRows Pack(int width)
    {
        var packed = new UniversalRows((int)_weights.Columns, width, _rates, _scales, _hasWideScales);
        for (int row = 0; row < packed.Rows; row++)
        {
            for (int segment = 0; segment < _segments; segment++) packed.Write(row, segment, _words[(long)row * _segments + segment]);
        }

        return packed;
    }
}
