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

    /// <summary>The most even splits that a fit of the outputs tries: each takes a fit.</summary>
    private const int MostEven = 12;

    /// <summary>The largest site may have this many times the elements of the smallest.</summary>
    private const double MostUneven = 4;

    /// <summary>Splits that are near a product of two matrices have at most so many output digits of the first site times input digits of the second.</summary>
    private const int MostMixed = 6;

    /// <summary>Splits that need this much more for each unit of bond dimension than the cheapest are left out.</summary>
    private const double MostCostly = 1.12;

    /// <summary>Finds the best split by the tails of the singular values.</summary>
    /// <param name="problem">W with its default split.</param>
    /// <param name="options">Sites, head dimension, ridge.</param>
    /// <param name="parameters">What each split may have.</param>
    /// <param name="statistics">The inputs' second moment; null for the plain error.</param>
    /// <param name="cancellationToken">Looked at before every candidate.</param>
    public static SiteFactors Best(FitProblem problem, MpoOptions options, long parameters, LayerStatistics? statistics, CancellationToken cancellationToken)
    {
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

    /// <summary>
    /// Splits over two sites for a fit of the outputs: the default one, the product of two matrices (all rows in one site, all columns in the other), and those between that
    /// move a small factor over and are cheap. With <see cref="MpoOptions.Search"/> also the most even others.
    /// </summary>
    public static IReadOnlyList<SiteFactors> Mixed(FitProblem problem, MpoOptions options, long parameters)
    {
        int rows = problem.Rows, columns = problem.Columns;
        var near = new List<(SiteFactors Factors, long Cost)>();
        for (int mixed = 2; mixed <= MostMixed; mixed++)
        {
            (SiteFactors Factors, long Cost)[] level = [.. Enumerable.Range(1, mixed)
                .Where(first => mixed % first == 0 && rows % first == 0 && columns % (mixed / first) == 0)
                .Select(first => new SiteFactors([first, rows / first], [columns / (mixed / first), mixed / first]))
                .Select(factors => (factors, factors.ParameterCount([1, 1, 1])))];
            if (level.Length > 0) near.Add(level.MinBy(split => split.Cost));
        }

        double cheapest = near.Select(split => split.Cost).DefaultIfEmpty(0).Min();
        SiteFactors product = new([1, rows], [columns, 1]);
        IEnumerable<SiteFactors> even = options.Search ? Candidates(problem, options).Take(MostEven) : [problem.Factors];
        return [.. new[] { product }.Concat(near.Where(split => split.Cost <= MostCostly * cheapest).Select(split => split.Factors)).Concat(even)
            .Distinct().Where(factors => factors.ParameterCount(factors.Bonds(1)) <= parameters)];
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
            using var whitening = new Whitening(problem, metric, diagonal: false);
            unfolded = whitening.Unfold();
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
