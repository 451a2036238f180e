using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using TensorCompress.Kernels.Simd;

namespace TensorCompress.Kernels;

/// <summary>
/// The innermost loop of the matrix product: a tile of C, two registers wide and up to <see cref="ITileSize.Count"/> rows high, is held in registers while a panel
/// of A and a panel of B pass by. Every element is one chain of fused multiply-adds over k = 0, 1, 2, ..., so neither the height nor the width of the tile changes bits.
/// Bound: two multiply-adds a cycle; a step of six rows loads 8 registers for 12 of them, a step of fourteen 16 for 28.
/// </summary>
internal static class ProductTile
{
    /// <summary>C = alpha A B + beta C for one tile.</summary>
    /// <param name="depth">Length of the sums.</param>
    /// <param name="a">Panel of A: at each k a group of <paramref name="aStep"/> elements, of which the first <see cref="ITileSize.Count"/> are read.</param>
    /// <param name="aStep">Elements between neighbouring k of A.</param>
    /// <param name="b">Panel of B: at each k two registers of elements.</param>
    /// <param name="c">Top left of the tile, which is two registers wide.</param>
    /// <param name="stride">Elements between neighbouring rows of C.</param>
    /// <param name="rows">Rows that are written, at most <see cref="ITileSize.Count"/>.</param>
    /// <param name="alpha">Factor of the product.</param>
    /// <param name="beta">Factor of C; with 0 the tile is written without being read.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static unsafe void Multiply<TRegister, T, TRows>(nint depth, T* a, nint aStep, T* b, T* c, nint stride, int rows, T alpha, T beta)
        where TRegister : struct, IRegister<TRegister, T>
        where T : unmanaged, IEquatable<T>
        where TRows : struct, ITileSize
    {
        TRegister c00 = TRegister.Zero, c01 = TRegister.Zero, c10 = TRegister.Zero, c11 = TRegister.Zero;
        TRegister c20 = TRegister.Zero, c21 = TRegister.Zero, c30 = TRegister.Zero, c31 = TRegister.Zero;
        TRegister c40 = TRegister.Zero, c41 = TRegister.Zero, c50 = TRegister.Zero, c51 = TRegister.Zero;
        TRegister c60 = TRegister.Zero, c61 = TRegister.Zero, c70 = TRegister.Zero, c71 = TRegister.Zero;
        TRegister c80 = TRegister.Zero, c81 = TRegister.Zero, c90 = TRegister.Zero, c91 = TRegister.Zero;
        TRegister ca0 = TRegister.Zero, ca1 = TRegister.Zero, cb0 = TRegister.Zero, cb1 = TRegister.Zero;
        TRegister cc0 = TRegister.Zero, cc1 = TRegister.Zero, cd0 = TRegister.Zero, cd1 = TRegister.Zero;
        if (Sse.IsSupported)
        {
            for (int i = 0; i < rows; i++) Sse.Prefetch0(c + i * stride); // C is needed only after the loop
        }

        for (; depth > 0; depth--)
        {
            TRegister b0 = TRegister.Load(b), b1 = TRegister.Load(b + TRegister.Count);
            TRegister x = TRegister.Broadcast(a[0]);
            TRegister.Accumulate(ref c00, x, b0);
            TRegister.Accumulate(ref c01, x, b1);
            x = TRegister.Broadcast(a[1]);
            TRegister.Accumulate(ref c10, x, b0);
            TRegister.Accumulate(ref c11, x, b1);
            x = TRegister.Broadcast(a[2]);
            TRegister.Accumulate(ref c20, x, b0);
            TRegister.Accumulate(ref c21, x, b1);
            x = TRegister.Broadcast(a[3]);
            TRegister.Accumulate(ref c30, x, b0);
            TRegister.Accumulate(ref c31, x, b1);
            if (TRows.Count > 4)
            {
                x = TRegister.Broadcast(a[4]);
                TRegister.Accumulate(ref c40, x, b0);
                TRegister.Accumulate(ref c41, x, b1);
                x = TRegister.Broadcast(a[5]);
                TRegister.Accumulate(ref c50, x, b0);
                TRegister.Accumulate(ref c51, x, b1);
            }

            if (TRows.Count > 6)
            {
                x = TRegister.Broadcast(a[6]);
                TRegister.Accumulate(ref c60, x, b0);
                TRegister.Accumulate(ref c61, x, b1);
                x = TRegister.Broadcast(a[7]);
                TRegister.Accumulate(ref c70, x, b0);
                TRegister.Accumulate(ref c71, x, b1);
                x = TRegister.Broadcast(a[8]);
                TRegister.Accumulate(ref c80, x, b0);
                TRegister.Accumulate(ref c81, x, b1);
                x = TRegister.Broadcast(a[9]);
                TRegister.Accumulate(ref c90, x, b0);
                TRegister.Accumulate(ref c91, x, b1);
                x = TRegister.Broadcast(a[10]);
                TRegister.Accumulate(ref ca0, x, b0);
                TRegister.Accumulate(ref ca1, x, b1);
                x = TRegister.Broadcast(a[11]);
                TRegister.Accumulate(ref cb0, x, b0);
                TRegister.Accumulate(ref cb1, x, b1);
                x = TRegister.Broadcast(a[12]);
                TRegister.Accumulate(ref cc0, x, b0);
                TRegister.Accumulate(ref cc1, x, b1);
                x = TRegister.Broadcast(a[13]);
                TRegister.Accumulate(ref cd0, x, b0);
                TRegister.Accumulate(ref cd1, x, b1);
            }

            a += aStep;
            b += 2 * TRegister.Count;
        }

        bool overwrite = beta.Equals(default);
        TRegister factor = TRegister.Broadcast(alpha), old = TRegister.Broadcast(beta);
        Update(c, c00, c01, factor, old, overwrite);
        if (rows > 1) Update(c + 1 * stride, c10, c11, factor, old, overwrite);
        if (rows > 2) Update(c + 2 * stride, c20, c21, factor, old, overwrite);
        if (rows > 3) Update(c + 3 * stride, c30, c31, factor, old, overwrite);
        if (TRows.Count > 4)
        {
            if (rows > 4) Update(c + 4 * stride, c40, c41, factor, old, overwrite);
            if (rows > 5) Update(c + 5 * stride, c50, c51, factor, old, overwrite);
        }

        if (TRows.Count > 6)
        {
            if (rows > 6) Update(c + 6 * stride, c60, c61, factor, old, overwrite);
            if (rows > 7) Update(c + 7 * stride, c70, c71, factor, old, overwrite);
            if (rows > 8) Update(c + 8 * stride, c80, c81, factor, old, overwrite);
            if (rows > 9) Update(c + 9 * stride, c90, c91, factor, old, overwrite);
            if (rows > 10) Update(c + 10 * stride, ca0, ca1, factor, old, overwrite);
            if (rows > 11) Update(c + 11 * stride, cb0, cb1, factor, old, overwrite);
            if (rows > 12) Update(c + 12 * stride, cc0, cc1, factor, old, overwrite);
            if (rows > 13) Update(c + 13 * stride, cd0, cd1, factor, old, overwrite);
        }
    }

    /// <summary>Asks for memory that a tile after the next will read, so that it waits in the second-level cache.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe T* Prefetch<T>(T* from, nint count)
        where T : unmanaged
    {
        T* end = from + count;
        for (; Sse.IsSupported && from < end; from += 64 / sizeof(T)) Sse.Prefetch1(from);
        return from;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static unsafe void Update<TRegister, T>(T* c, TRegister sum0, TRegister sum1, TRegister alpha, TRegister beta, bool overwrite)
        where TRegister : struct, IRegister<TRegister, T>
        where T : unmanaged
    {
        TRegister base0 = TRegister.Zero, base1 = TRegister.Zero;
        if (!overwrite)
        {
            base0 = beta * TRegister.Load(c);
            base1 = beta * TRegister.Load(c + TRegister.Count);
        }

        TRegister.Accumulate(ref base0, alpha, sum0);
        TRegister.Accumulate(ref base1, alpha, sum1);
        TRegister.Store(base0, c);
        TRegister.Store(base1, c + TRegister.Count);
    }
}
