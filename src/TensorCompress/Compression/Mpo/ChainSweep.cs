using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Mpo;

/// <summary>Cores in motion: moves the orthogonality centre along a chain, truncating where it is told to. Owns its cores until they are handed on.</summary>
internal sealed class ChainSweep
{
    private readonly MatrixProductOperator _source;
    private readonly Matrix<double>[] _cores;
    private readonly int[] _bonds;
    private readonly ComputePool _pool;
    private int _exponent;

    /// <summary>Copies the cores of an operator, each brought to magnitudes about 1.</summary>
    public ChainSweep(MatrixProductOperator source, ComputePool pool)
    {
        _source = source;
        _pool = pool;
        _bonds = [.. source.BondDimensions];
        _cores = [.. source.Cores.Select(CoreViews.Copy)];
        _exponent = source.ScaleExponent + _cores.Sum(core => core.Normalize());
    }

    /// <summary>Sum of the squares that truncation left out, in units of 2^(2 <see cref="Exponent"/>) at the time.</summary>
    public double DiscardedSquares { get; private set; }

    /// <summary>The exponent of the power of two before the product of the cores.</summary>
    public int Exponent => _exponent;

    /// <summary>The cores as they are now, [left outputs, inputs right].</summary>
    public IReadOnlyList<Matrix<double>> Cores => _cores;

    /// <summary>The bonds as they are now, r_0 = 1, ..., r_L = 1.</summary>
    public IReadOnlyList<int> Bonds => _bonds;

    /// <summary>Replaces a core by one of the same shape that holds the scale of the whole: the exponent becomes 0.</summary>
    public void SetCore(int site, Matrix<double> core)
    {
        Replace(site, core);
        _exponent = 0;
    }

    /// <summary>Makes the cores from the last to the first but one right-orthogonal; the first holds everything else.</summary>
    public void ToLeftEnd()
    {
        for (int site = _cores.Length - 1; site > 0; site--) MoveLeft(site);
    }

    /// <summary>Makes core <paramref name="site"/> right-orthogonal and multiplies what is left of it into its left neighbour.</summary>
    public void MoveLeft(int site)
    {
        int left = _bonds[site];
        using SingularValueDecomposition svd = Svd.Full(_cores[site].As(left, _cores[site].Rows * _cores[site].Columns / left), _pool);
        int rank = NumericalRank(svd);
        Matrix<double> neighbour = _cores[site - 1];
        nint rows = neighbour.Rows * neighbour.Columns / left;
        // A_(k-1) U diag(s): the rows of U^T scaled.
        for (int r = 0; r < rank; r++) DoubleVectors.Scale(svd.Values[r], svd.LeftTransposed.Row(r));
        var product = new Matrix<double>(rows, rank);
        MatrixProduct.Multiply(neighbour.As(rows, left), svd.LeftTransposed.RowRange(0, rank).Transposed, product.View, pool: _pool);
        Replace(site - 1, product);
        Replace(site, Rows(svd.RightTransposed, rank));
        _bonds[site] = rank;
        Reshape(site - 1);
        Reshape(site);
        _exponent += _cores[site - 1].Normalize();
    }

    /// <summary>Makes core <paramref name="site"/> left-orthogonal with at most as many columns as the truncation allows, and multiplies what is left into its right neighbour.</summary>
    /// <returns>All singular values of the bond before truncation.</returns>
    public double[] MoveRight(int site, Func<ReadOnlySpan<double>, int>? chooseRank = null)
    {
        int right = _bonds[site + 1];
        nint rows = _cores[site].Rows * _cores[site].Columns / right;
        using SingularValueDecomposition svd = Svd.Full(_cores[site].As(rows, right), _pool);
        int rank = NumericalRank(svd);
        double[] values = svd.Values[..rank].ToArray();
        if (chooseRank is not null) rank = Math.Clamp(chooseRank(values), 1, rank);
        for (int r = rank; r < values.Length; r++) DiscardedSquares += values[r] * values[r];

        Matrix<double> neighbour = _cores[site + 1];
        nint columns = neighbour.Rows * neighbour.Columns / right;
        for (int r = 0; r < rank; r++) DoubleVectors.Scale(values[r], svd.RightTransposed.Row(r));
        var product = new Matrix<double>(rank, columns);
        MatrixProduct.Multiply(svd.RightTransposed.RowRange(0, rank), neighbour.As(right, columns), product.View, pool: _pool);
        Replace(site + 1, product);
        Replace(site, Columns(svd.LeftTransposed, rank));
        _bonds[site + 1] = rank;
        Reshape(site);
        Reshape(site + 1);
        int exponent = _cores[site + 1].Normalize();
        _exponent += exponent;
        DiscardedSquares = Math.ScaleB(DiscardedSquares, -2 * exponent);
        return values;
    }

    /// <summary>The squared norm of the core at the centre: that of the whole chain, without the factor 2^(2 <see cref="Exponent"/>).</summary>
    public double SquaredNorm(int center) => _cores[center].SquaredNorm();

    /// <summary>Hands the cores on as an operator with the centre at a site, null for none.</summary>
    /// <param name="center">The orthogonality centre.</param>
    public MatrixProductOperator ToOperator(int? center) =>
        new(_source.OutputDimension, _source.InputDimension, _source.Factors, _bonds, _cores, _exponent) { OrthogonalityCenter = center };

    /// <summary>Hands the cores on as they are, with the singular values of each bond spread over its two neighbours; the power of two goes into the cores, evenly.</summary>
    /// <param name="roots">For every bond r_0 ... r_L the square roots of its singular values, the chain being left-orthogonal but for its last core; null to leave the values where they are.</param>
    public MatrixProductOperator ToBalanced(double[][]? roots)
    {
        if (roots is not null) CoreGauge.SpreadValues(_cores, roots);
        CoreGauge.Level(_cores, _exponent);
        return new(_source.OutputDimension, _source.InputDimension, _source.Factors, _bonds, _cores);
    }

    /// <summary>Triplets that are more than rounding, at most those found and at least one.</summary>
    public static int NumericalRank(SingularValueDecomposition svd)
    {
        double noise = svd.Values[0] * Math.Max(svd.LeftTransposed.Columns, svd.RightTransposed.Columns) * Math.Pow(2, -52);
        int rank = svd.Rank;
        while (rank > 1 && svd.Values[rank - 1] <= noise) rank--;
        return rank;
    }

    /// <summary>The first rows as columns: [columns, count].</summary>
    public static Matrix<double> Columns(Matrix<double> rows, int count)
    {
        var columns = new Matrix<double>(rows.Columns, count);
        for (int r = 0; r < count; r++)
        {
            ReadOnlySpan<double> row = rows.Row(r);
            for (int i = 0; i < row.Length; i++) columns[i, r] = row[i];
        }

        return columns;
    }

    private static Matrix<double> Rows(Matrix<double> rows, int count)
    {
        var taken = new Matrix<double>(count, rows.Columns);
        rows.RowRange(0, count).CopyTo(taken.View);
        return taken;
    }

    private void Replace(int site, Matrix<double> core)
    {
        _cores[site].Dispose();
        _cores[site] = core;
    }

    /// <summary>Brings a core, whatever its unfolding, to [left outputs, inputs right].</summary>
    private void Reshape(int site) => _cores[site] = _cores[site].Reshape((nint)_bonds[site] * _source.Factors.Outputs[site]);
}
