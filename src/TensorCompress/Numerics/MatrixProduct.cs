using System.Numerics;
using System.Runtime.Intrinsics.Arm;
using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Numerics;

/// <summary>General matrix products <c>C = alpha op(A) op(B) + beta C</c>: the same bits at any number of threads and any vector width.</summary>
/// <remarks>
/// Every element is a sum over k in one order with one rounding per multiply-add, in parts of 256 which are scaled by alpha and added to beta C one after the other.
/// NaN and infinities go into every sum that they belong to, also where alpha is 0; what C held is not read where beta is 0.
/// </remarks>
public static class MatrixProduct
{
    // Below this many multiply-adds waking threads costs more than it saves.
    private const double ThreadingThreshold = 128 * 128 * 128;

    /// <summary>C = alpha A B + beta C.</summary>
    /// <param name="a">[m, k].</param>
    /// <param name="b">[k, n].</param>
    /// <param name="c">[m, n]; with beta 0 it is overwritten, whatever it held; must not overlap the operands.</param>
    /// <param name="alpha">Factor of the product.</param>
    /// <param name="beta">Factor of what C holds.</param>
    /// <param name="pool">Threads; null for the shared pool.</param>
    /// <exception cref="ArgumentException">The shapes do not fit.</exception>
    public static void Multiply(MatrixOperand<float> a, MatrixOperand<float> b, MatrixView<float> c, float alpha = 1, float beta = 0, ComputePool? pool = null) =>
        Run(a, b, c, alpha, beta, lowerOnly: false, pool);

    /// <inheritdoc cref="Multiply(MatrixOperand{float}, MatrixOperand{float}, MatrixView{float}, float, float, ComputePool?)"/>
    public static void Multiply(MatrixOperand<double> a, MatrixOperand<double> b, MatrixView<double> c, double alpha = 1, double beta = 0, ComputePool? pool = null) =>
        Run(a, b, c, alpha, beta, lowerOnly: false, pool);

    /// <summary>C = alpha A B + beta C with single-precision operands, multiplied and added in double. No copy of them is made.</summary>
    /// <inheritdoc cref="Multiply(MatrixOperand{float}, MatrixOperand{float}, MatrixView{float}, float, float, ComputePool?)"/>
    public static void Multiply(MatrixOperand<float> a, MatrixOperand<float> b, MatrixView<double> c, double alpha = 1, double beta = 0, ComputePool? pool = null) =>
        Run(a, b, c, alpha, beta, lowerOnly: false, pool);

    /// <summary>C = alpha A A^T + beta C, symmetric; both triangles are written and are the same bits. Half the work of a product.</summary>
    /// <param name="a">[n, k].</param>
    /// <param name="c">[n, n], symmetric where beta is not 0: its lower triangle is what counts.</param>
    /// <param name="alpha">Factor of the product.</param>
    /// <param name="beta">Factor of what C holds.</param>
    /// <param name="pool">Threads; null for the shared pool.</param>
    /// <exception cref="ArgumentException">The shapes do not fit.</exception>
    public static void SymmetricRankK(MatrixOperand<float> a, MatrixView<float> c, float alpha = 1, float beta = 0, ComputePool? pool = null) =>
        RunSymmetric(a, c, alpha, beta, pool);

    /// <inheritdoc cref="SymmetricRankK(MatrixOperand{float}, MatrixView{float}, float, float, ComputePool?)"/>
    public static void SymmetricRankK(MatrixOperand<double> a, MatrixView<double> c, double alpha = 1, double beta = 0, ComputePool? pool = null) =>
        RunSymmetric(a, c, alpha, beta, pool);

    /// <summary>C = alpha A A^T + beta C with single-precision A, multiplied and added in double: Gram matrices and second moments. No copy of A is made.</summary>
    /// <inheritdoc cref="SymmetricRankK(MatrixOperand{float}, MatrixView{float}, float, float, ComputePool?)"/>
    public static void SymmetricRankK(MatrixOperand<float> a, MatrixView<double> c, double alpha = 1, double beta = 0, ComputePool? pool = null) =>
        RunSymmetric(a, c, alpha, beta, pool);

    private static void RunSymmetric<T, TSource>(MatrixOperand<TSource> a, MatrixView<T> c, T alpha, T beta, ComputePool? pool)
        where T : unmanaged, IFloatingPointIeee754<T>
        where TSource : unmanaged
    {
        Run(a, a.Transposed, c, alpha, beta, lowerOnly: true, pool);
        MirrorLower(c);
    }

    private static void Run<T, TSource>(MatrixOperand<TSource> a, MatrixOperand<TSource> b, MatrixView<T> c, T alpha, T beta, bool lowerOnly, ComputePool? pool)
        where T : unmanaged, IFloatingPointIeee754<T>
        where TSource : unmanaged
    {
        if (a.Columns != b.Rows || c.Rows != a.Rows || c.Columns != b.Columns)
            throw new ArgumentException($"[{a.Rows}, {a.Columns}] times [{b.Rows}, {b.Columns}] does not give [{c.Rows}, {c.Columns}].", nameof(c));
        if (c.Rows == 0 || c.Columns == 0) return;
        if (a.Columns == 0)
        {
            Scale(c, beta);
            return;
        }

        Run(new StridedMatrix<TSource>(a), new StridedMatrix<TSource>(b), new StridedMatrix<T>(c), alpha, beta, lowerOnly, pool);
        GC.KeepAlive(a.View);
        GC.KeepAlive(b.View);
        GC.KeepAlive(c);
    }

    /// <summary>The same by addresses, for algorithms that are written once for rows and columns. No dimension is 0.</summary>
    internal static void Run<T, TSource>(StridedMatrix<TSource> a, StridedMatrix<TSource> b, StridedMatrix<T> c, T alpha, T beta, bool lowerOnly, ComputePool? pool)
        where T : unmanaged, IFloatingPointIeee754<T>
        where TSource : unmanaged
    {
        pool = (double)c.Rows * c.Columns * a.Columns < ThreadingThreshold ? null : pool ?? ComputePool.Shared;
        switch (SimdLevel.Active)
        {
            case SimdWidth.Bits512: BlockedProduct<Register512<T>, T, TSource, TileOfFourteen>.Run(a, b, c, alpha, beta, lowerOnly, pool); break;
            case SimdWidth.Bits256: BlockedProduct<Register256<T>, T, TSource, TileOfSix>.Run(a, b, c, alpha, beta, lowerOnly, pool); break;
            case SimdWidth.Bits128 when AdvSimd.IsSupported: BlockedProduct<Register128<T>, T, TSource, TileOfFourteen>.Run(a, b, c, alpha, beta, lowerOnly, pool); break;
            case SimdWidth.Bits128: BlockedProduct<Register128<T>, T, TSource, TileOfSix>.Run(a, b, c, alpha, beta, lowerOnly, pool); break;
            default: BlockedProduct<RegisterScalar<T>, T, TSource, TileOfSix>.Run(a, b, c, alpha, beta, lowerOnly, pool); break;
        }
    }

    private static void Scale<T>(MatrixView<T> c, T beta)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        for (nint i = 0; i < c.Rows; i++)
        {
            foreach (ref T value in c.Row(i)) value = beta == T.Zero ? T.Zero : beta * value;
        }
    }

    // In squares, so that the cache lines of both triangles are used whole.
    private static unsafe void MirrorLower<T>(MatrixView<T> c)
        where T : unmanaged
    {
        const int Side = 32;
        T* start = c.Pointer;
        nint stride = c.Stride;
        for (nint row = 0; row < c.Rows; row += Side)
        {
            nint endRow = nint.Min(row + Side, c.Rows);
            for (nint column = 0; column <= row; column += Side)
            {
                for (nint i = row; i < endRow; i++)
                {
                    nint endColumn = nint.Min(column + Side, i);
                    for (nint j = column; j < endColumn; j++) start[j * stride + i] = start[i * stride + j];
                }
            }
        }

        GC.KeepAlive(c);
    }
}
