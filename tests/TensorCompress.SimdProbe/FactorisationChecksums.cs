using TensorCompress.Numerics;
using TensorCompress.Numerics.SingularValues;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.SimdProbe;

/// <summary>Factorisations of fixed matrices on two threads. A double becomes two floats, so that the hash sees 48 bits of it.</summary>
internal static class FactorisationChecksums
{
    public static void SingularValuesByRotations(Span<float> y)
    {
        using Matrix<double> matrix = Random(41, 12, 20);
        Put(y, Svd.Full(matrix.View));
    }

    public static void SingularValuesByGramMatrices(Span<float> y)
    {
        using Matrix<double> matrix = Random(42, 66, 70);
        using var pool = new ComputePool(2);
        Put(y, Svd.Full(matrix.View, pool));
    }

    public static void SingularValuesByKrylovSpaces(Span<float> y)
    {
        using Matrix<double> matrix = Random(43, 60, 90);
        using var single = new Matrix<float>(60, 90);
        MatrixCopy.CopyRounded(matrix.View, single.View);
        using var pool = new ComputePool(2);
        using var sketch = new SketchedSvd<float>(single.View, exponent: 0, SvdTruncation.ToRank(5), pool);
        Put(y, sketch.Find(5, default)!);
    }

    public static void HouseholderReflections(Span<float> y)
    {
        using Matrix<double> matrix = Random(44, 50, 40);
        using HouseholderQr qr = HouseholderQr.Factorize(matrix.View);
        using Matrix<double> q = qr.ThinQ();
        for (int i = 0; i < y.Length / 2; i++) Put(y, i, q[i % 50, i % 37]);
    }

    public static void CholeskySolution(Span<float> y)
    {
        using Matrix<double> factor = Random(45, 80, 90), matrix = new(80, 80), unknowns = Random(46, 80, 2);
        using var pool = new ComputePool(2);
        MatrixProduct.SymmetricRankK(factor, matrix.View, pool: pool);
        using Cholesky cholesky = Cholesky.Factorize(matrix.View, ridge: 1, pool);
        cholesky.Solve(unknowns.View);
        for (int i = 0; i < 160; i++) Put(y, i, unknowns[i / 2, i % 2]);
    }

    private static void Put(Span<float> y, SingularValueDecomposition svd)
    {
        using (svd)
        {
            for (int i = 0; i < y.Length / 2; i++)
            {
                int triplet = i / 3 % svd.Rank, place = i * 7;
                Put(y, i, (i % 3) switch
                {
                    0 => svd.Values[triplet],
                    1 => svd.LeftTransposed.Row(triplet)[place % (int)svd.LeftTransposed.Columns],
                    _ => svd.RightTransposed.Row(triplet)[place % (int)svd.RightTransposed.Columns],
                });
            }
        }
    }

    private static void Put(Span<float> y, int index, double value)
    {
        y[2 * index] = (float)value;
        y[2 * index + 1] = (float)(value - (float)value);
    }

    private static Matrix<double> Random(int seed, int rows, int columns)
    {
        var random = new Random(seed);
        var matrix = new Matrix<double>(rows, columns);
        for (int i = 0; i < rows; i++)
        {
            foreach (ref double value in matrix.Row(i)) value = random.NextDouble() * 2 - 1;
        }

        return matrix;
    }
}
