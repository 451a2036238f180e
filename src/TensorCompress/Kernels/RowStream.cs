using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using TensorCompress.Kernels.Simd;

namespace TensorCompress.Kernels;

/// <summary>
/// Products of few rows with a matrix B that is read once, as it lies: <c>sums[i] += sum_k a[i, k] b[k]</c>. The sums stay in a near cache and pass through the registers
/// once for every four k. Each is one chain of fused multiply-adds over ascending k, as in <see cref="ProductTile"/>: the same bits.
/// Bound: the bytes of B; with many rows two multiply-adds a cycle (two rows and four k load six registers and store two for eight of them).
/// </summary>
internal static unsafe class RowStream
{
    private const int DepthStep = 4;

    /// <summary>Goes on with sums.</summary>
    /// <param name="rows">Rows of A and of the sums.</param>
    /// <param name="depth">Length of the sums.</param>
    /// <param name="columns">Columns of B and of the sums.</param>
    /// <param name="a">First coefficient.</param>
    /// <param name="rowStride">Elements between neighbouring rows of A.</param>
    /// <param name="depthStride">Elements between neighbouring k of A.</param>
    /// <param name="b">First element of B, whose rows are contiguous.</param>
    /// <param name="stride">Elements between rows of B.</param>
    /// <param name="sums">[rows, columns], without gaps.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Add<TRegister, T>(nint rows, nint depth, nint columns, T* a, nint rowStride, nint depthStride, T* b, nint stride, T* sums)
        where TRegister : struct, IRegister<TRegister, T>
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        nint whole = columns / TRegister.Count * TRegister.Count, k = 0;
        for (; k <= depth - DepthStep; k += DepthStep, a += DepthStep * depthStride, b += DepthStep * stride)
        {
            // The first rows of A wait for these rows of B; while they do, the next rows come nearer.
            nint ahead = k <= depth - 2 * DepthStep ? DepthStep * stride : 0, row = 0;
            for (; row <= rows - 2; row += 2, ahead = 0)
            {
                T* from = a + row * rowStride, to = sums + row * columns;
                nint done = TwoRows<TRegister, T>(columns, from, from + rowStride, depthStride, b, stride, ahead, to, to + columns);
                if (done == columns) continue;
                OneRow<TRegister, T>(done, whole, columns, from, depthStride, b, stride, 0, to);
                OneRow<TRegister, T>(done, whole, columns, from + rowStride, depthStride, b, stride, 0, to + columns);
            }

            if (row < rows) OneRow<TRegister, T>(0, whole, columns, a + row * rowStride, depthStride, b, stride, ahead, sums + row * columns);
        }

        for (; k < depth; k++, a += depthStride, b += stride)
        {
            for (nint row = 0; row < rows; row++)
            {
                OneStep<TRegister, T>(whole, a[row * rowStride], b, sums + row * columns);
                OneStep<RegisterScalar<T>, T>(columns - whole, a[row * rowStride], b + whole, sums + row * columns + whole);
            }
        }
    }

    /// <summary>c = alpha sums + beta c for one row.</summary>
    /// <param name="columns">Elements.</param>
    /// <param name="sums">The sums, neighbours.</param>
    /// <param name="c">First element of the row.</param>
    /// <param name="stride">Elements between neighbours in c.</param>
    /// <param name="alpha">Factor of the sums.</param>
    /// <param name="beta">Factor of c; with 0 it is written without being read.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Update<TRegister, T>(nint columns, T* sums, T* c, nint stride, T alpha, T beta)
        where TRegister : struct, IRegister<TRegister, T>
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        nint whole = stride == 1 ? columns / TRegister.Count * TRegister.Count : 0;
        UpdateNeighbours<TRegister, T>(whole, sums, c, alpha, beta);
        for (; whole < columns; whole++) UpdateNeighbours<RegisterScalar<T>, T>(1, sums + whole, c + whole * stride, alpha, beta);
    }

    // Two registers at a time: neighbours in a line meet no bank of the cache twice, equal places of several rows do. Returns how many columns are done.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static nint TwoRows<TRegister, T>(nint columns, T* a0, T* a1, nint depthStride, T* b0, nint stride, nint ahead, T* s0, T* s1)
        where TRegister : struct, IRegister<TRegister, T>
        where T : unmanaged
    {
        T* b1 = b0 + stride, b2 = b1 + stride, b3 = b2 + stride;
        TRegister x0 = TRegister.Broadcast(a0[0]), x1 = TRegister.Broadcast(a0[depthStride]), x2 = TRegister.Broadcast(a0[2 * depthStride]), x3 = TRegister.Broadcast(a0[3 * depthStride]);
        TRegister y0 = TRegister.Broadcast(a1[0]), y1 = TRegister.Broadcast(a1[depthStride]), y2 = TRegister.Broadcast(a1[2 * depthStride]), y3 = TRegister.Broadcast(a1[3 * depthStride]);
        nint j = 0;
        for (; j <= columns - 2 * TRegister.Count; j += 2 * TRegister.Count)
        {
            if (ahead != 0) Prefetch(b0 + ahead + j, b1 + ahead + j, b2 + ahead + j, b3 + ahead + j);
            TRegister s00 = TRegister.Load(s0 + j), s01 = TRegister.Load(s0 + j + TRegister.Count), s10 = TRegister.Load(s1 + j), s11 = TRegister.Load(s1 + j + TRegister.Count);
            Step<TRegister, T>(b0 + j, x0, y0, ref s00, ref s01, ref s10, ref s11);
            Step<TRegister, T>(b1 + j, x1, y1, ref s00, ref s01, ref s10, ref s11);
            Step<TRegister, T>(b2 + j, x2, y2, ref s00, ref s01, ref s10, ref s11);
            Step<TRegister, T>(b3 + j, x3, y3, ref s00, ref s01, ref s10, ref s11);
            TRegister.Store(s00, s0 + j);
            TRegister.Store(s01, s0 + j + TRegister.Count);
            TRegister.Store(s10, s1 + j);
            TRegister.Store(s11, s1 + j + TRegister.Count);
        }

        return j;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step<TRegister, T>(T* b, TRegister x, TRegister y, ref TRegister s00, ref TRegister s01, ref TRegister s10, ref TRegister s11)
        where TRegister : struct, IRegister<TRegister, T>
        where T : unmanaged
    {
        TRegister b0 = TRegister.Load(b), b1 = TRegister.Load(b + TRegister.Count);
        TRegister.Accumulate(ref s00, x, b0);
        TRegister.Accumulate(ref s01, x, b1);
        TRegister.Accumulate(ref s10, y, b0);
        TRegister.Accumulate(ref s11, y, b1);
    }

    // Columns [first, whole) by registers, those from there to the last one by one.
    private static void OneRow<TRegister, T>(nint first, nint whole, nint columns, T* a, nint depthStride, T* b, nint stride, nint ahead, T* sums)
        where TRegister : struct, IRegister<TRegister, T>
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        OneRow<TRegister, T>(first, whole, a, depthStride, b, stride, ahead, sums);
        OneRow<RegisterScalar<T>, T>(whole, columns, a, depthStride, b, stride, 0, sums);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void OneRow<TRegister, T>(nint first, nint end, T* a, nint depthStride, T* b0, nint stride, nint ahead, T* sums)
        where TRegister : struct, IRegister<TRegister, T>
        where T : unmanaged
    {
        T* b1 = b0 + stride, b2 = b1 + stride, b3 = b2 + stride;
        TRegister x0 = TRegister.Broadcast(a[0]), x1 = TRegister.Broadcast(a[depthStride]), x2 = TRegister.Broadcast(a[2 * depthStride]), x3 = TRegister.Broadcast(a[3 * depthStride]);
        for (nint j = first; j < end; j += TRegister.Count)
        {
            if (ahead != 0) Prefetch(b0 + ahead + j, b1 + ahead + j, b2 + ahead + j, b3 + ahead + j);
            TRegister sum = TRegister.Load(sums + j);
            TRegister.Accumulate(ref sum, x0, TRegister.Load(b0 + j));
            TRegister.Accumulate(ref sum, x1, TRegister.Load(b1 + j));
            TRegister.Accumulate(ref sum, x2, TRegister.Load(b2 + j));
            TRegister.Accumulate(ref sum, x3, TRegister.Load(b3 + j));
            TRegister.Store(sum, sums + j);
        }
    }

    private static void OneStep<TRegister, T>(nint columns, T a, T* b, T* sums)
        where TRegister : struct, IRegister<TRegister, T>
        where T : unmanaged
    {
        TRegister factor = TRegister.Broadcast(a);
        for (nint j = 0; j < columns; j += TRegister.Count)
        {
            TRegister sum = TRegister.Load(sums + j);
            TRegister.Accumulate(ref sum, factor, TRegister.Load(b + j));
            TRegister.Store(sum, sums + j);
        }
    }

    private static void UpdateNeighbours<TRegister, T>(nint columns, T* sums, T* c, T alpha, T beta)
        where TRegister : struct, IRegister<TRegister, T>
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        TRegister factor = TRegister.Broadcast(alpha), old = TRegister.Broadcast(beta);
        bool overwrite = beta == T.Zero;
        for (nint j = 0; j < columns; j += TRegister.Count)
        {
            TRegister result = overwrite ? TRegister.Zero : old * TRegister.Load(c + j);
            TRegister.Accumulate(ref result, factor, TRegister.Load(sums + j));
            TRegister.Store(result, c + j);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(void* a, void* b, void* c, void* d)
    {
        if (!Sse.IsSupported) return;
        Sse.Prefetch0(a);
        Sse.Prefetch0(b);
        Sse.Prefetch0(c);
        Sse.Prefetch0(d);
    }
}
