using TensorCompress.Compression;
using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Calibration;

/// <summary>
/// Adds up <c>x x^T</c> over a stream of tokens, in double. Tokens whose norm is beyond the 99.9th percentile (attention sinks, massive activations) are scaled down to it, so that a
/// handful of them does not become the metric; they are held back until the end, when the percentile is known, and nothing else of the stream is kept. Where every token comes with a
/// partner p (what the dense model has more in its place), <c>p x^T</c> is added up too, with the same scales; partners are small differences, so a few hundred tokens at a time are multiplied in single
/// precision, at half the cost, and their sums are added in double.
/// </summary>
internal sealed class SecondMomentAccumulator : IDisposable
{
    /// <summary>Share of the tokens that is clipped.</summary>
    public const double ClippedShare = 0.001;

    /// <summary>Share of tokens with NaN or infinity from which the statistics are worthless.</summary>
    private const double DroppedShare = 0.01;

    private const int PendingRows = 512;

    private readonly ComputePool _pool;
    private readonly int _dimension;
    private readonly Matrix<double> _sum;
    private readonly Matrix<double>? _crossSum;
    private readonly Matrix<float>? _crossProduct;

    // Tokens with their partners behind them.
    private readonly Matrix<float> _pending;
    private readonly Matrix<float> _largest;
    private readonly PriorityQueue<int, (double Norm, long Order)> _byNorm = new();
    private int _pendingCount;
    private long _tokens;
    private long _dropped;

    /// <summary>Prepares for a stream.</summary>
    /// <param name="dimension">Channels of a token.</param>
    /// <param name="expectedTokens">Tokens that will come; decides how many are held back.</param>
    /// <param name="pool">Threads; the result does not depend on their number.</param>
    /// <param name="partnerDimension">Channels of a token's partner; 0 for none.</param>
    public SecondMomentAccumulator(int dimension, long expectedTokens, ComputePool pool, int partnerDimension = 0)
    {
        _pool = pool;
        _dimension = dimension;
        _sum = new Matrix<double>(dimension, dimension);
        if (partnerDimension > 0)
        {
            _crossSum = new Matrix<double>(partnerDimension, dimension);
            _crossProduct = new Matrix<float>(partnerDimension, dimension);
        }

        _pending = new Matrix<float>(PendingRows, dimension + partnerDimension);
        _largest = new Matrix<float>(checked((nint)Math.Ceiling(expectedTokens * ClippedShare) + 1), dimension + partnerDimension);
    }

    /// <summary>Takes tokens in.</summary>
    /// <param name="tokens">[tokens, dimension + partner's dimension]: each token with its partner behind it.</param>
    public void Add(MatrixView<float> tokens)
    {
        for (nint i = 0; i < tokens.Rows; i++)
        {
            ReadOnlySpan<float> token = tokens.Row(i);
            double norm = Norm(token[.._dimension]);
            if (!double.IsFinite(norm + Norm(token[_dimension..])))
            {
                _dropped++;
                continue;
            }

            _tokens++;
            int slot = _byNorm.Count;
            if (slot == _largest.Rows)
            {
                if (norm <= SmallestHeldBack()) // of equal norms the first stays held back
                {
                    Append(token);
                    continue;
                }

                slot = _byNorm.Dequeue();
                Append(_largest.Row(slot));
            }

            token.CopyTo(_largest.Row(slot));
            _byNorm.Enqueue(slot, (norm, -_tokens));
        }
    }

    /// <summary>The moments of all tokens.</summary>
    /// <exception cref="ArithmeticException">No token came, or more than one in a hundred held NaN or infinity.</exception>
    public InputMoments Finish()
    {
        if (_tokens == 0 || _dropped > DroppedShare * (_tokens + _dropped))
            throw new ArithmeticException($"{_dropped} of {_tokens + _dropped} calibration tokens have activations that are NaN or infinite.");
        double limit = SmallestHeldBack();
        while (_byNorm.TryDequeue(out int slot, out (double Norm, long Order) key))
        {
            Span<float> token = _largest.Row(slot);
            float factor = key.Norm > limit ? (float)(limit / key.Norm) : 1f;
            foreach (ref float value in token) value *= factor;
            Append(token);
        }

        Flush();
        return new InputMoments(new LayerStatistics(Mean(_sum), _tokens), _crossSum is null ? null : Mean(_crossSum));
    }

    public void Dispose()
    {
        _sum.Dispose();
        _crossSum?.Dispose();
        _crossProduct?.Dispose();
        _pending.Dispose();
        _largest.Dispose();
    }

    private static double Norm(ReadOnlySpan<float> token)
    {
        double square = 0;
        foreach (float value in token) square += (double)value * value;
        return Math.Sqrt(square);
    }

    private Matrix<double> Mean(Matrix<double> sum)
    {
        var mean = new Matrix<double>(sum.Rows, sum.Columns);
        for (nint row = 0; row < mean.Rows; row++)
        {
            sum.Row(row).CopyTo(mean.Row(row));
            DoubleVectors.Scale(1.0 / _tokens, mean.Row(row));
        }

        return mean;
    }

    private double SmallestHeldBack() => _byNorm.TryPeek(out _, out (double Norm, long Order) key) ? key.Norm : 0;

    private void Append(ReadOnlySpan<float> token)
    {
        token.CopyTo(_pending.Row(_pendingCount++));
        if (_pendingCount == PendingRows) Flush();
    }

    private void Flush()
    {
        MatrixView<float> pending = _pending.RowRange(0, _pendingCount), tokens = pending.ColumnRange(0, _dimension);
        MatrixProduct.SymmetricRankK(tokens.Transposed, _sum.View, beta: 1, pool: _pool);
        if (_crossSum is not null && _crossProduct is not null)
        {
            MatrixProduct.Multiply(pending.ColumnRange(_dimension, _crossSum.Rows).Transposed, tokens, _crossProduct.View, pool: _pool);
            _pool.For(_crossSum.Rows, 16, (_crossProduct, _crossSum), static (start, end, state) =>
            {
                for (nint row = start; row < end; row++) DoubleVectors.AddScaled(1, state._crossProduct.Row(row), state._crossSum.Row(row));
            });
        }

        _pendingCount = 0;
    }
}
