using TensorCompress.Tensors;

namespace TensorCompress.Compression.Mpo.Fitting;

/// <summary>
/// The choice of the split for a fit of the outputs: candidates of equal parameters are fitted for a sweep, the best are fitted on, the best of these to the end. One candidate is the
/// split that makes the operator a product of two matrices, fitted exactly; so the result is never worse than the whitened low-rank factorisation of as many parameters.
/// </summary>
internal static class SplitRace
{
    /// <summary>
    /// After so many sweeps a candidate goes on whose loss is at most <c>Behind</c> times the least, and which could still reach the exact one: of the loss at that time at least <c>Fall</c> was left
    /// at the end where it won. Of seventy races with nobody taken out (benchmarks/results/AMD-EPYC-Zen3/mpo.md) the first sweep had 68 winners in front.
    /// </summary>
    private static readonly (int Sweeps, double Behind, double Fall)[] Looks = [(1, 1.1, 0.85), (2, 1, 0.93)];

    /// <summary>Fits and chooses.</summary>
    /// <param name="problem">W with its default split.</param>
    /// <param name="candidates">Splits to try.</param>
    /// <param name="budget">What each may have.</param>
    /// <param name="statistics">H.</param>
    /// <param name="options">Ridge and sweeps.</param>
    /// <param name="progress">Told the share done; may be null.</param>
    /// <param name="cancellationToken">Looked at often.</param>
    public static MatrixProductOperator Run(
        FitProblem problem, IReadOnlyList<SiteFactors> candidates, SplitBudget budget, LayerStatistics statistics, MpoOptions options,
        IProgress<double>? progress, CancellationToken cancellationToken)
    {
        var runners = new List<OutputFit>();
        try
        {
            // Candidates may be padded to different sizes, so each has its own metric.
            var metrics = new Dictionary<int, Matrix<double>>();
            foreach (SiteFactors factors in candidates)
            {
                FitProblem split = problem.With(factors);
                if (!metrics.TryGetValue(factors.InputDimension, out Matrix<double>? metric)) metrics.Add(factors.InputDimension, metric = split.Metric(statistics, options.Ridge));
                runners.Add(Runner(split, metric, budget, cancellationToken));
            }

            OutputFit best = Race(runners, options.Sweeps, progress, cancellationToken);
            foreach (Matrix<double> metric in metrics.Values) metric.Dispose();
            return best.ToOperator();
        }
        finally
        {
            foreach (OutputFit runner in runners) runner.Dispose();
        }
    }

    /// <summary>The fit of one candidate before its first sweep.</summary>
    /// <param name="split">W with its split.</param>
    /// <param name="metric">H of its size; stays the caller's.</param>
    /// <param name="budget">What it may have.</param>
    /// <param name="cancellationToken">Looked at often.</param>
    public static OutputFit Runner(FitProblem split, Matrix<double> metric, SplitBudget budget, CancellationToken cancellationToken)
    {
        int[] bonds = budget.Largest(split.Factors);
        return new OutputFit(split, metric, MpoTruncation.ToBonds(bonds[1..^1]), bonds, other => budget.Allows(split.Factors, other), cancellationToken);
    }

    private static OutputFit Race(IReadOnlyList<OutputFit> runners, int sweeps, IProgress<double>? progress, CancellationToken cancellationToken)
    {
        OutputFit[] running = [.. runners.Where(runner => !runner.IsExact)];
        double exact = runners.Where(runner => runner.IsExact).Select(runner => runner.Loss!.Value).DefaultIfEmpty(double.PositiveInfinity).Min();
        int done = 0;
        foreach ((int until, double behind, double fall) in (IEnumerable<(int, double, double)>)[.. Looks, (sweeps, 1, 1)])
        {
            int next = Math.Min(until, sweeps) - done;
            if (next <= 0 || running.Length == 0) break;
            foreach (OutputFit runner in running) runner.Run(next, progress: null, cancellationToken);
            done += next;
            progress?.Report((double)done / sweeps);
            double? least = running.Min(runner => runner.Loss);
            running = [.. running.Where(runner => runner.Loss <= behind * least && fall * runner.Loss < exact)];
        }

        return runners.MinBy(runner => runner.Loss ?? double.PositiveInfinity)!; // none is known without sweeps but the exact one
    }
}
