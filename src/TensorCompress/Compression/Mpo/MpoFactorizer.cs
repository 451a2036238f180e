using TensorCompress.Compression.Mpo.Fitting;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Mpo;

/// <summary>Makes matrix product operators of matrices: the choice of the split, TT-SVD, and with statistics of the inputs the fit of the outputs.</summary>
public static class MpoFactorizer
{
    /// <summary>Factorises a matrix.</summary>
    /// <param name="weights">W, [output, input], finite; only read.</param>
    /// <param name="options">Truncation, split, fit; the format of the cores counts for a limit in bytes only.</param>
    /// <param name="pool">Threads; null for the shared pool. The result does not depend on their number.</param>
    /// <param name="statistics">What is known of the inputs; null for nothing.</param>
    /// <param name="progress">Told the share done, 0 to 1; may be null.</param>
    /// <param name="cancellationToken">Looked at often.</param>
    /// <returns>Cores of about the same norm, with the singular values of each bond spread over its two neighbours as square roots.</returns>
    /// <exception cref="ArgumentException">
    /// A weight is NaN or infinite, factors or truncation do not fit the shape, the statistics are of another size, or a fit needs statistics and there are none.
    /// </exception>
    public static MatrixProductOperator Factorize(
        MatrixView<float> weights, MpoOptions options, ComputePool? pool = null, LayerStatistics? statistics = null,
        IProgress<double>? progress = null, CancellationToken cancellationToken = default)
    {
        pool ??= ComputePool.Shared;
        using MatrixProductOperator chain = Fit(weights, options, pool, statistics, progress, cancellationToken);
        MatrixProductOperator balanced = chain.Balanced();
        balanced.MeasureError(weights, pool);
        return balanced;
    }

    /// <summary><see cref="Factorize"/> before its cores are balanced and its error measured.</summary>
    internal static MatrixProductOperator Fit(
        MatrixView<float> weights, MpoOptions options, ComputePool pool, LayerStatistics? statistics, IProgress<double>? progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(options);
        FiniteWeights.ThrowIfNot(weights, nameof(weights));
        statistics?.ThrowIfUnfit(weights);
        int rows = checked((int)weights.Rows), columns = checked((int)weights.Columns);
        MpoFit fit = options.Fit == MpoFit.Automatic ? (statistics is null ? MpoFit.Weights : MpoFit.Alternating) : options.Fit;
        if (fit != MpoFit.Weights && statistics is null)
            throw new ArgumentException($"The fit \"{MpoMethod.FitName(fit)}\" needs statistics of the layer's inputs: give calibration text.", nameof(options));

        SiteFactors factors = options.Factors ?? SiteFactors.Balanced(rows, columns, options.Sites);
        factors.ThrowIfUnfit(rows, columns);
        if (options.Search && options.Factors is null && options.Sites > 1)
            factors = FactorSearch.Best(new FitProblem(weights, factors, pool), options, fit == MpoFit.Weights ? null : statistics, cancellationToken);
        int[] limits = options.Truncation.Limits(factors, (long)rows * columns, options.Cores);

        var problem = new FitProblem(weights, factors, pool);
        if (fit == MpoFit.Weights)
            return TensorTrainSvd.Decompose(rows, columns, factors, problem.Unfold(), options.Truncation, limits, pool, progress, cancellationToken);
        using Matrix<double> metric = problem.Metric(statistics!, options.Ridge);
        MatrixProductOperator start = WhitenedStart.Decompose(problem, metric, diagonal: fit == MpoFit.Diagonal, options.Truncation, limits, cancellationToken);
        if (fit != MpoFit.Alternating || options.Sweeps == 0) return start;
        using (start)
        {
            using var alternating = new AlternatingFit(problem, metric, start);
            return alternating.Run(options.Sweeps, progress, cancellationToken);
        }
    }
}
