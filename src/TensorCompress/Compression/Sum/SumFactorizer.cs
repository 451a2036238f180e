using TensorCompress.Kernels;
using TensorCompress.Numerics;
using TensorCompress.Tensors;

namespace TensorCompress.Compression.Sum;

/// <summary>
/// Fits the terms of a sum by turns, each by its own method to what the others leave, as CALDERA (Saha et al., arXiv 2405.18886) does for a low rank and a quantised residual. Where that ends
/// depends on the term that is fitted to W itself, so each has its turn at that for a round, and the best start goes on. What a term chose there (a split, say) it keeps. A fit that would raise the error is not taken: with statistics
/// the error is that of the outputs, otherwise that of the weights.
/// </summary>
internal sealed class SumFactorizer : IDisposable
{
    /// <summary>Rounds end when one gains less than this share of the error.</summary>
    private const double LeastGain = 1e-3;

    private readonly OutlierSplit _split;
    private readonly SumOptions _options;
    private readonly CompressionContext _context;
    private readonly IProgress<double>? _progress;
    private readonly Matrix<float> _sum;
    private Fit _best;

    public SumFactorizer(OutlierSplit split, SumOptions options, CompressionContext context, IProgress<double>? progress)
    {
        _split = split;
        _options = options;
        _context = context with { Statistics = split.Statistics };
        _progress = progress;
        _sum = new Matrix<float>(split.Target.Rows, split.Target.Columns);
        _best = new Fit(options.Terms.Count);
    }

    /// <summary>The error after each round, for tests.</summary>
    internal List<double> Errors { get; } = [];

    /// <summary>Fits.</summary>
    public void Run(CancellationToken cancellationToken)
    {
        int terms = _options.Terms.Count, rounds = terms == 1 ? 0 : _options.Rounds - 1;
        for (int first = 0; first < terms; first++)
        {
            var start = new Fit(terms);
            Round(start, first, cancellationToken);
            _progress?.Report((first + 1.0) / (terms + rounds));
            (_best, Fit other) = start.Error < _best.Error || first == 0 ? (start, _best) : (_best, start);
            other.Dispose();
        }

        Errors.Add(_best.Error);
        for (int round = 0; round < rounds; round++)
        {
            double before = _best.Error;
            Round(_best, 0, cancellationToken);
            Errors.Add(_best.Error);
            _progress?.Report((terms + round + 1.0) / (terms + rounds));
            if (_best.Error >= before * (1 - LeastGain)) break;
        }

        _progress?.Report(1);
    }

    /// <summary>The terms, which belong to the caller from now on.</summary>
    public CompressedWeight[] TakeTerms()
    {
        CompressedWeight[] terms = [.. _best.Terms.Select(term => term!)];
        Array.Clear(_best.Terms);
        return terms;
    }

    /// <summary>The columns beside the terms.</summary>
    public OutlierColumns Columns(MatrixView<float> weights) => _split.Solve(weights, Sum(_best), _options.ColumnType, _context.Pool);

    public void Dispose()
    {
        _best.Dispose();
        _sum.Dispose();
    }

    /// <summary>Fits every term once to what the others leave.</summary>
    private void Round(Fit fit, int first, CancellationToken cancellationToken)
    {
        for (int i = 0; i < fit.Terms.Length; i++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int term = (first + i) % fit.Terms.Length;
            using Matrix<float> rest = Difference(_split.Target, Sum(fit, except: term));
            MethodOptions options = fit.Terms[term]?.WithChoices(_options.Terms[term]) ?? _options.Terms[term];
            CompressedWeight candidate = options.Method.Compress(rest.View, options, _context, null, cancellationToken);
            Matrix<float> dense = candidate.ToDense();
            Matrix<float>? previous = fit.Dense[term];
            fit.Dense[term] = dense;
            double error = Error(Sum(fit));
            if (fit.Terms[term] is not null && error >= fit.Error)
            {
                candidate.Dispose();
                dense.Dispose();
                fit.Dense[term] = previous;
                continue;
            }

            fit.Terms[term]?.Dispose();
            previous?.Dispose();
            fit.Terms[term] = candidate;
            fit.Error = error;
        }
    }

    private double Error(Matrix<float> sum)
    {
        if (_split.Statistics is { } statistics) return statistics.OutputError(_split.Target.View, sum.View, _context.Pool);
        using Matrix<float> difference = Difference(_split.Target, sum);
        double square = 0;
        for (nint row = 0; row < difference.Rows; row++) square += DoubleVectors.SquaredNorm(difference.Row(row));
        return Math.Sqrt(square);
    }

    /// <summary>Adds the terms up that there are, in order.</summary>
    private Matrix<float> Sum(Fit fit, int except = -1)
    {
        for (nint row = 0; row < _sum.Rows; row++)
        {
            Span<float> values = _sum.Row(row);
            values.Clear();
            for (int term = 0; term < fit.Dense.Length; term++)
            {
                if (term != except && fit.Dense[term] is { } dense) Elementwise.Add(values, dense.Row(row), values);
            }
        }

        return _sum;
    }

    private static Matrix<float> Difference(Matrix<float> left, Matrix<float> right)
    {
        var difference = new Matrix<float>(left.Rows, left.Columns);
        for (nint row = 0; row < left.Rows; row++)
        {
            ReadOnlySpan<float> a = left.Row(row), b = right.Row(row);
            Span<float> values = difference.Row(row);
            for (int j = 0; j < values.Length; j++) values[j] = a[j] - b[j];
        }

        return difference;
    }

    /// <summary>Terms, those that are fitted so far, with what they stand for.</summary>
    private sealed class Fit(int terms) : IDisposable
    {
        public CompressedWeight?[] Terms { get; } = new CompressedWeight?[terms];

        public Matrix<float>?[] Dense { get; } = new Matrix<float>?[terms];

        public double Error { get; set; } = double.PositiveInfinity;

        public void Dispose()
        {
            foreach (CompressedWeight? term in Terms) term?.Dispose();
            foreach (Matrix<float>? dense in Dense) dense?.Dispose();
        }
    }
}
