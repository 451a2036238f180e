using System.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Numerics;

/// <summary>General matrix products <c>C = alpha op(A) op(B) + beta C</c>. The same bits at any number of threads.</summary>
public static class MatrixProduct
{
    /// <summary>C = alpha A B + beta C.</summary>
    /// <param name="a">[m, k].</param>
    /// <param name="b">[k, n].</param>
    /// <param name="c">[m, n]; with beta 0 it is overwritten, whatever it held; must not overlap the operands.</param>
    /// <param name="alpha">Factor of the product.</param>
    /// <param name="beta">Factor of what C holds.</param>
    /// <param name="pool">Threads; null for the shared pool.</param>
    /// <exception cref="ArgumentException">The shapes do not fit.</exception>
    public static void Multiply(MatrixOperand<float> a, MatrixOperand<float> b, MatrixView<float> c, float alpha = 1, float beta = 0, ComputePool? pool = null) =>
        Core(a, b, c, alpha, beta);

    /// <inheritdoc cref="Multiply(MatrixOperand{float}, MatrixOperand{float}, MatrixView{float}, float, float, ComputePool?)"/>
    public static void Multiply(MatrixOperand<double> a, MatrixOperand<double> b, MatrixView<double> c, double alpha = 1, double beta = 0, ComputePool? pool = null) =>
        Core(a, b, c, alpha, beta);

    /// <summary>C = alpha A A^T + beta C, symmetric; both triangles are written and are the same bits.</summary>
    /// <param name="a">[n, k].</param>
    /// <param name="c">[n, n], symmetric where beta is not 0.</param>
    /// <param name="alpha">Factor of the product.</param>
    /// <param name="beta">Factor of what C holds.</param>
    /// <param name="pool">Threads; null for the shared pool.</param>
    /// <exception cref="ArgumentException">The shapes do not fit.</exception>
    public static void SymmetricRankK(MatrixOperand<float> a, MatrixView<float> c, float alpha = 1, float beta = 0, ComputePool? pool = null) =>
        Core(a, a.Transposed, c, alpha, beta);

    /// <inheritdoc cref="SymmetricRankK(MatrixOperand{float}, MatrixView{float}, float, float, ComputePool?)"/>
    public static void SymmetricRankK(MatrixOperand<double> a, MatrixView<double> c, double alpha = 1, double beta = 0, ComputePool? pool = null) =>
        Core(a, a.Transposed, c, alpha, beta);

    /// <summary>C = alpha A A^T + beta C with single-precision A, multiplied and added in double: Gram matrices and second moments.</summary>
    /// <inheritdoc cref="SymmetricRankK(MatrixOperand{float}, MatrixView{float}, float, float, ComputePool?)"/>
    public static void SymmetricRankK(MatrixOperand<float> a, MatrixView<double> c, double alpha = 1, double beta = 0, ComputePool? pool = null)
    {
        using var wide = new Matrix<double>(a.View.Rows, a.View.Columns);
        for (nint i = 0; i < a.View.Rows; i++)
        {
            for (int j = 0; j < (int)a.View.Columns; j++) wide[i, j] = a.View.Row(i)[j];
        }

        MatrixOperand<double> operand = new(wide.View, a.IsTransposed);
        Core(operand, operand.Transposed, c, alpha, beta);
    }

    private static void Core<T>(MatrixOperand<T> a, MatrixOperand<T> b, MatrixView<T> c, T alpha, T beta)
        where T : unmanaged, INumber<T>
    {
        if (a.Columns != b.Rows || c.Rows != a.Rows || c.Columns != b.Columns)
            throw new ArgumentException($"[{a.Rows}, {a.Columns}] times [{b.Rows}, {b.Columns}] does not give [{c.Rows}, {c.Columns}].", nameof(c));
        for (nint i = 0; i < c.Rows; i++)
        {
            Span<T> row = c.Row(i);
            for (int j = 0; j < row.Length; j++) row[j] = beta == T.Zero ? T.Zero : beta * row[j];
            for (nint l = 0; l < a.Columns; l++)
            {
                T factor = alpha * (a.IsTransposed ? a.View.Row(l)[(int)i] : a.View.Row(i)[(int)l]);
                for (int j = 0; j < row.Length; j++) row[j] += factor * (b.IsTransposed ? b.View.Row(j)[(int)l] : b.View.Row(l)[j]);
            }
        }
    }
}
