using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Tucker;

/// <summary>
/// Fits <c>W ~ D (U (x) 1)</c>, D of a rank, in the metric of the inputs, <c>tr((W - W') H (W - W')^T)</c>, by turns: D by singular vectors, U by least squares, each exact while the other stays, so no
/// turn raises the error. The start is the HOSVD of the heads (De Lathauwer, De Moor, Vandewalle 2000) in the metric A (x) B of the partial traces of H. Without statistics H is 1, and the turns are those of
/// its orthogonal iteration.
/// </summary>
internal sealed class TuckerFactorizer : IDisposable
{
    /// <summary>Turns after the start.</summary>
    public const int DefaultSweeps = 4;

    /// <summary>Ridge of the metric, relative to its mean diagonal: only for inputs that were never active.</summary>
    private const double Ridge = 1e-6;

    private readonly int _channels;
    private readonly ComputePool _pool;
    private readonly double[]? _scales;
    private readonly Matrix<double> _metric;
    private readonly Matrix<double> _weighted; // W H, where W stands for diag(sqrt d) W if outputs do not matter alike
    private readonly Matrix<double> _directions; // directions of the heads, the leading ones first, [h, h]

    public TuckerFactorizer(MatrixView<float> weights, int channels, LayerStatistics? statistics, ComputePool pool)
    {
        _channels = channels;
        _pool = pool;
        _scales = statistics?.OutputScales();
        _metric = statistics?.Shrunk(0, Ridge) ?? Identity((int)weights.Columns);
        _weighted = new Matrix<double>(weights.Rows, weights.Columns);
        using var wide = new Matrix<double>(weights.Rows, weights.Columns);
        using var square = new Matrix<double>(weights.Columns, weights.Columns);
        for (nint i = 0; i < weights.Rows; i++)
        {
            ReadOnlySpan<float> source = weights.Row(i);
            Span<double> row = wide.Row(i);
            double scale = _scales?[i] ?? 1;
            for (int j = 0; j < row.Length; j++) row[j] = scale * source[j];
        }

        MatrixProduct.Multiply(wide, _metric, _weighted.View, pool: pool);
        MatrixProduct.SymmetricRankK(wide.Transposed, square.View, pool: pool);
        _directions = Directions(square);
        for (nint row = 0; row < weights.Rows; row++) SquaredNorm += DoubleVectors.Dot(wide.Row(row), _weighted.Row(row));
    }

    /// <summary>tr(W H W^T).</summary>
    public double SquaredNorm { get; }

    /// <summary>What the factors explain of <see cref="SquaredNorm"/>, after each turn of the last run.</summary>
    internal List<double> Explained { get; } = [];

    /// <summary>Fits the best of some shapes; which one that is, is judged before the turns.</summary>
    /// <param name="shapes">Shapes of the matrix, at least one.</param>
    /// <param name="sweeps">Turns.</param>
    /// <param name="progress">Told the share done; may be null.</param>
    /// <param name="cancellationToken">Looked at between turns.</param>
    public TuckerFactors Run(IReadOnlyList<TuckerShape> shapes, int sweeps, IProgress<double>? progress, CancellationToken cancellationToken)
    {
        TuckerShape shape = shapes.Count == 1 ? shapes[0] : shapes.MaxBy(candidate => ExplainedBy(candidate, cancellationToken))!;
        if (shape.HeadRank == shape.Heads) sweeps = 0; // all heads: one turn is the low rank that is best
        Matrix<double> mixer = Start(shape.HeadRank);
        for (int sweep = 0; ; sweep++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            (Matrix<double> outer, Matrix<double> inner) = FitCore(mixer, shape);
            using (outer)
            using (inner)
            {
                progress?.Report((sweep + 1.0) / (sweeps + 1));
                if (sweep == sweeps || Explained[^1] == 0)
                {
                    using (mixer) return Balance(shape, outer, inner, mixer);
                }

                mixer.Dispose();
                mixer = FitMixer(outer, inner, shape);
            }
        }
    }

    public void Dispose()
    {
        _metric.Dispose();
        _weighted.Dispose();
        _directions.Dispose();
    }

    /// <summary>L^-T Q with A = L L^T and Q the singular vectors, leading first, of L^T G L, where G is W^T W with its channels traced over B.</summary>
    private Matrix<double> Directions(Matrix<double> square)
    {
        int heads = (int)_metric.Rows / _channels;
        using Matrix<double> byHead = new(heads, heads), byChannel = new(_channels, _channels), traced = new(heads, heads), half = new(heads, heads), whitened = new(heads, heads);
        for (int head = 0; head < heads; head++)
        {
            for (int c = 0; c < _channels; c++)
            {
                ReadOnlySpan<double> row = _metric.Row(head * _channels + c);
                for (int other = 0; other < heads; other++) byHead[head, other] += row[other * _channels + c];
                for (int other = 0; other < _channels; other++) byChannel[c, other] += row[head * _channels + other];
            }
        }

        for (int head = 0; head < heads; head++)
        {
            for (int other = 0; other < heads; other++)
            {
                for (int c = 0; c < _channels; c++)
                    traced[head, other] += DoubleVectors.Dot(byChannel.Row(c), square.Row(head * _channels + c).Slice(other * _channels, _channels));
            }
        }

        using Cholesky root = Cholesky.FactorizeWithRidge(byHead.View, pool: _pool);
        MatrixProduct.Multiply(traced, root.Lower, half.View);
        MatrixProduct.Multiply(root.Lower.Transposed, half, whitened.View);
        using Matrix<double> leading = Leading(whitened, heads);
        Matrix<double> directions = Transpose(leading);
        root.SolveLowerTransposed(directions.View);
        return directions;
    }

    /// <summary>U of the HOSVD: what the leading directions span.</summary>
    private Matrix<double> Start(int headRank)
    {
        using var span = new Matrix<double>(_directions.Rows, headRank);
        _directions.View.ColumnRange(0, headRank).CopyTo(span.View);
        return Leading(span, headRank);
    }

    private double ExplainedBy(TuckerShape shape, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        using Matrix<double> mixer = Start(shape.HeadRank);
        (Matrix<double> outer, Matrix<double> inner) = FitCore(mixer, shape);
        using (outer)
        using (inner)
        {
            double explained = Explained[^1];
            Explained.Clear();
            return explained;
        }
    }

    /// <summary>The best D of the rank for given heads: with V = (U (x) 1)^T and V^T H V = L L^T, from the leading singular vectors of <c>W H V L^-T</c>.</summary>
    /// <returns>P^T, [k, m], orthonormal rows, and C, [k, (a, c)].</returns>
    private (Matrix<double> Outer, Matrix<double> Inner) FitCore(Matrix<double> mixer, TuckerShape shape)
    {
        int mixed = shape.MixedColumns;
        using Matrix<double> half = Mix(_metric, mixer), turned = Transpose(half), moment = Mix(turned, mixer), cross = Mix(_weighted, mixer), rows = Transpose(cross);
        using Cholesky root = Cholesky.FactorizeWithRidge(moment.View, pool: _pool);
        root.SolveLower(rows.View); // [(a, c), m]
        using SingularValueDecomposition svd = Svd.Truncated(rows.View, shape.Rank, _pool);
        Explained.Add(svd.Values.ToArray().Sum(value => value * value));
        using var columns = new Matrix<double>(mixed, shape.Rank);
        for (int k = 0; k < svd.Rank; k++)
        {
            for (int j = 0; j < mixed; j++) columns[j, k] = svd.Values[k] * svd.LeftTransposed[k, j];
        }

        root.SolveLowerTransposed(columns.View);
        var outer = new Matrix<double>(shape.Rank, shape.Rows);
        svd.RightTransposed.View.CopyTo(outer.RowRange(0, svd.Rank));
        return (outer, Transpose(columns));
    }

    /// <summary>The best heads for a given D: least squares with as many unknowns as U has elements, then made orthonormal, which keeps what they span.</summary>
    private Matrix<double> FitMixer(Matrix<double> outer, Matrix<double> inner, TuckerShape shape)
    {
        (int Head, int Other)[] unknowns = [.. Enumerable.Range(0, shape.Heads).SelectMany(head => Enumerable.Range(0, shape.HeadRank).Select(a => (head, a)))];
        using Matrix<double> square = new(shape.MixedColumns, shape.MixedColumns), projected = new(shape.Rank, shape.Columns), cross = new(shape.Columns, shape.MixedColumns);
        MatrixProduct.SymmetricRankK(inner.Transposed, square.View, pool: _pool); // D^T D, as P has orthonormal columns
        MatrixProduct.Multiply(outer, _weighted, projected.View, pool: _pool);
        MatrixProduct.Multiply(projected.Transposed, inner, cross.View, pool: _pool); // H W^T D
        using Matrix<double> normal = Pair(square, unknowns), right = new(unknowns.Length, 1), solved = new(shape.Heads, shape.HeadRank);
        for (int row = 0; row < unknowns.Length; row++)
        {
            for (int c = 0; c < _channels; c++) right[row, 0] += cross[unknowns[row].Head * _channels + c, unknowns[row].Other * _channels + c];
        }

        using Cholesky root = Cholesky.FactorizeWithRidge(normal.View, pool: _pool);
        root.Solve(right.View);
        for (int row = 0; row < unknowns.Length; row++) solved[unknowns[row].Head, unknowns[row].Other] = right[row, 0];
        return Leading(solved, shape.HeadRank);
    }

    /// <summary>sum over c, c' of H[(h, c), (h', c')] E[(a, c), (a', c')] for every two of the pairs (h, a).</summary>
    private Matrix<double> Pair(Matrix<double> other, (int Head, int Other)[] pairs)
    {
        var result = new Matrix<double>(pairs.Length, pairs.Length);
        _pool.For(pairs.Length, 1, (start, end) =>
        {
            for (int row = (int)start; row < (int)end; row++)
            {
                for (int column = 0; column < pairs.Length; column++)
                {
                    double sum = 0;
                    for (int c = 0; c < _channels; c++)
                    {
                        ReadOnlySpan<double> moments = _metric.Row(pairs[row].Head * _channels + c), others = other.Row(pairs[row].Other * _channels + c);
                        sum += DoubleVectors.Dot(moments.Slice(pairs[column].Head * _channels, _channels), others.Slice(pairs[column].Other * _channels, _channels));
                    }

                    result[row, column] = sum;
                }
            }
        });
        return result;
    }

    /// <summary>Takes the heads of every row together: [r, (h, c)] to [r, (a, c)].</summary>
    private Matrix<double> Mix(Matrix<double> rows, Matrix<double> mixer)
    {
        var mixed = new Matrix<double>(rows.Rows, mixer.Rows * _channels);
        _pool.For(rows.Rows, 16, (start, end) =>
        {
            for (nint row = start; row < end; row++)
            {
                ReadOnlySpan<double> source = rows.Row(row);
                Span<double> destination = mixed.Row(row);
                for (int a = 0; a < mixer.Rows; a++)
                {
                    for (int head = 0; head < mixer.Columns; head++)
                        DoubleVectors.AddScaled(mixer[a, head], source.Slice(head * _channels, _channels), destination.Slice(a * _channels, _channels));
                }
            }
        });
        return mixed;
    }

    /// <summary>The leading left singular vectors, as rows.</summary>
    private Matrix<double> Leading(Matrix<double> matrix, int count)
    {
        using SingularValueDecomposition svd = Svd.Truncated(matrix.View, count, _pool);
        var leading = new Matrix<double>(count, matrix.Rows);
        svd.LeftTransposed.View.CopyTo(leading.RowRange(0, svd.Rank));
        return leading;
    }

    private static Matrix<double> Transpose(Matrix<double> matrix)
    {
        var transposed = new Matrix<double>(matrix.Columns, matrix.Rows);
        for (nint i = 0; i < matrix.Rows; i++)
        {
            ReadOnlySpan<double> row = matrix.Row(i);
            for (int j = 0; j < row.Length; j++) transposed[j, i] = row[j];
        }

        return transposed;
    }

    private static Matrix<double> Identity(int dimension)
    {
        var identity = new Matrix<double>(dimension, dimension);
        for (int i = 0; i < dimension; i++) identity[i, i] = 1;
        return identity;
    }

    /// <summary>Spreads the norms over P and C, so that sixteen bits hold both, and divides what importance had scaled.</summary>
    private TuckerFactors Balance(TuckerShape shape, Matrix<double> outerTransposed, Matrix<double> innerRows, Matrix<double> mixerRows)
    {
        Matrix<float> outer = new(shape.Rows, shape.Rank), inner = new(shape.Rank, shape.MixedColumns), mixer = new(shape.HeadRank, shape.Heads);
        for (int k = 0; k < shape.Rank; k++)
        {
            Span<double> left = outerTransposed.Row(k), right = innerRows.Row(k);
            double root = Math.Sqrt(Math.Sqrt(DoubleVectors.Dot(right, right))); // the left vector has length 1
            for (int j = 0; j < left.Length; j++) outer[j, k] = (float)(left[j] * root / (_scales?[j] ?? 1));
            for (int j = 0; j < right.Length; j++) inner[k, j] = root == 0 ? 0 : (float)(right[j] / root);
        }

        for (int a = 0; a < shape.HeadRank; a++)
        {
            for (int head = 0; head < shape.Heads; head++) mixer[a, head] = (float)mixerRows[a, head];
        }

        return new TuckerFactors(shape, outer, inner, mixer);
    }
}
