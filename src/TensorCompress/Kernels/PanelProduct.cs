using System.Runtime.CompilerServices;
using TensorCompress.Kernels.Simd;

namespace TensorCompress.Kernels;

/// <summary>Operands of a product with a panel: <c>C[row, j] = sum_k A[row, k] P[k, j]</c> for up to sixteen columns j.</summary>
/// <remarks>Rows of the panel are read sixteen floats wide whatever the width is: what lies behind a narrower last row must be readable. Lanes beyond the width are not stored.</remarks>
internal unsafe struct PanelOperands
{
    /// <summary>A; element [row, k] is at row x <see cref="RowStride"/> + k x <see cref="DepthStride"/>.</summary>
    public float* A;

    public nint RowStride, DepthStride;

    /// <summary>Rows of A and C.</summary>
    public nint Rows;

    /// <summary>The number of k.</summary>
    public nint Depth;

    /// <summary>P; row k is at k x <see cref="PanelStride"/>.</summary>
    public float* Panel;

    public nint PanelStride;

    /// <summary>C; row at row x <see cref="ResultStride"/>.</summary>
    public float* Result;

    public nint ResultStride;

    /// <summary>Columns stored, 1 to 16.</summary>
    public int Width;

    /// <summary>Whether the sums go on from what C holds.</summary>
    public bool Accumulate;
}

/// <summary>
/// Products with panels of sixteen columns. Each element is one running multiply-add over k in order, so tiles, chunks of k that accumulate, threads and vector widths do not
/// change its bits. Bound: 2 rows k 16 / (32 flops a cycle at 256 bits); a tile reads each panel row once for six rows of A (fourteen at 512 bits), which are as many read streams.
/// </summary>
internal static unsafe class PanelProduct
{
    /// <summary>Columns of a panel.</summary>
    public const int Width = 16;

    /// <summary>Multiplies; one thread.</summary>
    public static void Multiply(in PanelOperands operands)
    {
        switch (SimdLevel.Undivided)
        {
            case SimdWidth.Bits512: Core<Simd512>(operands); break; // a broadcast for every multiply-add, in 256 bits for every two
            case SimdWidth.Bits256: Core<Simd256>(operands); break;
            case SimdWidth.Bits128: Core<Simd128>(operands); break;
            default: Core<SimdScalar>(operands); break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Core<TSimd>(in PanelOperands operands)
        where TSimd : struct, ISimd<TSimd>
    {
        PanelOperands left = operands;
        if (typeof(TSimd) == typeof(Simd512))
        {
            for (; left.Rows >= 14; Advance(ref left, 14)) Rows<TSimd, TileOfFourteen>(left);
        }

        for (; left.Rows >= 6 && left.Rows != 8; Advance(ref left, 6)) Rows<TSimd, TileOfSix>(left);
        for (; left.Rows >= 4; Advance(ref left, 4)) Rows<TSimd, TileOfFour>(left);
        for (; left.Rows > 0; Advance(ref left, 1)) Rows<TSimd, TileOfOne>(left);
    }

    private static void Advance(ref PanelOperands operands, nint rows)
    {
        operands.A += rows * operands.RowStride;
        operands.Result += rows * operands.ResultStride;
        operands.Rows -= rows;
    }

    /// <summary>Rows of whole width go where they belong, narrower ones by way of a tile of whole width, so that the loop has no branches and its sums stay in registers.</summary>
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Rows<TSimd, TRows>(in PanelOperands operands)
        where TSimd : struct, ISimd<TSimd>
        where TRows : struct, ITileSize
    {
        if (operands.Width == Width)
        {
            Tile<TSimd, TRows>(operands, operands.Result, operands.ResultStride);
            return;
        }

        float* tile = stackalloc float[TRows.Count * Width];
        for (int row = 0; operands.Accumulate && row < TRows.Count; row++)
        {
            for (int i = 0; i < Width; i++) tile[row * Width + i] = i < operands.Width ? operands.Result[row * operands.ResultStride + i] : 0;
        }

        Tile<TSimd, TRows>(operands, tile, Width);
        for (int row = 0; row < TRows.Count; row++)
        {
            for (int i = 0; i < operands.Width; i++) operands.Result[row * operands.ResultStride + i] = tile[row * Width + i];
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile<TSimd, TRows>(in PanelOperands operands, float* c, nint cs)
        where TSimd : struct, ISimd<TSimd>
        where TRows : struct, ITileSize
    {
        TSimd s0 = TSimd.Zero, s1 = TSimd.Zero, s2 = TSimd.Zero, s3 = TSimd.Zero, s4 = TSimd.Zero, s5 = TSimd.Zero, s6 = TSimd.Zero;
        TSimd s7 = TSimd.Zero, s8 = TSimd.Zero, s9 = TSimd.Zero, sa = TSimd.Zero, sb = TSimd.Zero, sc = TSimd.Zero, sd = TSimd.Zero;
        if (operands.Accumulate)
        {
            s0 = TSimd.Load(c);
            if (TRows.Count > 1)
            {
                s1 = TSimd.Load(c + cs);
                s2 = TSimd.Load(c + 2 * cs);
                s3 = TSimd.Load(c + 3 * cs);
            }

            if (TRows.Count > 4)
            {
                s4 = TSimd.Load(c + 4 * cs);
                s5 = TSimd.Load(c + 5 * cs);
            }

            if (TRows.Count > 6)
            {
                s6 = TSimd.Load(c + 6 * cs);
                s7 = TSimd.Load(c + 7 * cs);
                s8 = TSimd.Load(c + 8 * cs);
                s9 = TSimd.Load(c + 9 * cs);
                sa = TSimd.Load(c + 10 * cs);
                sb = TSimd.Load(c + 11 * cs);
                sc = TSimd.Load(c + 12 * cs);
                sd = TSimd.Load(c + 13 * cs);
            }
        }

        float* p = operands.Panel, a0 = operands.A;
        nint rs = operands.RowStride, ks = operands.DepthStride, ps = operands.PanelStride;
        float* a3 = a0 + 3 * rs, a6 = a3 + 3 * rs, aa = a6 + 4 * rs;
        for (nint k = operands.Depth; k > 0; k--)
        {
            TSimd row = TSimd.Load(p);
            TSimd.Accumulate(ref s0, TSimd.BroadcastFrom(a0), row);
            if (TRows.Count > 1)
            {
                TSimd.Accumulate(ref s1, TSimd.BroadcastFrom(a0 + rs), row);
                TSimd.Accumulate(ref s2, TSimd.BroadcastFrom(a0 + 2 * rs), row);
                TSimd.Accumulate(ref s3, TSimd.BroadcastFrom(a3), row);
            }

            if (TRows.Count > 4)
            {
                TSimd.Accumulate(ref s4, TSimd.BroadcastFrom(a3 + rs), row);
                TSimd.Accumulate(ref s5, TSimd.BroadcastFrom(a3 + 2 * rs), row);
            }

            if (TRows.Count > 6)
            {
                TSimd.Accumulate(ref s6, TSimd.BroadcastFrom(a6), row);
                TSimd.Accumulate(ref s7, TSimd.BroadcastFrom(a6 + rs), row);
                TSimd.Accumulate(ref s8, TSimd.BroadcastFrom(a6 + 2 * rs), row);
                TSimd.Accumulate(ref s9, TSimd.BroadcastFrom(a6 + 3 * rs), row);
                TSimd.Accumulate(ref sa, TSimd.BroadcastFrom(aa), row);
                TSimd.Accumulate(ref sb, TSimd.BroadcastFrom(aa + rs), row);
                TSimd.Accumulate(ref sc, TSimd.BroadcastFrom(aa + 2 * rs), row);
                TSimd.Accumulate(ref sd, TSimd.BroadcastFrom(aa + 3 * rs), row);
                a6 += ks;
                aa += ks;
            }

            a0 += ks;
            a3 += ks;
            p += ps;
        }

        TSimd.Store(s0, c);
        if (TRows.Count > 1)
        {
            TSimd.Store(s1, c + cs);
            TSimd.Store(s2, c + 2 * cs);
            TSimd.Store(s3, c + 3 * cs);
        }

        if (TRows.Count > 4)
        {
            TSimd.Store(s4, c + 4 * cs);
            TSimd.Store(s5, c + 5 * cs);
        }

        if (TRows.Count > 6)
        {
            TSimd.Store(s6, c + 6 * cs);
            TSimd.Store(s7, c + 7 * cs);
            TSimd.Store(s8, c + 8 * cs);
            TSimd.Store(s9, c + 9 * cs);
            TSimd.Store(sa, c + 10 * cs);
            TSimd.Store(sb, c + 11 * cs);
            TSimd.Store(sc, c + 12 * cs);
            TSimd.Store(sd, c + 13 * cs);
        }
    }
}
