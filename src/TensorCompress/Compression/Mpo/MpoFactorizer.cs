using TensorCompress.Kernels;
using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Mpo;

/// <summary>
/// TT-SVD (Oseledets, SIAM J. Sci. Comput. 33, 2011): W as a tensor with one index (o_k i_k) per site is unfolded bond by bond from the left, each unfolding
/// replaced by its best approximation of rank r_k. Two sites: the best operator of that bond dimension (Van Loan and Pitsianis).
/// </summary>
public sealed class MpoFactorizer
{
    private readonly SiteFactors _factors;
    private readonly ComputePool _pool;

    private MpoFactorizer(SiteFactors factors, ComputePool pool)
    {
        _factors = factors;
        _pool = pool;
    }

    /// <summary>Factorises a matrix.</summary>
    /// <param name="weights">W, [output, input], finite; only read.</param>
    /// <param name="options">Bond dimension or share, sites, factors, type of the cores.</param>
    /// <param name="pool">Threads; null for the shared pool. The result does not depend on their number.</param>
    /// <param name="progress">Told the share done, 0 to 1; may be null.</param>
    /// <param name="cancellationToken">Looked at often.</param>
    /// <returns>Cores rounded to their type, all of the same norm, with the singular values of each bond spread over its two neighbours as square roots.</returns>
    /// <exception cref="ArgumentException">A weight is NaN or infinite, factors or share do not fit the shape, or a core overflows its type.</exception>
    public static MatrixProductOperator Factorize(
        MatrixView<float> weights, MpoOptions options, ComputePool? pool = null, IProgress<double>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        FiniteWeights.ThrowIfNot(weights, nameof(weights));
        int rows = checked((int)weights.Rows), columns = checked((int)weights.Columns);
        SiteFactors factors = options.Factors ?? SiteFactors.Balanced(rows, columns, options.Sites);
        factors.ThrowIfUnfit(rows, columns);
        int[] limits = factors.Bonds(options.Chi ?? BondDimensionFor(factors, options.Share!.Value, rows, columns));
        return new MpoFactorizer(factors, pool ?? ComputePool.Shared).Factorize(weights, limits, options.Type, progress, cancellationToken);
    }

    /// <summary>The largest bond dimension whose cores have at most a share of the elements of W.</summary>
    /// <exception cref="ArgumentException">Not even bond dimension 1 has so few; the message gives the smallest possible share.</exception>
    internal static int BondDimensionFor(SiteFactors factors, double share, int rows, int columns)
    {
        double elements = (double)rows * columns, budget = share * elements;
        long smallest = factors.ParameterCount(factors.Bonds(1));
        if (smallest > budget)
            throw new ArgumentException($"A share of {share} of {rows} x {columns} is less than bond dimension 1 needs with the factors {factors}: the least is {smallest / elements:G4}.", nameof(share));
        int fits = 1, tooMany = (int)Math.Min(int.MaxValue, factors.UsefulBonds().DefaultIfEmpty(1).Max() + 1);
        while (tooMany - fits > 1)
        {
            int middle = fits + (tooMany - fits) / 2;
            if (factors.ParameterCount(factors.Bonds(middle)) <= budget) fits = middle;
            else tooMany = middle;
        }

        return fits;
    }

    private MatrixProductOperator Factorize(MatrixView<float> weights, int[] limits, ElementType type, IProgress<double>? progress, CancellationToken cancellationToken)
    {
        int sites = _factors.Sites;
        var cores = new Matrix<double>[sites];
        var roots = new double[sites + 1][];
        roots[0] = roots[sites] = [1];
        Matrix<double> carried = Unfold(weights);
        for (int site = 0; site < sites - 1; site++)
        {
            using Matrix<double> unfolding = carried;
            using SingularValueDecomposition svd = Svd.Truncated(unfolding.View, limits[site + 1], _pool, cancellationToken);
            int rank = NumericalRank(svd);
            cores[site] = Transpose(svd.LeftTransposed, rank);
            roots[site + 1] = [.. svd.Values[..rank].ToArray().Select(Math.Sqrt)];
            carried = Carry(svd, rank, _factors.Outputs[site + 1] * _factors.Inputs[site + 1]);
            progress?.Report((site + 1.0) / sites);
        }

        cores[^1] = carried;
        CoreGauge.Balance(cores, roots);
        int[] bonds = [.. roots.Select(values => values.Length)];
        Matrix<float>[] rounded = [.. cores.Select((core, site) => Round(core, bonds[site] * _factors.Outputs[site], _factors.Inputs[site] * bonds[site + 1], type))];
        foreach (Matrix<double> core in cores) core.Dispose();
        var result = new MatrixProductOperator((int)weights.Rows, (int)weights.Columns, _factors, bonds, rounded, relativeError: 0);
        return result.MeasuredAgainst(weights, _pool);
    }

    /// <summary>W as [o_1 i_1, o_2 i_2 ... o_L i_L], padded with zeros.</summary>
    private Matrix<double> Unfold(MatrixView<float> weights)
    {
        int first = _factors.Outputs[0] * _factors.Inputs[0];
        long rest = (long)_factors.OutputDimension * _factors.InputDimension / first;
        var unfolding = new Matrix<double>(first, (nint)rest);
        long[] rowOffsets = Offsets(_factors.Outputs, output: true), columnOffsets = Offsets(_factors.Inputs, output: false);
        for (nint row = 0; row < weights.Rows; row++)
        {
            ReadOnlySpan<float> source = weights.Row(row);
            for (int column = 0; column < source.Length; column++)
            {
                (long unfoldedRow, long unfoldedColumn) = Math.DivRem(rowOffsets[row] + columnOffsets[column], rest);
                unfolding[(nint)unfoldedRow, (nint)unfoldedColumn] = source[column];
            }
        }

        return unfolding;
    }

    /// <summary>For every row (or column) of W what its digits add to the index (o_1 i_1 o_2 i_2 ... o_L i_L).</summary>
    private long[] Offsets(IReadOnlyList<int> factors, bool output)
    {
        long[] offsets = [0];
        long stride = (long)_factors.OutputDimension * _factors.InputDimension;
        for (int site = 0; site < factors.Count; site++)
        {
            stride /= (long)_factors.Outputs[site] * _factors.Inputs[site];
            long step = output ? stride * _factors.Inputs[site] : stride;
            offsets = [.. offsets.SelectMany(offset => Enumerable.Range(0, factors[site]).Select(digit => offset + digit * step))];
        }

        return offsets;
    }

    /// <summary>Triplets that are more than rounding, at most those found and at least one.</summary>
    private static int NumericalRank(SingularValueDecomposition svd)
    {
        double noise = svd.Values[0] * Math.Max(svd.LeftTransposed.Columns, svd.RightTransposed.Columns) * Math.Pow(2, -52);
        int rank = svd.Rank;
        while (rank > 1 && svd.Values[rank - 1] <= noise) rank--;
        return rank;
    }

    private static Matrix<double> Transpose(Matrix<double> rows, int count)
    {
        var columns = new Matrix<double>(rows.Columns, count);
        for (int r = 0; r < count; r++)
        {
            ReadOnlySpan<double> row = rows.Row(r);
            for (int i = 0; i < row.Length; i++) columns[i, r] = row[i];
        }

        return columns;
    }

    /// <summary>diag(s) V^T, read as the next unfolding [r o i, rest].</summary>
    private static Matrix<double> Carry(SingularValueDecomposition svd, int rank, int siteSize)
    {
        int rest = checked((int)(svd.RightTransposed.Columns / siteSize));
        var carried = new Matrix<double>(rank * (nint)siteSize, rest);
        for (int r = 0; r < rank; r++)
        {
            Span<double> row = svd.RightTransposed.Row(r);
            DoubleVectors.Scale(svd.Values[r], row);
            for (int i = 0; i < siteSize; i++) row.Slice(i * rest, rest).CopyTo(carried.Row(r * (nint)siteSize + i));
        }

        return carried;
    }

    /// <summary>A core [left o i, right] as floats [left o, i right] that its type holds exactly.</summary>
    private static Matrix<float> Round(Matrix<double> core, int rows, int columns, ElementType type)
    {
        var result = new Matrix<float>(rows, columns);
        int right = (int)core.Columns, inputs = columns / right;
        for (nint i = 0; i < core.Rows; i++)
        {
            ReadOnlySpan<double> source = core.Row(i);
            Span<float> destination = result.Row(i / inputs).Slice((int)(i % inputs) * right, right);
            for (int r = 0; r < right; r++) destination[r] = (float)source[r];
        }

        if (type == ElementType.F32) return result;
        using (Matrix<byte> rounded = FloatRounding.Round(result.View, type, "weights"))
        {
            for (nint row = 0; row < result.Rows; row++) ElementConversion.ToSingle(type, rounded.Row(row), result.Row(row));
        }

        return result;
    }
}
