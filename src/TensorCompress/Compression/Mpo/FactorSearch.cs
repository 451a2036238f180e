using TensorCompress.Compression.Mpo.Fitting;
using TensorCompress.Tensors;

namespace TensorCompress.Compression.Mpo;

/// <summary>
/// Looks for the split of rows and columns whose unfoldings leave the least out at equal parameters. The candidates are ordered factorisations with sites of about the same size,
/// and those with a boundary at an attention head; each is scored by the tails of its singular values, in the metric of the inputs where that is known.
/// </summary>
internal static class FactorSearch
{
    private const int MostCandidates = 96;

    /// <summary>The largest site may have this many times the elements of the smallest.</summary>
    private const double MostUneven = 4;

    /// <summary>Finds the best split.</summary>
    /// <param name="problem">W with its default split.</param>
    /// <param name="options">Truncation, sites, head dimension, ridge.</param>
    /// <param name="statistics">The inputs' second moment; null for the plain error.</param>
    /// <param name="cancellationToken">Looked at before every candidate.</param>
    public static SiteFactors Best(FitProblem problem, MpoOptions options, LayerStatistics? statistics, CancellationToken cancellationToken)
    {
        // Equal parameters: what the default split takes at this truncation.
        int[] limits = options.Truncation.Limits(problem.Factors, (long)problem.Rows * problem.Columns, options.Cores);
        long parameters = problem.Factors.ParameterCount(limits);
        SiteFactors best = problem.Factors;
        double bestError = double.PositiveInfinity;
        foreach (SiteFactors candidate in Candidates(problem, options))
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (candidate.ParameterCount(candidate.Bonds(1)) > parameters) continue;
            double error = Error(problem.With(candidate), parameters, statistics, options.Ridge);
            if (error < bestError) (best, bestError) = (candidate, error);
        }

        return best;
    }

    /// <summary>The default split first, then others, the most even first.</summary>
    public static IReadOnlyList<SiteFactors> Candidates(FitProblem problem, MpoOptions options)
    {
        List<int[]> outputs = Ordered(problem.Factors.OutputDimension, options.Sites), inputs = Ordered(problem.Factors.InputDimension, options.Sites);
        var candidates = new List<(SiteFactors Factors, double Unevenness)>();
        foreach (int[] o in outputs)
        {
            foreach (int[] i in inputs)
            {
                var factors = new SiteFactors(o, i);
                double[] sizes = [.. o.Zip(i, (a, b) => (double)a * b)];
                double unevenness = sizes.Max() / sizes.Min();
                bool keepsHeads = options.HeadDimension is int head && (IsBoundary(o, head) || IsBoundary(i, head));
                if (unevenness <= MostUneven || (keepsHeads && unevenness <= MostUneven * MostUneven)) candidates.Add((factors, keepsHeads ? unevenness / MostUneven : unevenness));
            }
        }

        return [problem.Factors, .. candidates.OrderBy(candidate => candidate.Unevenness).Select(candidate => candidate.Factors).Where(factors => !factors.Equals(problem.Factors)).Take(MostCandidates - 1)];
    }

    /// <summary>The root of the summed squared tails of all unfoldings, over the norm, at the largest even bond dimension within the parameters.</summary>
    private static double Error(FitProblem problem, long parameters, LayerStatistics? statistics, double ridge)
    {
        SiteFactors factors = problem.Factors;
        int[] bonds = MpoTruncation.LargestWithin(factors, parameters);
        Matrix<double> unfolded;
        if (statistics is null)
        {
            unfolded = problem.Unfold();
        }
        else
        {
            using Matrix<double> metric = problem.Metric(statistics, ridge);
            unfolded = WhitenedStart.Unfold(problem, metric);
        }

        using (unfolded)
        {
            double[][] spectra = UnfoldingSpectra.Of(factors, unfolded, problem.Pool);
            double discarded = 0, square = unfolded.SquaredNorm();
            for (int bond = 0; bond < spectra.Length; bond++)
            {
                for (int k = bonds[bond + 1]; k < spectra[bond].Length; k++) discarded += spectra[bond][k] * spectra[bond][k];
            }

            return square == 0 ? 0 : Math.Sqrt(discarded / square);
        }
    }

    private static bool IsBoundary(int[] factors, int size)
    {
        long product = 1;
        for (int site = factors.Length - 1; site > 0; site--)
        {
            product *= factors[site];
            if (product == size) return true;
        }

        return false;
    }

    /// <summary>All ordered factorisations of a number without factors of 1, unless it is 1.</summary>
    private static List<int[]> Ordered(int number, int sites)
    {
        if (sites == 1) return [[number]];
        var result = new List<int[]>();
        for (int first = number == 1 ? 1 : 2; first <= number; first++)
        {
            if (number % first != 0) continue;
            foreach (int[] rest in Ordered(number / first, sites - 1))
            {
                if (number == 1 || !rest.Contains(1)) result.Add([first, .. rest]);
            }
        }

        return result;
    }
}
