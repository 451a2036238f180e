using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Mpo.Fitting;

/// <summary>
/// The normal matrix of one core: <c>N[(i l r), (i' l' r')]</c> = H contracted with the Gram matrices of what lies to the left and to the right, summed over their output digits.
/// It is the same for every output digit of the core.
/// </summary>
internal static class NormalMatrix
{
    /// <summary>Multiply-adds of building it and of a Cholesky factorisation of the result.</summary>
    public static double Cost(SiteEnvironment environment, SiteFactors factors)
    {
        (double before, double after) = Sizes(factors, environment.Site);
        double solving = Math.Pow(environment.Unknowns, 3) / 3;
        if (IsEnd(environment.Site, factors)) return EndNormalMatrix.Cost(environment.Inputs, before * after, environment.LeftBond * environment.RightBond) + solving;
        double pairs = environment.Inputs * (environment.Inputs + 1.0) / 2, left = Square(environment.LeftBond), right = Square(environment.RightBond);
        return left * pairs * Square(after) * (Square(before) + right) + solving;
    }

    /// <summary>Whether <see cref="EndNormalMatrix"/> builds it: the first and the last of several cores.</summary>
    public static bool IsEnd(int site, SiteFactors factors) => factors.Sites > 1 && (site == 0 || site == factors.Sites - 1);

    /// <summary>The other cores of an end as <see cref="EndNormalMatrix.Build"/> takes them.</summary>
    public static Matrix<double> EndRows(SiteEnvironment environment, SiteFactors factors) => environment.Site == 0 ? RightRows(environment, factors) : LeftRows(environment, factors);

    /// <summary>Elements of the largest intermediate result.</summary>
    public static double Elements(SiteEnvironment environment, SiteFactors factors)
    {
        (double before, double after) = Sizes(factors, environment.Site);
        double pairs = environment.Inputs * (environment.Inputs + 1.0) / 2;
        return Math.Max(Math.Max(Square(environment.LeftBond), Square(before)) * pairs * Square(after), Square(environment.Unknowns));
    }

    /// <summary>Builds the lower triangle for a core between others, or the only one; what stands above the diagonal blocks of i is zero.</summary>
    /// <param name="environment">The other cores.</param>
    /// <param name="factors">The split.</param>
    /// <param name="metric">H, [n, n].</param>
    /// <param name="pool">Threads.</param>
    public static Matrix<double> Build(SiteEnvironment environment, SiteFactors factors, Matrix<double> metric, ComputePool pool)
    {
        int site = environment.Site, inputs = environment.Inputs, left = environment.LeftBond, right = environment.RightBond;
        nint pairs = (nint)inputs * (inputs + 1) / 2;
        (double beforeSize, double afterSize) = Sizes(factors, site);
        nint before = (nint)beforeSize, after = (nint)afterSize;

        // Sum over i_<: [(l l'), (pairs, i_> i_>')].
        Matrix<double> state = SplitMetric(metric, inputs, (int)before, (int)after, pool);
        if (site > 0)
        {
            using Matrix<double> metricPart = state, gram = LeftGram(environment, factors, pool);
            state = new Matrix<double>((nint)left * left, pairs * after * after);
            MatrixProduct.Multiply(gram, metricPart.As(before * before, state.Columns), state.View, pool: pool);
        }

        // Sum over i_>: [(l l' pairs), (r r')].
        if (site < factors.Sites - 1)
        {
            using Matrix<double> leftPart = state, gram = RightGram(environment, factors, pool);
            state = new Matrix<double>((nint)left * left * pairs, (nint)right * right);
            MatrixProduct.Multiply(leftPart.As(state.Rows, after * after), gram, state.View, pool: pool);
        }

        using (state) return Arrange(state.As((nint)left * left * pairs, (nint)right * right), inputs, left, right, pool);
    }

    /// <summary>H[(i_&lt; i i_&gt;), (i_&lt;' i' i_&gt;')] as [(i_&lt; i_&lt;'), (pairs i at least i'), (i_&gt; i_&gt;')].</summary>
    private static Matrix<double> SplitMetric(Matrix<double> metric, int inputs, int before, int after, ComputePool pool)
    {
        nint pairs = (nint)inputs * (inputs + 1) / 2;
        var split = new Matrix<double>((nint)before * before * pairs, (nint)after * after);
        pool.For((nint)before * inputs, 1, (start, end) =>
        {
            for (nint index = start; index < end; index++)
            {
                (int a, int i) = Math.DivRem((int)index, inputs);
                for (int b = 0; b < after; b++)
                {
                    ReadOnlySpan<double> row = metric.Row(index * after + b);
                    for (int other = 0; other < before; other++)
                    {
                        for (int j = 0; j <= i; j++)
                        {
                            nint pair = (nint)i * (i + 1) / 2 + j;
                            row.Slice((other * inputs + j) * after, after).CopyTo(split.Row(((nint)a * before + other) * pairs + pair).Slice(b * after, after));
                        }
                    }
                }
            }
        });
        return split;
    }

    /// <summary>What lies to the left, [(i_&lt; l), o_&lt;].</summary>
    private static Matrix<double> LeftRows(SiteEnvironment environment, SiteFactors factors)
    {
        long[] outputs = SiteUnfolding.Offsets(factors, 0, environment.Site, output: true), inputs = SiteUnfolding.Offsets(factors, 0, environment.Site, output: false);
        int bond = environment.LeftBond;
        var rows = new Matrix<double>((nint)inputs.Length * bond, outputs.Length);
        for (int i = 0; i < inputs.Length; i++)
        {
            for (int o = 0; o < outputs.Length; o++)
            {
                ReadOnlySpan<double> source = environment.Left.Row((nint)(outputs[o] + inputs[i]));
                for (int l = 0; l < bond; l++) rows[(nint)i * bond + l, o] = source[l];
            }
        }

        return rows;
    }

    /// <summary>What lies to the right, [(i_&gt; r), o_&gt;].</summary>
    private static Matrix<double> RightRows(SiteEnvironment environment, SiteFactors factors)
    {
        int sites = factors.Sites, bond = environment.RightBond;
        long[] outputs = SiteUnfolding.Offsets(factors, environment.Site + 1, sites, output: true), inputs = SiteUnfolding.Offsets(factors, environment.Site + 1, sites, output: false);
        var rows = new Matrix<double>((nint)inputs.Length * bond, outputs.Length);
        for (int r = 0; r < bond; r++)
        {
            ReadOnlySpan<double> source = environment.Right.Row(r);
            for (int i = 0; i < inputs.Length; i++)
            {
                Span<double> row = rows.Row((nint)i * bond + r);
                for (int o = 0; o < outputs.Length; o++) row[o] = source[(int)(outputs[o] + inputs[i])];
            }
        }

        return rows;
    }

    /// <summary>[(l l'), (i_&lt; i_&lt;')].</summary>
    private static Matrix<double> LeftGram(SiteEnvironment environment, SiteFactors factors, ComputePool pool)
    {
        using Matrix<double> rows = LeftRows(environment, factors);
        int bond = environment.LeftBond, count = (int)(rows.Rows / bond);
        using var gram = new Matrix<double>(rows.Rows, rows.Rows);
        MatrixProduct.SymmetricRankK(rows, gram.View, pool: pool);
        var arranged = new Matrix<double>((nint)bond * bond, (nint)count * count);
        pool.For(bond, 1, (start, end) =>
        {
            for (nint l = start; l < end; l++)
            {
                for (int i = 0; i < count; i++)
                {
                    ReadOnlySpan<double> row = gram.Row((nint)i * bond + l);
                    for (int j = 0; j < count; j++)
                    {
                        for (int other = 0; other < bond; other++) arranged[l * bond + other, (nint)i * count + j] = row[j * bond + other];
                    }
                }
            }
        });
        return arranged;
    }

    /// <summary>[(i_&gt; i_&gt;'), (r r')].</summary>
    private static Matrix<double> RightGram(SiteEnvironment environment, SiteFactors factors, ComputePool pool)
    {
        using Matrix<double> rows = RightRows(environment, factors);
        int bond = environment.RightBond, count = (int)(rows.Rows / bond);
        using var gram = new Matrix<double>(rows.Rows, rows.Rows);
        MatrixProduct.SymmetricRankK(rows, gram.View, pool: pool);
        var arranged = new Matrix<double>((nint)count * count, (nint)bond * bond);
        pool.For(count, 1, (start, end) =>
        {
            for (nint i = start; i < end; i++)
            {
                for (int r = 0; r < bond; r++)
                {
                    ReadOnlySpan<double> row = gram.Row(i * bond + r);
                    for (int other = 0; other < count; other++) row.Slice(other * bond, bond).CopyTo(arranged.Row(i * count + other).Slice(r * bond, bond));
                }
            }
        });
        return arranged;
    }

    /// <summary>[(l l' pairs), (r r')] as the lower triangle of [(i l r), (i' l' r')].</summary>
    private static Matrix<double> Arrange(MatrixView<double> state, int inputs, int left, int right, ComputePool pool)
    {
        nint pairs = (nint)inputs * (inputs + 1) / 2;
        var normal = new Matrix<double>((nint)inputs * left * right, (nint)inputs * left * right);
        pool.For((nint)inputs * left, 1, (start, end) =>
        {
            for (nint index = start; index < end; index++)
            {
                (int i, int l) = Math.DivRem((int)index, left);
                for (int j = 0; j <= i; j++)
                {
                    for (int other = 0; other < left; other++)
                    {
                        ReadOnlySpan<double> source = state.Row(((nint)l * left + other) * pairs + (nint)i * (i + 1) / 2 + j);
                        for (int r = 0; r < right; r++)
                            source.Slice(r * right, right).CopyTo(normal.Row(index * right + r).Slice((j * left + other) * right, right));
                    }
                }
            }
        });
        return normal;
    }

    private static (double Before, double After) Sizes(SiteFactors factors, int site)
    {
        double before = 1, after = 1;
        for (int k = 0; k < site; k++) before *= factors.Inputs[k];
        for (int k = site + 1; k < factors.Sites; k++) after *= factors.Inputs[k];
        return (before, after);
    }

    private static double Square(double value) => value * value;
}
