using System.Buffers;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Numerics;

/// <summary>
/// The nearest of some centroids for every point, by <c>|x - c|^2 = |x|^2 - 2 x.c + |c|^2</c> in double: what floats cancel there would choose by chance where the points lie far from 0. Of equally
/// near ones the first. Few numbers are multiplied point by point with the centroids in a cache, many by one matrix product; both add in the same order, so the bits do not depend on it.
/// </summary>
internal sealed class NearestCentroid(int clusters, ComputePool pool) : IDisposable
{
    /// <summary>Products held at a time: 4 MiB, so that they are read while still in a cache.</summary>
    private const int HeldProducts = 1 << 19;

    /// <summary>Numbers of centroids that stay in the second-level cache, 128 KiB, and numbers of a point that a matrix product adds in one chain.</summary>
    private const int CachedNumbers = 1 << 14, ChainLength = 256;

    private const int GrainOfRows = 16, MinimumWorkPerRange = 1 << 15;

    private readonly double[] _norms = new double[Padded(clusters)];
    private Matrix<double>? _products;

    /// <summary>Finds them.</summary>
    /// <param name="points">[points, dimension], finite.</param>
    /// <param name="centroids">[clusters, dimension], finite.</param>
    /// <param name="nearest">An index for each point.</param>
    /// <param name="distances">Its squared distance.</param>
    public void Find(MatrixView<float> points, MatrixView<float> centroids, int[] nearest, double[] distances)
    {
        Array.Fill(_norms, double.PositiveInfinity);
        for (int j = 0; j < clusters; j++) _norms[j] = DoubleVectors.SquaredNorm(centroids.Row(j));
        if (points.Columns <= ChainLength && points.Columns * _norms.Length <= CachedNumbers) FindInCache(points, centroids, nearest, distances);
        else FindByProducts(points, centroids, nearest, distances);
    }

    /// <inheritdoc/>
    public void Dispose() => _products?.Dispose();

    private static int Padded(int clusters) => (clusters + 3) & ~3;

    private void FindInCache(MatrixView<float> points, MatrixView<float> centroids, int[] nearest, double[] distances)
    {
        int stride = _norms.Length, dimension = (int)points.Columns;
        double[] turned = ArrayPool<double>.Shared.Rent(stride * dimension); // [dimension, clusters]
        turned.AsSpan().Clear();
        for (int j = 0; j < clusters; j++)
        {
            ReadOnlySpan<float> centroid = centroids.Row(j);
            for (int k = 0; k < dimension; k++) turned[k * stride + j] = centroid[k];
        }

        pool.For(points.Rows, Math.Max(GrainOfRows, MinimumWorkPerRange / (stride * dimension)), (first, end) =>
        {
            double[] held = ArrayPool<double>.Shared.Rent(stride);
            Span<double> candidates = held.AsSpan(0, stride);
            for (nint row = first; row < end; row++)
            {
                ReadOnlySpan<float> point = points.Row(row);
                int index = Least(point, turned, candidates);
                nearest[row] = index;
                distances[row] = Math.Max(0, candidates[index] + DoubleVectors.SquaredNorm(point));
            }

            ArrayPool<double>.Shared.Return(held);
        });
        ArrayPool<double>.Shared.Return(turned);
    }

    /// <summary>The first least of |c|^2 - 2 x.c, and all of them.</summary>
    private int Least(ReadOnlySpan<float> point, double[] turned, Span<double> candidates)
    {
        ref double norms = ref MemoryMarshal.GetArrayDataReference(_norms), centroids = ref MemoryMarshal.GetArrayDataReference(turned), kept = ref MemoryMarshal.GetReference(candidates);
        nuint stride = (nuint)candidates.Length, j = 0;
        Vector256<double> least = Vector256.Create(double.PositiveInfinity);
        for (; j + 16 <= stride; j += 16) // four chains of additions, because each waits for itself
        {
            Vector256<double> s0 = Vector256<double>.Zero, s1 = s0, s2 = s0, s3 = s0;
            nuint at = j;
            foreach (float number in point)
            {
                Vector256<double> x = Vector256.Create((double)number);
                s0 = Vector256.FusedMultiplyAdd(x, Vector256.LoadUnsafe(ref centroids, at), s0);
                s1 = Vector256.FusedMultiplyAdd(x, Vector256.LoadUnsafe(ref centroids, at + 4), s1);
                s2 = Vector256.FusedMultiplyAdd(x, Vector256.LoadUnsafe(ref centroids, at + 8), s2);
                s3 = Vector256.FusedMultiplyAdd(x, Vector256.LoadUnsafe(ref centroids, at + 12), s3);
                at += stride;
            }

            s0 = Keep(s0, ref norms, ref kept, j);
            s1 = Keep(s1, ref norms, ref kept, j + 4);
            s2 = Keep(s2, ref norms, ref kept, j + 8);
            s3 = Keep(s3, ref norms, ref kept, j + 12);
            least = Vector256.Min(least, Vector256.Min(Vector256.Min(s0, s1), Vector256.Min(s2, s3)));
        }

        for (; j < stride; j += 4)
        {
            Vector256<double> sum = Vector256<double>.Zero;
            nuint at = j;
            foreach (float number in point)
            {
                sum = Vector256.FusedMultiplyAdd(Vector256.Create((double)number), Vector256.LoadUnsafe(ref centroids, at), sum);
                at += stride;
            }

            least = Vector256.Min(least, Keep(sum, ref norms, ref kept, j));
        }

        Vector128<double> two = Vector128.Min(least.GetLower(), least.GetUpper());
        Vector256<double> wanted = Vector256.Create(Math.Min(two[0], two[1]));
        for (j = 0; j < stride; j += 4)
        {
            uint found = Vector256.Equals(Vector256.LoadUnsafe(ref kept, j), wanted).ExtractMostSignificantBits();
            if (found != 0) return (int)j + BitOperations.TrailingZeroCount(found);
        }

        return 0; // a point that is not finite
    }

    // A doubled product is exact, so the difference is rounded once.
    private static Vector256<double> Keep(Vector256<double> products, ref double norms, ref double kept, nuint at)
    {
        Vector256<double> candidates = Vector256.LoadUnsafe(ref norms, at) - (products + products);
        candidates.StoreUnsafe(ref kept, at);
        return candidates;
    }

    private void FindByProducts(MatrixView<float> points, MatrixView<float> centroids, int[] nearest, double[] distances)
    {
        _products ??= new Matrix<double>(Math.Max(GrainOfRows, HeldProducts / clusters), clusters);
        for (nint start = 0; start < points.Rows; start += _products.Rows)
        {
            nint count = nint.Min(_products.Rows, points.Rows - start);
            MatrixView<float> part = points.RowRange(start, count);
            MatrixProduct.Multiply(part, centroids.Transposed, _products.RowRange(0, count), pool: pool);
            pool.For(count, GrainOfRows, (first, end) =>
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
