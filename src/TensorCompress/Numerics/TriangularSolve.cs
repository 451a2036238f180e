using System.Numerics;
using System.Runtime.CompilerServices;
using TensorCompress.Kernels;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Numerics;

/// <summary>Which half of a triangular operand is read, as the operand stands: the transpose of a lower triangle is an upper one.</summary>
public enum Triangle
{
    /// <summary>On and below the diagonal.</summary>
    Lower,

    /// <summary>On and above the diagonal.</summary>
    Upper,
}

/// <summary>
/// Triangular systems with many right-hand sides, halved until a block is small; all else is matrix products. The same bits at any number of threads and any vector width.
/// </summary>
public static class TriangularSolve
{
    private const int StripColumns = 64;
    private const double ThreadingThreshold = 64 * 64 * 256;

    /// <summary>Solves T X = B.</summary>
    /// <param name="matrix">T, [n, n]; the other triangle is not read.</param>
    /// <param name="triangle">The half of T that counts.</param>
    /// <param name="rightSides">B, [n, any]; overwritten by X; must not overlap T.</param>
    /// <param name="pool">Threads; null for the shared pool.</param>
    /// <exception cref="ArgumentException">The shapes do not fit.</exception>
    /// <exception cref="ArithmeticException">A diagonal element is zero, NaN or infinite; nothing was written.</exception>
    public static void Left(MatrixOperand<float> matrix, Triangle triangle, MatrixView<float> rightSides, ComputePool? pool = null) =>
        Solve(matrix, triangle, rightSides, isRight: false, pool);

    /// <inheritdoc cref="Left(MatrixOperand{float}, Triangle, MatrixView{float}, ComputePool?)"/>
    public static void Left(MatrixOperand<double> matrix, Triangle triangle, MatrixView<double> rightSides, ComputePool? pool = null) =>
        Solve(matrix, triangle, rightSides, isRight: false, pool);

    /// <summary>Solves X T = B.</summary>
    /// <param name="matrix">T, [n, n]; the other triangle is not read.</param>
    /// <param name="triangle">The half of T that counts.</param>
    /// <param name="rightSides">B, [any, n]; overwritten by X; must not overlap T.</param>
    /// <param name="pool">Threads; null for the shared pool.</param>
    /// <exception cref="ArgumentException">The shapes do not fit.</exception>
    /// <exception cref="ArithmeticException">A diagonal element is zero, NaN or infinite; nothing was written.</exception>
    public static void Right(MatrixOperand<float> matrix, Triangle triangle, MatrixView<float> rightSides, ComputePool? pool = null) =>
        Solve(matrix, triangle, rightSides, isRight: true, pool);

    /// <inheritdoc cref="Right(MatrixOperand{float}, Triangle, MatrixView{float}, ComputePool?)"/>
    public static void Right(MatrixOperand<double> matrix, Triangle triangle, MatrixView<double> rightSides, ComputePool? pool = null) =>
        Solve(matrix, triangle, rightSides, isRight: true, pool);

    /// <summary>The same for algorithms that are written once for float and double.</summary>
    internal static unsafe void Solve<T>(MatrixOperand<T> matrix, Triangle triangle, MatrixView<T> rightSides, bool isRight, ComputePool? pool)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        nint rows = isRight ? rightSides.Columns : rightSides.Rows;
        if (triangle is not (Triangle.Lower or Triangle.Upper)) throw new ArgumentOutOfRangeException(nameof(triangle), triangle, "It is neither Lower nor Upper.");
        if (matrix.Rows != matrix.Columns || matrix.Rows != rows)
            throw new ArgumentException($"A [{matrix.Rows}, {matrix.Columns}] triangle does not stand {(isRight ? "right" : "left")} of [{rightSides.Rows}, {rightSides.Columns}] unknowns.", nameof(matrix));
        StridedMatrix<T> factor = new(matrix), unknowns = new(rightSides);
        for (nint i = 0; i < rows; i++)
        {
            T pivot = *factor.At(i, i);
            if (pivot == T.Zero || !T.IsFinite(pivot)) throw new ArithmeticException($"The {rows} x {rows} triangle is singular: its diagonal element {i} is {pivot}.");
        }

        if (rows == 0 || rightSides.Rows == 0 || rightSides.Columns == 0) return;
        // X T = B is T^T X^T = B^T.
        bool isUpper = triangle == Triangle.Upper;
        if (isRight) SolveShares(factor.Transposed, !isUpper, unknowns.Transposed, pool ?? ComputePool.Shared);
        else SolveShares(factor, isUpper, unknowns, pool ?? ComputePool.Shared);
        GC.KeepAlive(matrix.View);
        GC.KeepAlive(rightSides);
    }

    // Where there are enough right-hand sides, each thread takes some of them and meets the others at the end only (a busy pool runs what is inside alone).
    private static void SolveShares<T>(StridedMatrix<T> factor, bool isUpper, StridedMatrix<T> unknowns, ComputePool pool)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        nint share = unknowns.Columns / (2 * pool.Threads) / StripColumns * StripColumns;
        bool isLarge = (double)factor.Rows * factor.Rows * unknowns.Columns >= ThreadingThreshold;
        if (pool.Threads == 1 || share == 0 || !isLarge) Halve(factor, isUpper, unknowns, pool);
        else pool.For(unknowns.Columns, share, (start, end) => Halve(factor, isUpper, unknowns.ColumnRange(start, end - start), pool));
    }

    private static void Halve<T>(StridedMatrix<T> factor, bool isUpper, StridedMatrix<T> unknowns, ComputePool pool)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        if (factor.Rows <= TriangularBlock.MaxRows)
        {
            SolveBlock(factor, isUpper, unknowns, pool);
            return;
        }

        // The half is a multiple of the block, so that all blocks but the last are whole.
        nint half = (factor.Rows / 2 + TriangularBlock.MaxRows - 1) / TriangularBlock.MaxRows * TriangularBlock.MaxRows, rest = factor.Rows - half;
        StridedMatrix<T> top = unknowns.RowRange(0, half), bottom = unknowns.RowRange(half, rest);
        StridedMatrix<T> topFactor = factor.RowRange(0, half).ColumnRange(0, half), bottomFactor = factor.RowRange(half, rest).ColumnRange(half, rest);
        if (isUpper)
        {
            Halve(bottomFactor, isUpper, bottom, pool);
            MatrixProduct.Run(factor.RowRange(0, half).ColumnRange(half, rest), bottom, top, T.NegativeOne, T.One, lowerOnly: false, pool);
            Halve(topFactor, isUpper, top, pool);
        }
        else
        {
            Halve(topFactor, isUpper, top, pool);
            MatrixProduct.Run(factor.RowRange(half, rest).ColumnRange(0, half), top, bottom, T.NegativeOne, T.One, lowerOnly: false, pool);
            Halve(bottomFactor, isUpper, bottom, pool);
        }
    }

    [SkipLocalsInit]
    private static unsafe void SolveBlock<T>(StridedMatrix<T> factor, bool isUpper, StridedMatrix<T> unknowns, ComputePool pool)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        int rows = (int)factor.Rows, last = rows - 1;
        using PackBuffer buffer = PackBuffer.Rent<T>(TriangularBlock.MaxRows * rows);
        T* lower = buffer.Pointer<T>();
        for (int i = 0; i < rows; i++)
        {
            for (int j = 0; j <= i; j++)
            {
                // Rows and columns of an upper triangle, taken from the last to the first, are a lower one.
                T value = isUpper ? *factor.At(last - i, last - j) : *factor.At(i, j);
                lower[i * TriangularBlock.MaxRows + j] = i == j ? value : -value;
            }
        }

        if (isUpper) unknowns = unknowns.RowsReversed;
        if ((double)rows * rows * unknowns.Columns < ThreadingThreshold) SolveStrips(rows, lower, unknowns, 0, unknowns.Columns);
        else pool.For(unknowns.Columns, StripColumns, (start, end) => SolveStrips(rows, lower, unknowns, start, end));
    }

    [SkipLocalsInit]
    private static unsafe void SolveStrips<T>(int rows, T* lower, StridedMatrix<T> unknowns, nint start, nint end)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        if (unknowns.ColumnStride == 1)
        {
            TriangularBlock.Solve(rows, lower, unknowns.At(0, start), unknowns.RowStride, end - start);
            return;
        }

        // The unknowns of one right-hand side are neighbours: strips are turned, solved and turned back.
        using PackBuffer buffer = PackBuffer.Rent<T>(TriangularBlock.MaxRows * StripColumns);
        T* strip = buffer.Pointer<T>();
        for (nint column = start; column < end; column += StripColumns)
        {
            nint columns = nint.Min(StripColumns, end - column);
            for (nint j = 0; j < columns; j++)
            {
                for (nint i = 0; i < rows; i++) strip[i * StripColumns + j] = *unknowns.At(i, column + j);
            }

            TriangularBlock.Solve(rows, lower, strip, StripColumns, columns);
            for (nint j = 0; j < columns; j++)
            {
                for (nint i = 0; i < rows; i++) *unknowns.At(i, column + j) = strip[i * StripColumns + j];
            }
        }
    }
}
