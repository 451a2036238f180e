using TensorCompress.Tensors;

namespace TensorCompress.Compression.Mpo.Fitting;

/// <summary>
/// The smallest bond dimension whose fitted operator keeps a tolerance of the outputs' error. No singular value says that error: whitened ones are in a metric that is only near, and sweeps lower what they
/// leave out. So it is measured, fit by fit, between a bond dimension that does not keep it and one that does; with all bonds the operator is W itself, so that there is always one.
/// </summary>
internal sealed class ToleranceSearch
{
    private readonly FitProblem _problem;
    private readonly MatrixView<float> _weights;
    private readonly LayerStatistics _statistics;
    private readonly double _tolerance;

    /// <summary>Prepares a search.</summary>
    /// <param name="problem">W and its split.</param>
    /// <param name="weights">W.</param>
    /// <param name="statistics">The metric of the outputs.</param>
    /// <param name="tolerance">The most that <see cref="LayerStatistics.OutputError"/> may be.</param>
    public ToleranceSearch(FitProblem problem, MatrixView<float> weights, LayerStatistics statistics, double tolerance)
    {
        _problem = problem;
        _weights = weights;
        _statistics = statistics;
        _tolerance = tolerance;
    }

    /// <summary>Searches.</summary>
    /// <param name="guess">The bond dimension that is fitted first.</param>
    /// <param name="fit">Fits with a limit of every bond; it is told where to report the share done.</param>
    /// <param name="progress">Told the share done; may be null.</param>
    /// <param name="cancellationToken">Looked at often.</param>
    /// <returns>The operator of the smallest limit found: with the next smaller one the error was above the tolerance.</returns>
    public MatrixProductOperator Run(int guess, Func<int, IProgress<double>?, MatrixProductOperator> fit, IProgress<double>? progress, CancellationToken cancellationToken)
    {
        // An error of 1 is that of no bond at all. Near the last bonds the error falls to 0 steeply: its logarithm there says nothing of those before.
        int low = 0, high = (int)_problem.Factors.UsefulBonds().DefaultIfEmpty(1).Max(), next = guess;
        double least = _tolerance / 10, lowError = 1, highError = least, done = 0;
        MatrixProductOperator? kept = null;
        try
        {
            for (bool halves = false; high - low > 1 && _tolerance > 0; halves = !halves)
            {
                cancellationToken.ThrowIfCancellationRequested();
                int chi = Math.Clamp(next, low + 1, high - 1);
                double before = done, share = (1 - done) / (1 + Math.Log2(high - low)); // about as many steps are left
                MatrixProductOperator chain = fit(chi, progress is null ? null : new Part(progress, before, share));
                double error = Error(chain);
                if (error <= _tolerance)
                {
                    kept?.Dispose();
                    (kept, high, highError) = (chain, chi, Math.Max(error, least));
                }
                else
                {
                    chain.Dispose();
                    (low, lowError) = (chi, Math.Min(error, 1));
                }

                // By turns where a line between the logarithms of both errors meets the tolerance, an eighth away from the ends at least, and half-way.
                int width = high - low, margin = width / 8;
                next = halves ? low + width / 2 : Math.Clamp(low + (int)(width * Math.Log(lowError / _tolerance) / Math.Log(lowError / highError)), low + margin, high - margin);
                progress?.Report(done = before + share);
            }

            kept ??= Exact(cancellationToken);
        }
        catch
        {
            kept?.Dispose();
            throw;
        }

        progress?.Report(1);
        return kept;
    }

    private double Error(MatrixProductOperator chain)
    {
        using var dense = new Matrix<float>(_weights.Rows, _weights.Columns);
        chain.ToDense(dense.View, _problem.Pool);
        return _statistics.OutputError(_weights, dense.View, _problem.Pool);
    }

    /// <summary>W with all bonds that carry something.</summary>
    private MatrixProductOperator Exact(CancellationToken cancellationToken)
    {
        SiteFactors factors = _problem.Factors;
        return TensorTrainSvd.Decompose(
            _problem.Rows, _problem.Columns, factors, _problem.Unfold(), MpoTruncation.ToTolerance(0), factors.Bonds(int.MaxValue), _problem.Pool, progress: null, cancellationToken);
    }

    /// <summary>A part of the whole.</summary>
    private sealed class Part(IProgress<double> whole, double start, double share) : IProgress<double>
    {
        public void Report(double value) => whole.Report(start + share * value);
    }
}
