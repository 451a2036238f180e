using TensorCompress.Compression.Mpo.Fitting;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Mpo;

/// <summary>Makes matrix product operators of matrices: the choice of the split, TT-SVD, and with statistics of the inputs the fit of the outputs.</summary>
public static class MpoFactorizer
{
    /// <summary>Larger dimensions have a split chosen only where that is asked for.</summary>
    private const int LargestChosen = 2048;

    /// <summary>Factorises a matrix.</summary>
    /// <param name="weights">W, [output, input], finite; only read.</param>
    /// <param name="options">Truncation, split, fit; the format of the cores counts for a limit in bytes only.</param>
    /// <param name="pool">Threads; null for the shared pool. The result does not depend on their number.</param>
    /// <param name="statistics">What is known of the inputs; null for nothing.</param>
    /// <param name="heads">The attention heads that W is made of, for the choice of the split; null for none.</param>
    /// <param name="progress">Told the share done, 0 to 1; may be null.</param>
    /// <param name="cancellationToken">Looked at often.</param>
    /// <returns>Cores of about the same norm, with the singular values of each bond spread over its two neighbours as square roots.</returns>
    /// <exception cref="ArgumentException">
    /// A weight is NaN or infinite, factors, truncation or heads do not fit the shape, the statistics are of another size or their second moment is not positive semi-definite, or a fit needs statistics and
    /// there are none.
    /// </exception>
    public static MatrixProductOperator Factorize(
        MatrixView<float> weights, MpoOptions options, ComputePool? pool = null, LayerStatistics? statistics = null, AttentionHeads? heads = null,
        IProgress<double>? progress = null, CancellationToken cancellationToken = default)
    {
        pool ??= ComputePool.Shared;
        using MatrixProductOperator chain = Fit(weights, options, pool, statistics, heads, progress, cancellationToken);
        MatrixProductOperator balanced = chain.Balanced();
        balanced.MeasureError(weights, pool);
        return balanced;
    }

    /// <summary><see cref="Factorize"/> before its cores are balanced and its error measured.</summary>
    internal static MatrixProductOperator Fit(
        MatrixView<float> weights, MpoOptions options, ComputePool pool, LayerStatistics? statistics, AttentionHeads? heads, IProgress<double>? progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(options);
        FiniteWeights.ThrowIfNot(weights, nameof(weights));
        statistics?.ThrowIfUnfit(weights);
        MpoFit fit = options.Fit == MpoFit.Automatic ? (statistics is null ? MpoFit.Weights : MpoFit.Alternating) : options.Fit;
        if (fit != MpoFit.Weights && statistics is null)
            throw new ArgumentException($"The fit \"{MpoMethod.FitName(fit)}\" needs statistics of the layer's inputs: give calibration text.", nameof(options));

        int rows = checked((int)weights.Rows), columns = checked((int)weights.Columns);
        options.ThrowIfUnfit(rows, columns, heads);
        try
        {
            return Fit(weights, options, fit, pool, statistics, heads?.OfWidth(options.HeadDimension), progress, cancellationToken);
        }
        catch (ArithmeticException fault) when (statistics is not null && fault is not (OverflowException or DivideByZeroException))
        {
            throw new ArgumentException($"The cores cannot be fitted with these statistics: is the inputs' second moment positive semi-definite? {fault.Message}", nameof(statistics), fault);
        }
    }

    /// <summary>The same after its checks, with the fit chosen.</summary>
    private static MatrixProductOperator Fit(
        MatrixView<float> weights, MpoOptions options, MpoFit fit, ComputePool pool, LayerStatistics? statistics, AttentionHeads? heads, IProgress<double>? progress, CancellationToken cancellationToken)
    {
        int rows = checked((int)weights.Rows), columns = checked((int)weights.Columns);
        SiteFactors factors = options.Factors ?? Usual(rows, columns, options, heads);
        factors.ThrowIfUnfit(rows, columns);
        var problem = new FitProblem(weights, factors, pool, statistics?.OutputScales());
        int[] limits = options.Truncation.Limits(factors, (long)rows * columns, options.Cores);
        MpoTruncation truncation = options.Truncation;
        if (ChoosesSplit(options, fit, rows, columns))
        {
            // Equal parameters: what the default split takes at this truncation.
            var budget = new SplitBudget(truncation.Share is double share ? (long)(share * rows * columns) : factors.ParameterCount(limits), truncation.Bytes, options.Cores);
            if (fit == MpoFit.Alternating && factors.Sites == 2)
                return SplitRace.Run(problem, FactorSearch.Mixed(problem, options, budget, heads, statistics!, cancellationToken), budget, statistics!, options, progress, cancellationToken);
            problem = problem.With(FactorSearch.Best(problem, options, budget, heads, fit == MpoFit.Weights ? null : statistics, cancellationToken));
            factors = problem.Factors;
            limits = budget.Largest(factors);
        }

        if (fit == MpoFit.Weights)
            return TensorTrainSvd.Decompose(rows, columns, factors, problem.Unfold(), truncation, limits, pool, progress, cancellationToken);
        using Matrix<double> metric = problem.Metric(statistics!, options.Ridge);
        if (truncation.Tolerance is not double tolerance) return FitOutputs(problem, metric, fit, truncation, limits, options, progress, cancellationToken);
        var search = new ToleranceSearch(problem, weights, statistics!, tolerance);
        return search.Run(Guess(problem, metric, fit, truncation, limits, cancellationToken), Limited, progress, cancellationToken);

        MatrixProductOperator Limited(int chi, IProgress<double>? part) =>
            FitOutputs(problem, metric, fit, MpoTruncation.ToChi(chi), factors.Bonds(chi), options, part, cancellationToken);
    }

    /// <summary>The fit of the outputs with one split.</summary>
    private static MatrixProductOperator FitOutputs(
        FitProblem problem, Matrix<double> metric, MpoFit fit, MpoTruncation truncation, int[] limits, MpoOptions options, IProgress<double>? progress, CancellationToken cancellationToken)
    {
        if (fit != MpoFit.Alternating)
        {
            using var whitening = new Whitening(problem, metric, diagonal: fit == MpoFit.Diagonal);
            using MatrixProductOperator white = whitening.Decompose(truncation, limits, cancellationToken);
            return whitening.Restore(white);
        }

        bool Fits(int[] bonds) => truncation.Allows(problem.Factors, bonds, limits, (long)problem.Rows * problem.Columns, options.Cores);
        using var outputs = new OutputFit(problem, metric, truncation, limits, Fits, cancellationToken);
        outputs.Run(options.Sweeps, progress, cancellationToken);
        return outputs.ToOperator();
    }

    /// <summary>The bond dimension that a tolerance of the outputs' error would take if the inputs were white in the coordinates of the start.</summary>
    private static int Guess(FitProblem problem, Matrix<double> metric, MpoFit fit, MpoTruncation truncation, int[] limits, CancellationToken cancellationToken)
    {
        using var whitening = new Whitening(problem, metric, diagonal: fit == MpoFit.Diagonal);
        using MatrixProductOperator white = whitening.Decompose(truncation, limits, cancellationToken);
        return white.BondDimensions.Max();
    }

    /// <summary>The split where none is chosen, which minds heads only where the options say how wide they are.</summary>
    private static SiteFactors Usual(int rows, int columns, MpoOptions options, AttentionHeads? heads) =>
        heads is null || options.HeadDimension is null ? SiteFactors.Balanced(rows, columns, options.Sites) : SiteFactors.Balanced(rows, columns, options.Sites, heads);

    /// <summary>Whether the split is looked for: where that is asked for, and by default in fits of the outputs to a budget, unless the layer is so large that one fit is enough to wait for.</summary>
    private static bool ChoosesSplit(MpoOptions options, MpoFit fit, int rows, int columns)
    {
        if (options.Factors is not null || options.Sites == 1) return false;
        bool isBudget = options.Truncation.Share is not null || options.Truncation.Bytes is not null;
        if (!options.Search) return options.Fit == MpoFit.Automatic && fit == MpoFit.Alternating && options.Sites == 2 && isBudget && Math.Max(rows, columns) <= LargestChosen;
        if (options.Truncation.Tolerance is not null)
            throw new ArgumentException("A search compares splits of equal parameters: give a bond dimension, a share or bytes, not a tolerance.", nameof(options));
        return true;
    }
}
