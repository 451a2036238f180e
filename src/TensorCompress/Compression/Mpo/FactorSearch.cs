using TensorCompress.Compression.Mpo.Fitting;
using TensorCompress.Tensors;

namespace TensorCompress.Compression.Mpo;

/// <summary>
/// Looks for the split of rows and columns whose unfoldings leave the least out at equal parameters. The candidates are ordered factorisations with sites of about the same size,
/// and of a matrix made of attention heads those that keep heads together; each is scored by the tails of its singular values, in the metric of the inputs where that is known.
/// </summary>
internal static class FactorSearch
{
    private const int MostCandidates = 96;

    /// <summary>Splits over each of the other numbers of sites than two, where a search tries several.</summary>
    private const int MostLonger = 24;

    /// <summary>The most even splits that a fit of the outputs tries: each takes a fit.</summary>
    private const int MostEven = 12;

    /// <summary>The largest site may have this many times the elements of the smallest.</summary>
    private const double MostUneven = 4;

    /// <summary>Splits that are near a product of two matrices have at most so many output digits of the first site times input digits of the second.</summary>
    private const int MostMixed = 6;

    /// <summary>Splits that need this much more for each unit of bond dimension than the cheapest are left out.</summary>
    private const double MostCostly = 1.12;

    /// <summary>Finds the best split by the tails of the singular values; two numbers of sites are compared as two splits are.</summary>
    /// <param name="problem">W with its default split.</param>
    /// <param name="options">Sites, ridge.</param>
    /// <param name="budget">What each split may have.</param>
    /// <param name="heads">The heads that W is made of; null for none.</param>
    /// <param name="statistics">The inputs' second moment; null for the plain error.</param>
    /// <param name="cancellationToken">Looked at before every candidate.</param>
    public static SiteFactors Best(FitProblem problem, MpoOptions options, SplitBudget budget, AttentionHeads? heads, LayerStatistics? statistics, CancellationToken cancellationToken) =>
        Counts(options).Select(sites => BestOf(problem, sites, options, budget, heads, statistics, cancellationToken)).MinBy(best => best.Error).Factors;

    /// <summary>
    /// Splits for a fit of the outputs. Over two sites: the default one, the product of two matrices (all rows in one site, all columns in the other), and those between that
    /// move a small factor over and are cheap; where W is made of heads, of each kind also the best that keeps them. With <see cref="MpoOptions.Search"/> also the most even others, and of those made of heads
    /// only what keeps them; and where more sites are tried and the best by the tails has more than two, that.
    /// </summary>
    public static IReadOnlyList<SiteFactors> Mixed(
        FitProblem problem, MpoOptions options, SplitBudget budget, AttentionHeads? heads, LayerStatistics statistics, CancellationToken cancellationToken)
    {
        int rows = problem.Rows, columns = problem.Columns;
        var near = new List<(SiteFactors Factors, long Cost)>();
        for (int mixed = 2; mixed <= MostMixed; mixed++)
        {
            (SiteFactors Factors, long Cost)[] level = [.. Enumerable.Range(1, mixed)
                .Where(first => mixed % first == 0 && rows % first == 0 && columns % (mixed / first) == 0)
                .Select(first => new SiteFactors([first, rows / first], [columns / (mixed / first), mixed / first]))
                .Select(factors => (factors, factors.ParameterCount([1, 1, 1])))];
            (SiteFactors Factors, long Cost)[] kept = [.. level.Where(split => Keeps(split.Factors, heads))];
            foreach ((SiteFactors Factors, long Cost)[] splits in options.Search ? [kept] : new[] { level, kept })
            {
                if (splits.Length > 0) near.Add(splits.MinBy(split => split.Cost));
            }
        }

        double cheapest = near.Select(split => split.Cost).DefaultIfEmpty(0).Min();
        SiteFactors product = new([1, rows], [columns, 1]);
        IEnumerable<SiteFactors> even = options.Search ? Candidates(problem, 2, heads).Take(MostEven) : Keeps(problem.Factors, heads) ? [problem.Factors] : [problem.Factors, Candidates(problem, 2, heads)[0]];
        IEnumerable<SiteFactors> longer = options.SearchSites ? [Best(problem, options, budget, heads, statistics, cancellationToken)] : [];
        return [.. new[] { product }.Concat(near.Where(split => split.Cost <= MostCostly * cheapest).Select(split => split.Factors)).Concat(even).Concat(longer.Where(split => split.Sites > 2))
            .Distinct().Where(budget.Allows)];
    }

    /// <summary>
    /// The default split first, then others, the most even first. Of W made of heads only those that keep them, however uneven the most even of them is, and of equally even ones first those with a boundary
    /// between heads and channels; where none keeps them, as if there were no heads.
    /// </summary>
    public static IReadOnlyList<SiteFactors> Candidates(FitProblem problem, int sites, AttentionHeads? heads)
    {
        SiteFactors usual = problem.Factors.Sites == sites ? problem.Factors : SiteFactors.Balanced(problem.Rows, problem.Columns, sites);
        List<int[]> outputs = SiteFactors.Ordered(heads?.Side == MatrixSide.Rows ? problem.Rows : usual.OutputDimension, sites);
        List<int[]> inputs = SiteFactors.Ordered(heads?.Side == MatrixSide.Columns ? problem.Columns : usual.InputDimension, sites);
        var candidates = new List<(SiteFactors Factors, double Unevenness)>();
        foreach (int[] o in outputs.Where(factors => heads?.Side != MatrixSide.Rows || SiteFactors.KeepsHeads(factors, heads.Dimension)))
        {
            foreach (int[] i in inputs.Where(factors => heads?.Side != MatrixSide.Columns || SiteFactors.KeepsHeads(factors, heads.Dimension)))
            {
                double largest = 0, smallest = double.PositiveInfinity;
                for (int site = 0; site < sites; site++)
                {
                    double size = (double)o[site] * i[site];
                    (largest, smallest) = (Math.Max(largest, size), Math.Min(smallest, size));
                }

                double unevenness = largest / smallest;
                if (unevenness <= MostUneven || heads is not null) candidates.Add((new SiteFactors(o, i), unevenness));
            }
        }

        if (heads is not null && candidates.Count == 0) return Keeps(usual, heads) ? [usual] : Candidates(problem, sites, heads: null);
        IEnumerable<(SiteFactors Factors, double Unevenness)> sorted = candidates.OrderBy(candidate => candidate.Unevenness);
        if (heads is not null)
        {
            double most = Math.Max(MostUneven, candidates.Min(candidate => candidate.Unevenness));
            sorted = candidates.Where(candidate => candidate.Unevenness <= most).OrderBy(candidate => candidate.Unevenness).ThenBy(candidate => candidate.Factors.HasHeads(heads) ? 0 : 1).ThenBy(candidate => Sum(candidate.Factors));
        }

        IEnumerable<SiteFactors> others = sorted.Select(candidate => candidate.Factors);
        return [.. (Keeps(usual, heads) ? others.Where(factors => !factors.Equals(usual)).Prepend(usual) : others).Take(MostCandidates)];
    }

    private static IEnumerable<int> Counts(MpoOptions options) => options.SearchSites ? [2, 3, 4] : [options.Sites];

    private static long Sum(SiteFactors factors) => factors.Outputs.Concat(factors.Inputs).Sum(factor => (long)factor);

    private static bool Keeps(SiteFactors factors, AttentionHeads? heads) => heads is null || factors.KeepsHeads(heads);

    /// <summary>The best split over some sites, with its error; the first one with an infinite error where none is within the parameters.</summary>
    private static (SiteFactors Factors, double Error) BestOf(
        FitProblem problem, int sites, MpoOptions options, SplitBudget budget, AttentionHeads? heads, LayerStatistics? statistics, CancellationToken cancellationToken)
    {
        IReadOnlyList<SiteFactors> candidates = [.. Candidates(problem, sites, heads).Take(options.SearchSites && sites > 2 ? MostLonger : MostCandidates)];
        (SiteFactors Factors, double Error) best = (candidates[0], double.PositiveInfinity);
        foreach (SiteFactors candidate in candidates)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (!budget.Allows(candidate)) continue;
            double error = Error(problem.With(candidate), budget, statistics, options.Ridge);
            if (error < best.Error) best = (candidate, error);
        }

        return best;
    }

    /// <summary>The root of the summed squared tails of all unfoldings, over the norm, at the largest even bond dimension within the parameters.</summary>
    private static double Error(FitProblem problem, SplitBudget budget, LayerStatistics? statistics, double ridge)
    {
        SiteFactors factors = problem.Factors;
        int[] bonds = budget.Largest(factors);
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
}
