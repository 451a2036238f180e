using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Numerics.Eigen;

/// <summary>
/// A symmetric matrix as <c>Q T Q^T</c> with tridiagonal T, by blocked Householder reflections (Dongarra, Sorensen and Hammarling, J. Comput. Appl. Math. 27, 1989):
/// half the work is one matrix-vector product per row, the other half are products of rank 2 x <see cref="PanelRows"/>.
/// </summary>
internal sealed class Tridiagonalization : IDisposable
{
    private const int PanelRows = 32;

    /// <summary>Reflectors that are applied together on the way back.</summary>
    private const int BlockRows = 96;

    /// <summary>Columns of a stripe of the trailing update; what a stripe computes below the diagonal is not needed.</summary>
    private const int StripeRows = 256;

    private readonly Matrix<double> _matrix;
    private readonly double[] _factors;
    private readonly ComputePool _pool;
    private readonly int _size;

    private Tridiagonalization(Matrix<double> matrix, ComputePool pool)
    {
        _matrix = matrix;
        _pool = pool;
        _size = (int)matrix.Rows;
        _factors = new double[Math.Max(0, _size - 1)];
        Diagonal = new double[_size];
        OffDiagonal = new double[Math.Max(0, _size - 1)];
    }

    /// <summary>Diagonal of T, n long.</summary>
    public double[] Diagonal { get; }

    /// <summary>T[i, i + 1], n - 1 long.</summary>
    public double[] OffDiagonal { get; }

    /// <summary>Reduces a matrix whose largest magnitude is about 1.</summary>
    /// <param name="matrix">[n, n]; the upper triangle is read; taken over: row i comes to hold reflector i from column i + 1 on, zeros before.</param>
    /// <param name="pool">Threads.</param>
    /// <param name="cancellationToken">Looked at once per panel.</param>
    public static Tridiagonalization Reduce(Matrix<double> matrix, ComputePool pool, CancellationToken cancellationToken)
    {
        var result = new Tridiagonalization(matrix, pool);
        using var product = new SymmetricMatrixVector(matrix, pool);
        // V and W of a panel, one above the other and the other way round: A - V^T W - W^T V is one product.
        using Matrix<double> vectorsAboveProducts = new(2 * PanelRows, matrix.Rows), productsAboveVectors = new(2 * PanelRows, matrix.Rows);
        for (int start = 0; start < result._size - 1; start += PanelRows)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int end = Math.Min(start + PanelRows, result._size - 1);
            result.ReducePanel(start, end, product, productsAboveVectors);
            result.UpdateTrailing(start, end, vectorsAboveProducts, productsAboveVectors);
        }

        if (result._size > 0) result.Diagonal[^1] = matrix[result._size - 1, result._size - 1];
        return result;
    }

    /// <summary>Turns eigenvectors of T, as rows, into those of the matrix.</summary>
    /// <param name="vectors">[any, n]; overwritten.</param>
    public void ApplyTo(MatrixView<double> vectors)
    {
        int count = _factors.Length;
        for (int start = (count - 1) / BlockRows * BlockRows; start >= 0 && count > 0; start -= BlockRows)
        {
            int end = Math.Min(start + BlockRows, count);
            nint columns = _size - start - 1;
            MatrixView<double> reflectors = _matrix.RowRange(start, end - start).ColumnRange(start + 1, columns);
            using Matrix<double> triangle = BlockReflector.Triangle(reflectors, _factors.AsSpan(start, end - start), _pool);
            BlockReflector.Apply(vectors.ColumnRange(start + 1, columns), reflectors, triangle.Transposed, _pool);
        }
    }

    public void Dispose() => _matrix.Dispose();

    /// <summary>Makes reflectors [start, end) and their W. Rows below the panel stay as they were; rows of the panel are brought up to date when their turn comes.</summary>
    private void ReducePanel(int start, int end, SymmetricMatrixVector product, Matrix<double> products)
    {
        for (int k = start; k < end; k++)
        {
            Span<double> row = _matrix.Row(k);
            for (int earlier = start; earlier < k; earlier++)
            {
                ReadOnlySpan<double> v = _matrix.Row(earlier), w = products.Row(earlier - start);
                DoubleVectors.AddScaled(-v[k], w[k..], row[k..]);
                DoubleVectors.AddScaled(-w[k], v[k..], row[k..]);
            }

            Diagonal[k] = row[k];
            row[..(k + 1)].Clear();
            Span<double> reflector = row[(k + 1)..];
            (_factors[k], OffDiagonal[k]) = BlockReflector.Make(reflector);
            Span<double> result = products.Row(k - start);
            result[..(k + 1)].Clear();
            MakeProduct(start, k, product, products, reflector, result[(k + 1)..]);
        }
    }

    /// <summary>w = tau (A v) - tau^2 / 2 (v^T A v) v with A as all earlier reflectors leave it.</summary>
    private void MakeProduct(int start, int k, SymmetricMatrixVector product, Matrix<double> products, ReadOnlySpan<double> v, Span<double> w)
    {
        product.Multiply(k + 1, v, w);
        for (int earlier = start; earlier < k; earlier++)
        {
            ReadOnlySpan<double> earlierV = _matrix.Row(earlier)[(k + 1)..], earlierW = products.Row(earlier - start)[(k + 1)..];
            double withV = DoubleVectors.Dot(earlierV, v), withW = DoubleVectors.Dot(earlierW, v);
            DoubleVectors.AddScaled(-withW, earlierV, w);
            DoubleVectors.AddScaled(-withV, earlierW, w);
        }

        DoubleVectors.Scale(_factors[k], w);
        DoubleVectors.AddScaled(-0.5 * _factors[k] * DoubleVectors.Dot(w, v), v, w);
    }

    /// <summary>A = A - V^T W - W^T V in the rows and columns after the panel, stripes of the upper triangle.</summary>
    private void UpdateTrailing(int start, int end, Matrix<double> vectorsFirst, Matrix<double> productsFirst)
    {
        int count = end - start, columns = _size - end;
        if (columns == 0) return;
        for (int i = 0; i < count; i++)
        {
            ReadOnlySpan<double> v = _matrix.Row(start + i)[end..], w = productsFirst.Row(i)[end..];
            v.CopyTo(vectorsFirst.Row(i)[end..]);
            w.CopyTo(vectorsFirst.Row(count + i)[end..]);
            v.CopyTo(productsFirst.Row(count + i)[end..]);
        }

        for (int row = end; row < _size; row += StripeRows)
        {
            int rows = Math.Min(StripeRows, _size - row);
            MatrixView<double> left = vectorsFirst.RowRange(0, 2 * count).ColumnRange(row, rows), right = productsFirst.RowRange(0, 2 * count).ColumnRange(row, _size - row);
            MatrixProduct.Multiply(left.Transposed, right, _matrix.RowRange(row, rows).ColumnRange(row, _size - row), alpha: -1, beta: 1, _pool);
        }
    }
}
