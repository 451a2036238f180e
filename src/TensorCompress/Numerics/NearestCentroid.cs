using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Numerics;

/// <summary>
/// The nearest of some centroids for every point, by <c>|x - c|^2 = |x|^2 - 2 x.c + |c|^2</c> with one matrix product in double: what floats cancel there would choose by chance where the
/// points lie far from 0. Of equally near ones the first.
/// </summary>
internal sealed class NearestCentroid : IDisposable
{
    /// <summary>Products held at a time: 4 MiB, so that they are read while still in a cache.</summary>
    private const int HeldProducts = 1 << 19;

    private const int GrainOfRows = 16;

    private readonly ComputePool _pool;
    private readonly Matrix<double> _products;
    private readonly double[] _norms;

    /// <param name="clusters">Centroids.</param>
    /// <param name="pool">Threads.</param>
    public NearestCentroid(int clusters, ComputePool pool)
    {
        _pool = pool;
        _norms = new double[clusters];
        _products = new Matrix<double>(Math.Max(GrainOfRows, HeldProducts / clusters), clusters);
    }

    /// <summary>Finds them.</summary>
    /// <param name="points">[points, dimension], finite.</param>
    /// <param name="centroids">[clusters, dimension], finite.</param>
    /// <param name="nearest">An index for each point.</param>
    /// <param name="distances">Its squared distance.</param>
    public void Find(MatrixView<float> points, MatrixView<float> centroids, int[] nearest, double[] distances)
    {
        for (int j = 0; j < _norms.Length; j++) _norms[j] = DoubleVectors.SquaredNorm(centroids.Row(j));
        for (nint start = 0; start < points.Rows; start += _products.Rows)
        {
            nint count = nint.Min(_products.Rows, points.Rows - start);
            MatrixView<float> part = points.RowRange(start, count);
            MatrixProduct.Multiply(part, centroids.Transposed, _products.RowRange(0, count), pool: _pool);
            _pool.For(count, GrainOfRows, (first, end) =>
            {
                for (nint row = first; row < end; row++)
                {
                    (int index, double distance) = Least(_products.Row(row));
                    nearest[start + row] = index;
                    distances[start + row] = Math.Max(0, distance + DoubleVectors.SquaredNorm(part.Row(row)));
                }
            });
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _products.Dispose();

    private (int Index, double Distance) Least(ReadOnlySpan<double> products)
    {
        ReadOnlySpan<double> norms = _norms.AsSpan(0, products.Length);
        int index = 0;
        double least = double.PositiveInfinity;
        for (int j = 0; j < products.Length; j++)
        {
            double distance = norms[j] - 2 * products[j];
            if (distance >= least) continue;
            least = distance;
            index = j;
        }

        return (index, least);
    }
}
