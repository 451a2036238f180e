using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Mpo.Fitting;

/// <summary>How the normal equations of a core are solved.</summary>
internal enum CoreSolver
{
    /// <summary>As is cheapest.</summary>
    Cheapest,

    /// <summary>The matrix is built and factorised; not for a core between others whose outputs do not matter alike.</summary>
    Cholesky,

    /// <summary>Preconditioned conjugate gradients, without the matrix.</summary>
    Gradients,
}

/// <summary>
/// Alternating least squares for <c>tr(D (W - W') H (W - W')^T)</c>: each core in turn is the best one for the others as they are. The normal equations of a core are the same for all its
/// output digits unless outputs do not matter alike; they are solved by Cholesky where that is cheap, by preconditioned conjugate gradients where it is not. The loss never rises.
/// </summary>
internal sealed class AlternatingFit : IDisposable
{
    /// <summary>More unknowns than this are never solved by Cholesky: 512 MiB for the matrix.</summary>
    private const int MostDirectUnknowns = 8192;

    private const double MostDirectElements = 1 << 27;

    private const int GradientSteps = 12;

    /// <summary>Sweeps end where the loss falls by less than this share.</summary>
    public const double StandsStill = 5e-4;

    private readonly FitProblem _problem;
    private readonly Matrix<double> _metric;
    private readonly Matrix<double> _target;
    private readonly ChainSweep _chain;
    private readonly double _norm;
    private readonly EndNormalMatrix?[] _ends = new EndNormalMatrix?[2];
    private ChainMetric? _kronecker;

    /// <summary>Prepares a fit.</summary>
    /// <param name="problem">W and its split.</param>
    /// <param name="metric">H with its ridge, padded; stays the caller's.</param>
    /// <param name="start">Where it begins; the bonds stay as they are there, or smaller where they carry nothing.</param>
    public AlternatingFit(FitProblem problem, Matrix<double> metric, MatrixProductOperator start)
    {
        _problem = problem;
        _metric = metric;
        _chain = new ChainSweep(start, problem.Pool);
        using Matrix<double> weights = problem.PaddedWeights();
        using var product = new Matrix<double>(weights.Rows, weights.Columns);
        MatrixProduct.Multiply(weights, metric, product.View, pool: problem.Pool);
        problem.WeightRows(product);
        for (nint row = 0; row < weights.Rows; row++) _norm += DoubleVectors.Dot(weights.Row(row), product.Row(row));
        _target = problem.Unfolding.Unfold(product.View, problem.Pool);
    }

    /// <summary>The relative loss, <c>tr(D (W - W') H (W - W')^T) / tr(D W H W^T)</c>, at the start and after every sweep.</summary>
    public List<double> Losses { get; } = [];

    /// <summary>How the normal equations are solved.</summary>
    public CoreSolver Solver { get; init; }

    private ComputePool Pool => _problem.Pool;

    /// <summary>Sweeps to and fro.</summary>
    /// <param name="sweeps">At most so many.</param>
    /// <param name="progress">Told the share done; may be null.</param>
    /// <param name="cancellationToken">Looked at before every core.</param>
    public void Run(int sweeps, IProgress<double>? progress, CancellationToken cancellationToken)
    {
        int sites = _problem.Factors.Sites;
        _chain.ToLeftEnd();
        double loss = double.PositiveInfinity;
        for (int sweep = 0; sweep < sweeps && _norm > 0; sweep++)
        {
            double before = loss;
            for (int site = 0; site < sites - 1; site++)
            {
                loss = Solve(site, cancellationToken);
                _chain.MoveRight(site);
            }

            for (int site = sites - 1; site > 0; site--)
            {
                loss = Solve(site, cancellationToken);
                _chain.MoveLeft(site);
            }

            if (sites == 1) loss = Solve(0, cancellationToken);
            Losses.Add(loss / _norm);
            progress?.Report((sweep + 1.0) / sweeps);
            if (sweep > 0 && before - loss <= StandsStill * before) break;
        }
    }

    /// <summary>The best core in one place, with the scale of the whole chain.</summary>
    public Matrix<double> BestCore(int site, CancellationToken cancellationToken)
    {
        if (_norm > 0) Solve(site, cancellationToken);
        return _chain.Cores[site].Copy();
    }

    /// <summary>The operator as it is.</summary>
    public MatrixProductOperator ToOperator() => _chain.ToOperator(0);

    public void Dispose()
    {
        _target.Dispose();
        _kronecker?.Dispose();
        foreach (EndNormalMatrix? end in _ends) end?.Dispose();
    }

    /// <summary>Replaces a core by the best one.</summary>
    /// <returns>The loss.</returns>
    private double Solve(int site, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        using var environment = new SiteEnvironment(_problem.Factors, _chain, site, Pool);
        using Matrix<double> current = CurrentUnknowns(environment), rightSides = environment.Project(_target);
        if (Losses.Count == 0 && site == 0) Losses.Add(Loss(environment, current, rightSides) / _norm);
        (Matrix<double> solution, double loss) = IsDirect(environment)
            ? SolveDirectly(environment, rightSides)
            : SolveByGradients(environment, current, rightSides);
        using (solution) _chain.SetCore(site, environment.ToCore(solution.View));
        return loss;
    }

    /// <summary>Multiply-adds of a sweep over two sites whose cores are solved directly; infinite where they have too many unknowns for that.</summary>
    public static double DirectCost(FitProblem problem, int bond)
    {
        SiteFactors factors = problem.Factors;
        double cost = 0, inputs = factors.InputDimension;
        for (int site = 0; site < factors.Sites; site++)
        {
            int digits = factors.Inputs[site];
            double unknowns = (double)digits * bond;
            if (unknowns > MostDirectUnknowns) return double.PositiveInfinity;
            cost += Matrices(problem, site) * (EndNormalMatrix.Cost(digits, inputs / digits, bond) + Math.Pow(unknowns, 3) / 3);
        }

        return cost;
    }

    /// <summary>Normal matrices of a core: one for each output digit where outputs do not matter alike.</summary>
    private static int Matrices(FitProblem problem, int site) => problem.OutputWeights is null ? 1 : problem.Factors.Outputs[site];

    private bool IsDirect(SiteEnvironment environment)
    {
        if (_problem.OutputWeights is not null && !NormalMatrix.IsEnd(environment.Site, _problem.Factors)) return false;
        if (Solver != CoreSolver.Cheapest) return Solver == CoreSolver.Cholesky;
        SiteFactors factors = _problem.Factors;
        if (environment.Unknowns > MostDirectUnknowns || NormalMatrix.Elements(environment, factors) > MostDirectElements) return false;
        double outputs = factors.OutputDimension, inputs = factors.InputDimension, bond = Math.Max(environment.LeftBond, environment.RightBond);
        return Matrices(_problem, environment.Site) * NormalMatrix.Cost(environment, factors) <= GradientSteps * outputs * inputs * (inputs + 2 * bond);
    }

    /// <summary>The core as it is, with the scale of the whole chain.</summary>
    private Matrix<double> CurrentUnknowns(SiteEnvironment environment)
    {
        Matrix<double> unknowns = environment.ToUnknowns(_chain.Cores[environment.Site].View);
        unknowns.ScaleByPowerOfTwo(_chain.Exponent);
        return unknowns;
    }

    private (Matrix<double> Solution, double Loss) SolveDirectly(SiteEnvironment environment, Matrix<double> rightSides)
    {
        Matrix<double> solution = rightSides.Copy();
        double ridge = 0;
        if (_problem.OutputWeights is null)
        {
            using Matrix<double> normal = Normal(environment, digit: 0);
            ridge = SolveDirectly(normal, solution);
        }
        else
        {
            for (int digit = 0; digit < environment.Outputs; digit++)
            {
                using Matrix<double> normal = Normal(environment, digit), column = new(solution.Rows, 1);
                for (nint row = 0; row < solution.Rows; row++) column[row, 0] = rightSides[row, digit];
                ridge += SolveDirectly(normal, column);
                for (nint row = 0; row < solution.Rows; row++) solution[row, digit] = column[row, 0];
            }
        }

        return (solution, _norm - Inner(rightSides, solution) - ridge);
    }

    /// <summary>Solves in place.</summary>
    /// <returns>What a ridge adds: (N + ridge) X = B, so that &lt;X, N X&gt; = &lt;X, B&gt; - ridge |X|^2.</returns>
    private double SolveDirectly(Matrix<double> normal, Matrix<double> solution)
    {
        using Cholesky cholesky = Cholesky.FactorizeWithRidge(normal.View, pool: Pool);
        cholesky.Solve(solution.View);
        return cholesky.Ridge * solution.SquaredNorm();
    }

    /// <summary>The normal matrix, of one output digit of the core where outputs do not matter alike.</summary>
    private Matrix<double> Normal(SiteEnvironment environment, int digit)
    {
        SiteFactors factors = _problem.Factors;
        if (!NormalMatrix.IsEnd(environment.Site, factors)) return NormalMatrix.Build(environment, factors, _metric, Pool);
        bool isFirst = environment.Site == 0;
        EndNormalMatrix end = _ends[isFirst ? 0 : 1] ??= new EndNormalMatrix(_metric, factors, isFirst, Pool);
        using Matrix<double> rows = NormalMatrix.EndRows(environment, factors);
        if (_problem.OutputWeights is { } weights)
        {
            double[] roots = new double[rows.Columns];
            for (int other = 0; other < roots.Length; other++) roots[other] = Math.Sqrt(weights[isFirst ? digit * roots.Length + other : other * environment.Outputs + digit]);
            for (nint row = 0; row < rows.Rows; row++) System.Numerics.Tensors.TensorPrimitives.Multiply(rows.Row(row), roots, rows.Row(row));
        }

        return end.Build(rows);
    }

    /// <summary>Conjugate gradients, each output digit with its own step lengths, from the core as it is: every step lowers the loss.</summary>
    private (Matrix<double> Solution, double Loss) SolveByGradients(SiteEnvironment environment, Matrix<double> current, Matrix<double> rightSides)
    {
        _kronecker ??= new ChainMetric(_problem, _metric);
        using var preconditioner = new KroneckerPreconditioner(_kronecker, _chain, environment.Site, Pool);
        Matrix<double> solution = current.Copy();
        using Matrix<double> residual = rightSides.Copy();
        using (Matrix<double> product = ApplyNormal(environment, solution)) Add(residual, product, -1);
        Matrix<double> direction = preconditioner.Solve(residual);
        double[] squares = ColumnInner(residual, direction), first = squares;
        for (int step = 0; step < GradientSteps && squares.Sum() > 1e-10 * first.Sum(); step++)
        {
            using Matrix<double> product = ApplyNormal(environment, direction);
            double[] steps = Divide(squares, ColumnInner(direction, product));
            Add(solution, direction, steps);
            Add(residual, product, [.. steps.Select(length => -length)]);
            using Matrix<double> conditioned = preconditioner.Solve(residual);
            double[] next = ColumnInner(residual, conditioned);
            Scale(direction, Divide(next, squares));
            Add(direction, conditioned, 1);
            squares = next;
        }

        direction.Dispose();
        // N X = B - residual.
        return (solution, _norm - Inner(rightSides, solution) - Inner(residual, solution));
    }

    private double Loss(SiteEnvironment environment, Matrix<double> unknowns, Matrix<double> rightSides)
    {
        using Matrix<double> product = ApplyNormal(environment, unknowns);
        return _norm - 2 * Inner(rightSides, unknowns) + Inner(product, unknowns);
    }

    /// <summary>N X without N: the chain with this core, times H, contracted with the other cores.</summary>
    private Matrix<double> ApplyNormal(SiteEnvironment environment, Matrix<double> unknowns)
    {
        SiteFactors factors = _problem.Factors;
        using var tensor = new Matrix<double>(_target.Rows, _target.Columns);
        using var dense = new Matrix<double>(factors.OutputDimension, factors.InputDimension);
        environment.Expand(unknowns.View, tensor);
        _problem.Unfolding.Fold(tensor, dense.View, Pool);
        using (var weighted = new Matrix<double>(dense.Rows, dense.Columns))
        {
            MatrixProduct.Multiply(dense, _metric, weighted.View, pool: Pool);
            _problem.WeightRows(weighted);
            _problem.Unfolding.Unfold(weighted.View, tensor, Pool);
        }

        return environment.Project(tensor);
    }

    private static double Inner(Matrix<double> x, Matrix<double> y)
    {
        double sum = 0;
        for (nint row = 0; row < x.Rows; row++) sum += DoubleVectors.Dot(x.Row(row), y.Row(row));
        return sum;
    }

    private static double[] ColumnInner(Matrix<double> x, Matrix<double> y)
    {
        double[] sums = new double[x.Columns];
        for (nint row = 0; row < x.Rows; row++)
        {
            ReadOnlySpan<double> a = x.Row(row), b = y.Row(row);
            for (int column = 0; column < sums.Length; column++) sums[column] = Math.FusedMultiplyAdd(a[column], b[column], sums[column]);
        }

        return sums;
    }

    private static double[] Divide(double[] x, double[] y) => [.. x.Zip(y, (a, b) => b > 0 ? a / b : 0)];

    private static void Add(Matrix<double> x, Matrix<double> y, double factor)
    {
        for (nint row = 0; row < x.Rows; row++) DoubleVectors.AddScaled(factor, y.Row(row), x.Row(row));
    }

    private static void Add(Matrix<double> x, Matrix<double> y, double[] factors)
    {
        for (nint row = 0; row < x.Rows; row++)
        {
            Span<double> a = x.Row(row);
            ReadOnlySpan<double> b = y.Row(row);
            for (int column = 0; column < a.Length; column++) a[column] = Math.FusedMultiplyAdd(factors[column], b[column], a[column]);
        }
    }

    private static void Scale(Matrix<double> x, double[] factors)
    {
        for (nint row = 0; row < x.Rows; row++)
        {
            Span<double> a = x.Row(row);
            for (int column = 0; column < a.Length; column++) a[column] *= factors[column];
        }
    }
}
