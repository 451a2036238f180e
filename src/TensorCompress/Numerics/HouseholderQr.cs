using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Numerics;

/// <summary>
/// <c>A = Q R</c> by blocked Householder reflections: orthogonal to rounding whatever the condition and the scale of A, rank deficient included.
/// </summary>
/// <remarks>Cost: 2 m n^2 operations for R and as many for Q, nearly all of them in matrix products. The same bits at any number of threads.</remarks>
public sealed class HouseholderQr : IDisposable
{
    private const int PanelRows = 32;

    /// <summary>[n, m]: row i holds reflector i from column i on, with 1 at column i; R^T stands in <see cref="_lower"/>.</summary>
    private readonly Matrix<double> _reflectors;
    private readonly Matrix<double> _lower;
    private readonly double[] _factors;
    private readonly ComputePool _pool;

    /// <summary>What was factorised is A over two to this power.</summary>
    private int _exponent;

    private HouseholderQr(Matrix<double> reflectors, ComputePool pool)
    {
        _reflectors = reflectors;
        _lower = new Matrix<double>(reflectors.Rows, reflectors.Rows);
        _factors = new double[reflectors.Rows];
        _pool = pool;
    }

    /// <summary>Factorises a tall matrix.</summary>
    /// <param name="matrix">A, [m, n] with m at least n, finite; only read.</param>
    /// <param name="pool">Threads; null for the shared pool.</param>
    /// <exception cref="ArgumentException">There are more columns than rows, or an element is NaN or infinite; the message gives count and first place.</exception>
    public static HouseholderQr Factorize(MatrixView<double> matrix, ComputePool? pool = null)
    {
        if (matrix.Rows < matrix.Columns) throw new ArgumentException($"A tall matrix is needed, not {matrix.Rows} x {matrix.Columns}.", nameof(matrix));
        int exponent = MatrixScale.Exponent(matrix, nameof(matrix));
        Matrix<double> rows = MatrixCopy.Transpose(matrix);
        MatrixScale.Multiply(rows.View, -exponent);
        HouseholderQr result = FactorizeRows(rows, pool ?? ComputePool.Shared);
        result._exponent = exponent;
        return result;
    }

    /// <summary>Factorises the matrix whose columns are the rows given, [n, m] with n at most m; takes them over. Their squares are to be within double.</summary>
    internal static HouseholderQr FactorizeRows(Matrix<double> rows, ComputePool pool)
    {
        var result = new HouseholderQr(rows, pool);
        for (int start = 0; start < rows.Rows; start += PanelRows) result.FactorizePanel(start, Math.Min(start + PanelRows, (int)rows.Rows));
        return result;
    }

    /// <summary>R, [n, n], upper triangular; its diagonal may be negative.</summary>
    public Matrix<double> R()
    {
        Matrix<double> result = MatrixCopy.Transpose(_lower.View);
        MatrixScale.Multiply(result.View, _exponent);
        return result;
    }

    /// <summary>The first n columns of Q, [m, n], orthonormal.</summary>
    public Matrix<double> ThinQ()
    {
        using Matrix<double> rows = ThinQTransposed();
        return MatrixCopy.Transpose(rows.View);
    }

    /// <summary>The first n columns of Q as rows, [n, m].</summary>
    internal Matrix<double> ThinQTransposed() => ColumnsOfQ(0, (int)_reflectors.Rows);

    /// <summary>Columns of Q beyond the first n, as rows, [count, m]: orthonormal, and orthogonal to all of A.</summary>
    internal Matrix<double> ComplementTransposed(int count) => ColumnsOfQ((int)_reflectors.Rows, count);

    /// <summary>Frees the factors.</summary>
    public void Dispose()
    {
        _reflectors.Dispose();
        _lower.Dispose();
    }

    private void FactorizePanel(int start, int end)
    {
        for (int k = start; k < end; k++)
        {
            Span<double> row = _reflectors.Row(k);
            row[..k].CopyTo(_lower.Row(k));
            row[..k].Clear();
            (_factors[k], _lower[k, k]) = BlockReflector.Make(row[k..]);
            for (int other = k + 1; other < end; other++)
            {
                Span<double> rest = _reflectors.Row(other)[k..];
                DoubleVectors.AddScaled(-_factors[k] * DoubleVectors.Dot(row[k..], rest), row[k..], rest);
            }
        }

        nint columns = _reflectors.Columns - start, below = _reflectors.Rows - end;
        if (below == 0) return;
        MatrixView<double> vectors = _reflectors.RowRange(start, end - start).ColumnRange(start, columns);
        using Matrix<double> triangle = BlockReflector.Triangle(vectors, _factors.AsSpan(start, end - start), _pool);
        BlockReflector.Apply(_reflectors.RowRange(end, below).ColumnRange(start, columns), vectors, triangle, _pool);
    }

    /// <summary>H_0 H_1 ... applied to unit vectors, block by block from the last.</summary>
    private Matrix<double> ColumnsOfQ(int first, int count)
    {
        var result = new Matrix<double>(count, _reflectors.Columns);
        for (int i = 0; i < count; i++) result[i, first + i] = 1;
        int n = (int)_reflectors.Rows;
        for (int start = (n - 1) / PanelRows * PanelRows; start >= 0 && n > 0; start -= PanelRows)
        {
            int end = Math.Min(start + PanelRows, n);
            nint columns = _reflectors.Columns - start;
            MatrixView<double> vectors = _reflectors.RowRange(start, end - start).ColumnRange(start, columns);
            using Matrix<double> triangle = BlockReflector.Triangle(vectors, _factors.AsSpan(start, end - start), _pool);
            // Unit vectors before this block's first index are not touched by it.
            int untouched = Math.Clamp(start - first, 0, count);
            BlockReflector.Apply(result.RowRange(untouched, count - untouched).ColumnRange(start, columns), vectors, triangle.Transposed, _pool);
        }

        return result;
    }
}
