using TensorCompress.Tensors;

namespace TensorCompress.Compression.Sum;

/// <summary>
/// Fits the terms of a sum by turns, each by its own method to what the others leave, as CALDERA (Saha et al., arXiv 2405.18886) does for a low rank and a quantised residual. A fit that
/// would raise the error is not taken, so no round raises it: with statistics the error is that of the outputs, otherwise that of the weights.
/// </summary>
internal sealed class SumFactorizer : IDisposable
{
    /// <summary>Rounds end when one gains less than this share of the error.</summary>
    private const double LeastGain = 1e-3;

    private readonly OutlierSplit _split;
    private readonly SumOptions _options;
    private readonly CompressionContext _context;
    private readonly IProgress<double>? _progress;
    private readonly CompressedWeight?[] _terms;
    private readonly Matrix<float>[] _dense;
    private readonly Matrix<float> _sum;

    public SumFactorizer(OutlierSplit split, SumOptions options, CompressionContext context, IProgress<double>? progress)
    {
        _split = split;
        _options = options;
        _context = context with { Statistics = split.Statistics };
        _progress = progress;
        _terms = new CompressedWeight?[options.Terms.Count];
        _sum = new Matrix<float>(split.Target.Rows, split.Target.Columns);
        _dense = [.. _terms.Select(_ => new Matrix<float>(_sum.Rows, _sum.Columns))];
    }

    /// <summary>The error after each round, for tests.</summary>
    internal List<double> Errors { get; } = [];

    /// <summary>Fits.</summary>
    public void Run(CancellationToken cancellationToken)
    {
        int rounds = _terms.Length == 1 ? 1 : _options.Rounds;
        double error = double.PositiveInfinity;
        for (int round = 0; round < rounds; round++)
        {
            double before = error;
            for (int term = 0; term < _terms.Length; term++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                error = Fit(term, error, cancellationToken);
                _progress?.Report((round * _terms.Length + term + 1.0) / (rounds * _terms.Length));
            }

            Errors.Add(error);
            if (error >= before * (1 - LeastGain)) break;
        }

        _progress?.Report(1);
    }

    /// <summary>The terms, which belong to the caller from now on.</summary>
    public CompressedWeight[] TakeTerms()
    {
        CompressedWeight[] terms = [.. _terms.Select(term => term!)];
        Array.Clear(_terms);
        return terms;
    }

    /// <summary>The columns beside the terms.</summary>
    public OutlierColumns Columns(MatrixView<float> weights) => _split.Solve(weights, _sum, _options.ColumnType, _context.Pool);

    public void Dispose()
    {
        foreach (CompressedWeight? term in _terms) term?.Dispose();
        foreach (Matrix<float> dense in _dense) dense.Dispose();
        _sum.Dispose();
    }

    /// <summary>Fits one term to what the others leave.</summary>
    /// <returns>The error, not above what it was.</returns>
    private double Fit(int term, double error, CancellationToken cancellationToken)
    {
        using Matrix<float> rest = Difference(_split.Target, Sum(except: term));
        MethodOptions options = _options.Terms[term];
        CompressedWeight candidate = options.Method.Compress(rest.View, options, _context, null, cancellationToken);
        Matrix<float> dense = candidate.ToDense(), previous = _dense[term];
        _dense[term] = dense;
        double after = Error();
        if (_terms[term] is not null && after >= error)
        {
            candidate.Dispose();
            dense.Dispose();
            _dense[term] = previous;
            Sum();
            return error;
        }

        _terms[term]?.Dispose();
        previous.Dispose();
        _terms[term] = candidate;
        return after;
    }

    private double Error()
    {
        Matrix<float> sum = Sum();
        if (_split.Statistics is { } statistics) return statistics.OutputError(_split.Target.View, sum.View, _context.Pool);
        using Matrix<float> difference = Difference(_split.Target, sum);
        double square = 0;
        for (nint row = 0; row < difference.Rows; row++) square += Numerics.DoubleVectors.SquaredNorm(difference.Row(row));
        return Math.Sqrt(square);
    }

    /// <summary>Adds the terms up, in order.</summary>
    private Matrix<float> Sum(int except = -1)
    {
        for (nint row = 0; row < _sum.Rows; row++)
        {
            Span<float> values = _sum.Row(row);
            values.Clear();
            for (int term = 0; term < _dense.Length; term++)
            {
                if (term != except) Kernels.Elementwise.Add(values, _dense[term].Row(row), values);
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
}
