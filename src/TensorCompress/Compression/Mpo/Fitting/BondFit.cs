using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Mpo.Fitting;

/// <summary>
/// Three and more cores, whose bonds move within a budget: first core by core (<see cref="AlternatingFit"/>), then by sweeps over pairs of neighbours. Two cores are merged, the merged one solved, and
/// split again by the singular values in its local metric. From left to right bonds stay and the values of all bonds are compared: what a unit of each bond takes off the loss for the parameters that it
/// needs. From right to left bonds become what that says. A sweep that would raise the loss is taken back, and the next one moves bonds half as far.
/// </summary>
internal sealed class BondFit : IDisposable
{
    /// <summary>Sweeps core by core after bonds have moved; they belong to the same sweep.</summary>
    private const int SweepsAfter = 2;

    private readonly FitProblem _problem;
    private readonly Matrix<double> _metric;
    private readonly Func<int[], bool> _fits;
    private readonly ChainMetric _kronecker;
    private MatrixProductOperator _chain;
    private int _reach;

    /// <summary>Prepares a fit.</summary>
    /// <param name="problem">W and its split.</param>
    /// <param name="metric">H with its ridge, padded; stays the caller's.</param>
    /// <param name="start">Where it begins.</param>
    /// <param name="fits">Whether bonds r_0 ... r_L are within the budget; smaller ones are wherever larger ones are.</param>
    public BondFit(FitProblem problem, Matrix<double> metric, MatrixProductOperator start, Func<int[], bool> fits)
    {
        _problem = problem;
        _metric = metric;
        _fits = fits;
        _kronecker = new ChainMetric(problem, metric);
        _chain = start.Copy();
        _reach = Math.Max(1, start.BondDimensions.Max() / 2);
    }

    /// <summary>The relative loss at the start and after every sweep; it never rises.</summary>
    public List<double> Losses { get; } = [];

    private ComputePool Pool => _problem.Pool;

    /// <summary>Sweeps.</summary>
    /// <param name="sweeps">At most so many: the first half core by core, the others over pairs.</param>
    /// <param name="progress">Told the share done; may be null.</param>
    /// <param name="cancellationToken">Looked at before every core.</param>
    public void Run(int sweeps, IProgress<double>? progress, CancellationToken cancellationToken)
    {
        if (sweeps == 0) return;
        int done = (sweeps + 1) / 2;
        Losses.AddRange(SweepCores(ref _chain, done, cancellationToken));
        progress?.Report((double)done / sweeps);
        for (; done < sweeps && _reach > 0 && Losses.Count > 0; done++)
        {
            double before = Losses[^1];
            MatrixProductOperator moved = _chain.Copy();
            MoveBonds(ref moved, cancellationToken);
            double after = SweepCores(ref moved, SweepsAfter, cancellationToken)[^1];
            progress?.Report((done + 1.0) / sweeps);
            if (!(after < before))
            {
                moved.Dispose();
                _reach /= 2;
                continue;
            }

            _chain.Dispose();
            _chain = moved;
            Losses.Add(after);
            if (before - after <= AlternatingFit.StandsStill * before) break;
        }

        progress?.Report(1);
    }

    /// <summary>The operator as it is.</summary>
    public MatrixProductOperator ToOperator() => _chain.Copy();

    public void Dispose()
    {
        _kronecker.Dispose();
        _chain.Dispose();
    }

    /// <summary>Sweeps core by core; the centre is at the left end then.</summary>
    private List<double> SweepCores(ref MatrixProductOperator chain, int sweeps, CancellationToken cancellationToken)
    {
        using MatrixProductOperator start = chain;
        using var fit = new AlternatingFit(_problem, _metric, start);
        fit.Run(sweeps, progress: null, cancellationToken);
        chain = fit.ToOperator();
        return fit.Losses;
    }

    private void MoveBonds(ref MatrixProductOperator chain, CancellationToken cancellationToken)
    {
        int last = _problem.Factors.Sites - 2;
        double[][] values = new double[last + 1][];
        for (int site = 0; site <= last; site++) values[site] = Split(ref chain, site, chain.BondDimensions[site + 1], toRight: true, cancellationToken);
        int[] plan = Plan(chain.BondDimensions, values);
        for (int site = last; site >= 0; site--) Split(ref chain, site, plan[site + 1], toRight: false, cancellationToken);
    }

    /// <summary>Bonds within the budget and within reach: from the least on, always the unit that takes most off the loss for its parameters.</summary>
    private int[] Plan(IReadOnlyList<int> bonds, double[][] values)
    {
        int[] plan = [1, .. bonds.Skip(1).SkipLast(1).Select(bond => Math.Max(1, bond - _reach)), 1];
        while (true)
        {
            int best = 0;
            double most = 0;
            for (int k = 1; k < plan.Length - 1; k++)
            {
                if (plan[k] >= Math.Min(bonds[k] + _reach, values[k - 1].Length)) continue;
                double value = values[k - 1][plan[k]], gain = value * value / Cost(plan, k);
                plan[k]++;
                bool fits = _fits(plan);
                plan[k]--;
                if (fits && gain > most) (best, most) = (k, gain);
            }

            if (best == 0) return plan;
            plan[best]++;
        }
    }

    /// <summary>Parameters of one more unit of a bond.</summary>
    private double Cost(int[] bonds, int k)
    {
        SiteFactors factors = _problem.Factors;
        return (double)bonds[k - 1] * factors.Outputs[k - 1] * factors.Inputs[k - 1] + (double)bonds[k + 1] * factors.Outputs[k] * factors.Inputs[k];
    }

    /// <summary>Replaces two neighbours by the best merged core, split at a rank, and moves the centre on.</summary>
    /// <returns>The singular values of the bond in the local metric, some more than the rank.</returns>
    private double[] Split(ref MatrixProductOperator chain, int site, int rank, bool toRight, CancellationToken cancellationToken)
    {
        SiteFactors factors = _problem.Factors;
        var sweep = new ChainSweep(chain, Pool);
        using Matrix<double> solved = Solve(sweep, site, cancellationToken);
        using var local = new PairMetric(factors, _kronecker, sweep, site, Pool);
        using Matrix<double> white = local.Whiten(solved);
        using SingularValueDecomposition svd = Svd.Truncated(white.View, (int)Math.Min(rank + _reach, nint.Min(white.Rows, white.Columns)), Pool, cancellationToken);
        double[] values = svd.Values[..ChainSweep.NumericalRank(svd)].ToArray();
        int kept = Math.Min(rank, values.Length);
        (Matrix<double> first, Matrix<double> second) = local.Restore(svd, kept);
        int[] bonds = [.. sweep.Bonds];
        bonds[site + 1] = kept;
        Matrix<double>[] cores = [.. sweep.Cores];
        cores[site].Dispose();
        cores[site + 1].Dispose();
        (cores[site], cores[site + 1]) = (first, second);
        chain.Dispose();
        using var next = new MatrixProductOperator(_problem.Rows, _problem.Columns, factors, bonds, cores);
        var moved = new ChainSweep(next, Pool);
        if (toRight) moved.MoveRight(site);
        else moved.MoveLeft(site + 1);
        chain = moved.ToOperator(center: null);
        return values;
    }

    /// <summary>The best merged core with the scale of the whole chain, the other cores as they are: [(l o i), (o' i' r)].</summary>
    private Matrix<double> Solve(ChainSweep sweep, int site, CancellationToken cancellationToken)
    {
        SiteFactors factors = _problem.Factors, merged = new([.. Merge(factors.Outputs, site)], [.. Merge(factors.Inputs, site)]);
        nint rows = (nint)sweep.Bonds[site] * factors.Outputs[site] * factors.Inputs[site], columns = (nint)factors.Outputs[site + 1] * factors.Inputs[site + 1] * sweep.Bonds[site + 2];
        using var product = new Matrix<double>(rows, columns);
        MatrixProduct.Multiply(sweep.Cores[site].As(rows, sweep.Bonds[site + 1]), sweep.Cores[site + 1].As(sweep.Bonds[site + 1], columns), product.View, pool: Pool);
        Matrix<double>[] cores =
        [
            .. sweep.Cores.Take(site).Select(CoreViews.Copy),
            Exchange(product, factors.Inputs[site], factors.Outputs[site + 1]),
            .. sweep.Cores.Skip(site + 2).Select(CoreViews.Copy),
        ];
        int[] bonds = [.. sweep.Bonds.Take(site + 1), .. sweep.Bonds.Skip(site + 2)];
        using var start = new MatrixProductOperator(_problem.Rows, _problem.Columns, merged, bonds, cores, sweep.Exponent);
        using var fit = new AlternatingFit(_problem.With(merged), _metric, start);
        using Matrix<double> core = fit.BestCore(site, cancellationToken);
        return Exchange(core, factors.Outputs[site + 1], factors.Inputs[site]);
    }

    private static IEnumerable<int> Merge(IReadOnlyList<int> sizes, int site) => sizes.Take(site).Append(sizes[site] * sizes[site + 1]).Concat(sizes.Skip(site + 2));

    /// <summary>[(outer a), (b block)] as [(outer b), (a block)].</summary>
    private static Matrix<double> Exchange(Matrix<double> source, int a, int b)
    {
        nint outer = source.Rows / a;
        int block = (int)(source.Columns / b);
        var result = new Matrix<double>(outer * b, (nint)a * block);
        for (nint row = 0; row < outer; row++)
        {
            for (int i = 0; i < a; i++)
            {
                for (int j = 0; j < b; j++) source.Row(row * a + i).Slice(j * block, block).CopyTo(result.Row(row * b + j).Slice(i * block, block));
            }
        }

        return result;
    }
}
