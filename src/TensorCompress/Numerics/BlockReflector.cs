using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Numerics;

/// <summary>
/// Householder reflectors <c>H = I - tau v v^T</c>, and products of them in compact WY form <c>H_0 H_1 ... = I - V^T T V</c> with the v as rows of V
/// (Schreiber and Van Loan, SIAM J. Sci. Stat. Comput. 10, 1989), so that applying many is three matrix products.
/// </summary>
internal static class BlockReflector
{
    /// <summary>Squares below this have lost digits by underflow; the numbers (of a matrix scaled to about 1) are far below rounding.</summary>
    private const double TinySquare = 1e-280;

    /// <summary>Makes the reflector that maps x to (beta, 0, ..., 0); x becomes v with v[0] = 1.</summary>
    public static (double Factor, double Beta) Make(Span<double> x)
    {
        double first = x[0], tail = DoubleVectors.Dot(x[1..], x[1..]);
        x[0] = 1;
        if (tail < TinySquare)
        {
            x[1..].Clear();
            return (0, first);
        }

        double norm = Math.Sqrt(Math.FusedMultiplyAdd(first, first, tail)), beta = first >= 0 ? -norm : norm;
        DoubleVectors.Scale(1 / (first - beta), x[1..]);
        return ((beta - first) / beta, beta);
    }

    /// <summary>T, [b, b] upper triangular, of b reflectors.</summary>
    /// <param name="vectors">V, [b, n].</param>
    /// <param name="factors">The tau of each.</param>
    /// <param name="pool">Threads.</param>
    public static Matrix<double> Triangle(MatrixView<double> vectors, ReadOnlySpan<double> factors, ComputePool pool)
    {
        int count = factors.Length;
        var gram = new Matrix<double>(count, count);
        MatrixProduct.SymmetricRankK(vectors, gram.View, pool: pool);
        var triangle = new Matrix<double>(count, count);
        for (int i = 0; i < count; i++)
        {
            triangle[i, i] = factors[i];
            for (int row = 0; row < i; row++) triangle[row, i] = -factors[i] * DoubleVectors.Dot(triangle.Row(row)[row..i], gram.Row(i)[row..i]);
        }

        gram.Dispose();
        return triangle;
    }

    /// <summary>C = C (I - V^T op(T) V): the reflectors applied to every row of C, the first of them first with T as it stands, last with T transposed.</summary>
    public static void Apply(MatrixView<double> c, MatrixView<double> vectors, MatrixOperand<double> triangle, ComputePool pool)
    {
        if (c.Rows == 0) return;
        using var parts = new Matrix<double>(c.Rows, vectors.Rows);
        using var mixed = new Matrix<double>(c.Rows, vectors.Rows);
        MatrixProduct.Multiply(c, vectors.Transposed, parts.View, pool: pool);
        MatrixProduct.Multiply(parts, triangle, mixed.View, pool: pool);
        MatrixProduct.Multiply(mixed, vectors, c, alpha: -1, beta: 1, pool);
    }
}
