using TensorCompress.Tensors;

namespace TensorCompress.Compression.Mpo.Fitting;

/// <summary>
/// The choice of the split for a fit of the outputs: candidates of equal parameters are fitted for a few sweeps, the better half goes on, the best is fitted to the end. One candidate is the
/// split that makes the operator a product of two matrices, fitted exactly; so the result is never worse than the whitened low-rank factorisation of as many parameters.
/// </summary>
internal static class SplitRace
{
    private const int FirstSweeps = 2;

    /// <summary>From the first two sweeps to its end, and from the fourth, a loss was never seen to fall to less than this share (layers of SmolLM2-135M at half of their parameters).</summary>
    private const double MostFall = 0.6, MostLaterFall = 0.8;

    /// <summary>Fits and chooses.</summary>
    /// <param name="problem">W with its default split.</param>
    /// <param name="candidates">Splits to try.</param>
    /// <param name="parameters">What each may have.</param>
    /// <param name="statistics">H.</param>
    /// <param name="options">Ridge and sweeps.</param>
    /// <param name="progress">Told the share done; may be null.</param>
    /// <param name="cancellationToken">Looked at often.</param>
    public static MatrixProductOperator Run(
        FitProblem problem, IReadOnlyList<SiteFactors> candidates, long parameters, LayerStatistics statistics, MpoOptions options,
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
                int[] bonds = MpoTruncation.LargestWithin(factors, parameters);
                runners.Add(new OutputFit(split, metric, MpoTruncation.ToBonds(bonds[1..^1]), bonds, other => factors.ParameterCount(other) <= parameters, cancellationToken));
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

    private static OutputFit Race(IReadOnlyList<OutputFit> runners, int sweeps, IProgress<double>? progress, CancellationToken cancellationToken)
    {
        OutputFit[] running = [.. runners.Where(runner => !runner.IsExact)];
        double exact = runners.Where(runner => runner.IsExact).Select(runner => runner.Loss!.Value).DefaultIfEmpty(double.PositiveInfinity).Min();
        for (int done = 0; done < sweeps && running.Length > 0;)
        {
            int next = running.Length == 1 ? sweeps - done : Math.Min(FirstSweeps, sweeps - done);
            foreach (OutputFit runner in running) runner.Run(next, progress: null, cancellationToken);
            done += next;
            progress?.Report((double)done / sweeps);
            double fall = done <= FirstSweeps ? MostFall : MostLaterFall;
            running = [.. running.OrderBy(runner => runner.Loss).Take(Math.Max(1, running.Length / 2)).Where(runner => fall * runner.Loss < exact)]; // a stable sort
        }

        return runners.MinBy(runner => runner.Loss ?? double.PositiveInfinity)!; // none is known without sweeps but the exact one
    }
}
