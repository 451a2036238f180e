using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Numerics.Eigen;

/// <summary>
/// y = A x for a symmetric matrix of which the upper triangle is read, once: every element adds to two components of y. The rows are cut into chunks by the size alone,
/// each with a y of its own, and these are added in their order: the same bits on any number of threads.
/// </summary>
internal sealed class SymmetricMatrixVector(Matrix<double> matrix, ComputePool pool) : IDisposable
{
    private const int Lanes = 4;
    private const int MaxChunks = 16;

    /// <summary>Rows that are worth a chunk: below, starting threads costs more than the product.</summary>
    private const int RowsPerChunk = 96;

    private readonly Matrix<double> _partial = new(MaxChunks, matrix.Rows);

    /// <summary>y = A[first.., first..] x.</summary>
    /// <param name="first">First row and column of the part.</param>
    /// <param name="x">As long as the part.</param>
    /// <param name="y">As long as the part; overwritten.</param>
    public void Multiply(int first, ReadOnlySpan<double> x, Span<double> y)
    {
        int length = (int)matrix.Rows - first, chunks = Math.Clamp(length / RowsPerChunk, 1, MaxChunks);
        double[] input = x.ToArray();
        pool.For(chunks, 1, (start, end) =>
        {
            for (int chunk = (int)start; chunk < end; chunk++) MultiplyChunk(first, input, Boundary(length, chunk, chunks), Boundary(length, chunk + 1, chunks), _partial.Row(chunk)[..length]);
        });

        _partial.Row(0)[..length].CopyTo(y);
        for (int chunk = 1; chunk < chunks; chunk++)
        {
            int from = Boundary(length, chunk, chunks);
            DoubleVectors.AddScaled(1, _partial.Row(chunk)[from..length], y[from..]);
        }
    }

    public void Dispose() => _partial.Dispose();

    /// <summary>Row at which a chunk begins: chunks have the same area of the triangle.</summary>
    private static int Boundary(int length, int chunk, int chunks) =>
        chunk == chunks ? length : (int)(length * (1 - Math.Sqrt(1 - (double)chunk / chunks))) / Lanes * Lanes;

    /// <summary>Adds rows [start, end) of the triangle; y is written from start on.</summary>
    private void MultiplyChunk(int first, double[] x, int start, int end, Span<double> y)
    {
        y[start..].Clear();
        int row = start;
        for (; row <= end - 4; row += 4)
        {
            ReadOnlySpan<double> a0 = matrix.Row(first + row)[first..], a1 = matrix.Row(first + row + 1)[first..], a2 = matrix.Row(first + row + 2)[first..], a3 = matrix.Row(first + row + 3)[first..];
            Corner(a0, a1, a2, x, y, row);
            y[row] = Math.FusedMultiplyAdd(a0[row], x[row], y[row]);
            y[row + 1] = Math.FusedMultiplyAdd(a1[row + 1], x[row + 1], y[row + 1]);
            y[row + 2] = Math.FusedMultiplyAdd(a2[row + 2], x[row + 2], y[row + 2]);
            y[row + 3] = Math.FusedMultiplyAdd(a3[row + 3], x[row + 3], y[row + 3]);
            FourRows(a0, a1, a2, a3, x, y, row);
        }

        for (; row < end; row++)
        {
            ReadOnlySpan<double> a = matrix.Row(first + row)[(first + row + 1)..];
            y[row] += Math.FusedMultiplyAdd(matrix[first + row, first + row], x[row], DoubleVectors.Dot(a, x.AsSpan(row + 1, a.Length)));
            DoubleVectors.AddScaled(x[row], a, y[(row + 1)..]);
        }
    }

    /// <summary>The six elements above the diagonal of a 4 x 4 block.</summary>
    private static void Corner(ReadOnlySpan<double> a0, ReadOnlySpan<double> a1, ReadOnlySpan<double> a2, double[] x, Span<double> y, int row)
    {
        Pair(a0[row + 1], row, row + 1, x, y);
        Pair(a0[row + 2], row, row + 2, x, y);
        Pair(a0[row + 3], row, row + 3, x, y);
        Pair(a1[row + 2], row + 1, row + 2, x, y);
        Pair(a1[row + 3], row + 1, row + 3, x, y);
        Pair(a2[row + 3], row + 2, row + 3, x, y);
    }

    private static void Pair(double element, int i, int j, double[] x, Span<double> y)
    {
        y[i] = Math.FusedMultiplyAdd(element, x[j], y[i]);
        y[j] = Math.FusedMultiplyAdd(element, x[i], y[j]);
    }

    /// <summary>The columns right of a 4 x 4 block: eight multiply-adds for six loads and a store.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)] // a few hundred calls do all of a factorisation: the first must be as fast as the last
    private static void FourRows(ReadOnlySpan<double> a0, ReadOnlySpan<double> a1, ReadOnlySpan<double> a2, ReadOnlySpan<double> a3, double[] x, Span<double> y, int row)
    {
        int length = Math.Min(Math.Min(y.Length, x.Length), Math.Min(Math.Min(a0.Length, a1.Length), Math.Min(a2.Length, a3.Length)));
        ref double r0 = ref MemoryMarshal.GetReference(a0), r1 = ref MemoryMarshal.GetReference(a1), r2 = ref MemoryMarshal.GetReference(a2), r3 = ref MemoryMarshal.GetReference(a3);
        ref double xs = ref MemoryMarshal.GetArrayDataReference(x);
        ref double ys = ref MemoryMarshal.GetReference(y);
        double x0 = x[row], x1 = x[row + 1], x2 = x[row + 2], x3 = x[row + 3];
        Vector256<double> v0 = Vector256.Create(x0), v1 = Vector256.Create(x1), v2 = Vector256.Create(x2), v3 = Vector256.Create(x3);
        Vector256<double> s0 = Vector256<double>.Zero, s1 = s0, s2 = s0, s3 = s0;
        int j = row + 4;
        for (; j <= length - Lanes; j += Lanes)
        {
            Vector256<double> b0 = Load(ref r0, j), b1 = Load(ref r1, j), b2 = Load(ref r2, j), b3 = Load(ref r3, j), right = Load(ref xs, j), sum = Load(ref ys, j);
            s0 = Vector256.FusedMultiplyAdd(b0, right, s0);
            s1 = Vector256.FusedMultiplyAdd(b1, right, s1);
            s2 = Vector256.FusedMultiplyAdd(b2, right, s2);
            s3 = Vector256.FusedMultiplyAdd(b3, right, s3);
            sum = Vector256.FusedMultiplyAdd(b0, v0, sum);
            sum = Vector256.FusedMultiplyAdd(b1, v1, sum);
            sum = Vector256.FusedMultiplyAdd(b2, v2, sum);
            Vector256.FusedMultiplyAdd(b3, v3, sum).StoreUnsafe(ref ys, (nuint)j);
        }

        double t0 = Sum(s0), t1 = Sum(s1), t2 = Sum(s2), t3 = Sum(s3);
        for (; j < length; j++)
        {
            double right = x[j], sum = y[j];
            t0 = Math.FusedMultiplyAdd(a0[j], right, t0);
            t1 = Math.FusedMultiplyAdd(a1[j], right, t1);
            t2 = Math.FusedMultiplyAdd(a2[j], right, t2);
            t3 = Math.FusedMultiplyAdd(a3[j], right, t3);
            sum = Math.FusedMultiplyAdd(a0[j], x0, sum);
            sum = Math.FusedMultiplyAdd(a1[j], x1, sum);
            sum = Math.FusedMultiplyAdd(a2[j], x2, sum);
            y[j] = Math.FusedMultiplyAdd(a3[j], x3, sum);
        }

        y[row] += t0;
        y[row + 1] += t1;
        y[row + 2] += t2;
        y[row + 3] += t3;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<double> Load(ref double start, int index) => Vector256.LoadUnsafe(ref start, (nuint)index);

    private static double Sum(Vector256<double> value)
    {
        Vector128<double> two = value.GetLower() + value.GetUpper();
        return two[0] + two[1];
    }
}
