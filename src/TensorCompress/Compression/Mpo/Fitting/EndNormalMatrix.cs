using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Mpo.Fitting;

/// <summary>
/// The normal matrices of the first or the last core of a chain: <c>N[(i b), (i' b')] = sum over k, k' of H[(i k), (i' k')] G[(k b), (k' b')]</c> with i the core's own input digits, k all others, b the bond
/// and G the Gram matrix of the other cores. H and G are split into what is symmetric and what is skew in (k, k'); then pairs with k at least k' and b at least b' are enough: half the multiplications.
/// </summary>
internal sealed class EndNormalMatrix : IDisposable
{
    private readonly int _own;
    private readonly int _others;
    private readonly ComputePool _pool;

    // [pairs of i, pairs of k].
    private readonly Matrix<double> _symmetric;
    private readonly Matrix<double> _skew;

    /// <summary>Splits H; that serves all sweeps.</summary>
    /// <param name="metric">H, [n, n].</param>
    /// <param name="factors">The split over the sites, two at least.</param>
    /// <param name="isFirst">Whether the core is the first of the chain, or the last.</param>
    /// <param name="pool">Threads.</param>
    public EndNormalMatrix(Matrix<double> metric, SiteFactors factors, bool isFirst, ComputePool pool)
    {
        _pool = pool;
        _own = factors.Inputs[isFirst ? 0 : ^1];
        _others = factors.InputDimension / _own;
        (int ownStep, int otherStep) = isFirst ? (_others, 1) : (1, _own);
        _symmetric = new Matrix<double>(Pairs(_own), Pairs(_others));
        _skew = new Matrix<double>(Pairs(_own), Pairs(_others));
        pool.For(_own, 1, (start, end) =>
        {
            for (int i = (int)start; i < end; i++)
            {
                for (int j = 0; j <= i; j++)
                {
                    Span<double> symmetric = _symmetric.Row(Pair(i, j)), skew = _skew.Row(Pair(i, j));
                    for (int k = 0; k < _others; k++)
                    {
                        for (int l = 0; l <= k; l++)
                        {
                            double value = metric[(nint)i * ownStep + (nint)k * otherStep, (nint)j * ownStep + (nint)l * otherStep];
                            double turned = metric[(nint)i * ownStep + (nint)l * otherStep, (nint)j * ownStep + (nint)k * otherStep];
                            symmetric[Pair(k, l)] = k == l ? value : value + turned;
                            skew[Pair(k, l)] = value - turned;
                        }
                    }
                }
            }
        });
    }

    /// <summary>Multiply-adds of <see cref="Build"/>.</summary>
    public static double Cost(double own, double others, double bond) => 2 * (own * (own + 1) / 2) * (others * (others + 1) / 2) * (bond * (bond + 1) / 2);

    /// <summary>Builds the lower triangle; what stands above the diagonal blocks of i is zero.</summary>
    /// <param name="rows">The other cores as [(k b), output digits].</param>
    public Matrix<double> Build(Matrix<double> rows)
    {
        int bond = (int)(rows.Rows / _others);
        Matrix<double> symmetric, skew;
        using (var gram = new Matrix<double>(rows.Rows, rows.Rows))
        {
            MatrixProduct.SymmetricRankK(rows, gram.View, pool: _pool);
            (symmetric, skew) = Split(gram, bond);
        }

        using Matrix<double> even = Multiply(_symmetric, symmetric), odd = Multiply(_skew, skew);
        return Arrange(even, odd, bond);
    }

    public void Dispose()
    {
        _symmetric.Dispose();
        _skew.Dispose();
    }

    /// <summary>(G[(k b), (l b')] +- G[(k b'), (l b)]) / 2 as [pairs of k, pairs of b].</summary>
    private (Matrix<double> Symmetric, Matrix<double> Skew) Split(Matrix<double> gram, int bond)
    {
        var symmetric = new Matrix<double>(Pairs(_others), Pairs(bond));
        var skew = new Matrix<double>(Pairs(_others), Pairs(bond));
        _pool.For(_others, 1, (start, end) =>
        {
            for (int k = (int)start; k < end; k++)
            {
                for (int l = 0; l <= k; l++)
                {
                    Span<double> even = symmetric.Row(Pair(k, l)), odd = skew.Row(Pair(k, l));
                    for (int b = 0; b < bond; b++)
                    {
                        ReadOnlySpan<double> row = gram.Row((nint)k * bond + b).Slice(l * bond, bond);
                        for (int c = 0; c <= b; c++)
                        {
                            double turned = gram[(nint)k * bond + c, (nint)l * bond + b];
                            even[Pair(b, c)] = 0.5 * (row[c] + turned);
                            odd[Pair(b, c)] = 0.5 * (row[c] - turned);
                        }
                    }
                }
            }
        });
        return (symmetric, skew);
    }

    /// <summary>A product; the second operand goes.</summary>
    private Matrix<double> Multiply(Matrix<double> metric, Matrix<double> gram)
    {
        using Matrix<double> second = gram;
        var product = new Matrix<double>(metric.Rows, gram.Columns);
        MatrixProduct.Multiply(metric, gram, product.View, pool: _pool);
        return product;
    }

    /// <summary>[pairs of i, pairs of b] as the lower triangle of [(i b), (i' b')]: even +- odd.</summary>
    private Matrix<double> Arrange(Matrix<double> even, Matrix<double> odd, int bond)
    {
        var normal = new Matrix<double>((nint)_own * bond, (nint)_own * bond);
        _pool.For(_own, 1, (start, end) =>
        {
            for (int i = (int)start; i < end; i++)
            {
                for (int j = 0; j <= i; j++)
                {
                    ReadOnlySpan<double> sums = even.Row(Pair(i, j)), differences = odd.Row(Pair(i, j));
                    for (int b = 0; b < bond; b++)
                    {
                        Span<double> row = normal.Row((nint)i * bond + b).Slice(j * bond, bond);
                        for (int c = 0; c <= b; c++) row[c] = sums[Pair(b, c)] + differences[Pair(b, c)];
                        for (int c = b + 1; c < bond; c++) row[c] = sums[Pair(c, b)] - differences[Pair(c, b)];
                    }
                }
            }
        });
        return normal;
    }

    private static int Pairs(int count) => checked(count * (count + 1) / 2);

    /// <summary>The place of a pair with the first at least the second.</summary>
    private static int Pair(int first, int second) => first * (first + 1) / 2 + second;
}
