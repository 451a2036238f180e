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
/// change its bits. Bound: 2 rows k 16 / (32 flops a cycle at 256 bits); a tile reads each panel row once for six or eight rows of A, which are as many read streams.
/// </summary>
internal static unsafe class PanelProduct
{
    /// <summary>Columns of a panel.</summary>
    public const int Width = 16;

    /// <summary>Multiplies; one thread.</summary>
    public static void Multiply(in PanelOperands operands)
    {
        switch (SimdLevel.Active)
        {
            case SimdWidth.Bits512: Core<Simd512>(operands); break;
            case SimdWidth.Bits256: Core<Simd256>(operands); break;
            case SimdWidth.Bits128: Core<Simd128>(operands); break;
            default: Core<SimdScalar>(operands); break;
        }
    }

    internal static void Core<TSimd>(in PanelOperands operands)
        where TSimd : struct, ISimd<TSimd>
    {
        PanelOperands left = operands;
        // Twelve vectors of sums at 256 bits, eight at 512; the tiles of four and one are for what is left over.
        if (typeof(TSimd) == typeof(Simd512))
        {
            for (; left.Rows >= 8; Advance(ref left, 8)) Eight<TSimd>(left);
        }
        else
        {
            for (; left.Rows >= 6 && left.Rows != 8; Advance(ref left, 6)) Six<TSimd>(left);
        }

        for (; left.Rows >= 4; Advance(ref left, 4)) Four<TSimd>(left);
        for (; left.Rows > 0; Advance(ref left, 1)) One<TSimd>(left);
    }

    private static void Advance(ref PanelOperands operands, nint rows)
    {
        operands.A += rows * operands.RowStride;
        operands.Result += rows * operands.ResultStride;
        operands.Rows -= rows;
    }

    private static void Eight<TSimd>(in PanelOperands operands)
        where TSimd : struct, ISimd<TSimd>
    {
        float* c = operands.Result, p = operands.Panel;
        nint cs = operands.ResultStride, rs = operands.RowStride, ks = operands.DepthStride, ps = operands.PanelStride;
        TSimd s0 = Start<TSimd>(operands, c), s1 = Start<TSimd>(operands, c + cs), s2 = Start<TSimd>(operands, c + 2 * cs), s3 = Start<TSimd>(operands, c + 3 * cs);
        TSimd s4 = Start<TSimd>(operands, c + 4 * cs), s5 = Start<TSimd>(operands, c + 5 * cs), s6 = Start<TSimd>(operands, c + 6 * cs), s7 = Start<TSimd>(operands, c + 7 * cs);
        float* a0 = operands.A, a4 = a0 + 4 * rs;
        for (nint k = operands.Depth; k > 0; k--)
        {
            TSimd row = TSimd.Load(p);
            s0 = TSimd.MultiplyAdd(TSimd.Broadcast(a0[0]), row, s0);
            s1 = TSimd.MultiplyAdd(TSimd.Broadcast(a0[rs]), row, s1);
            s2 = TSimd.MultiplyAdd(TSimd.Broadcast(a0[2 * rs]), row, s2);
            s3 = TSimd.MultiplyAdd(TSimd.Broadcast(a0[3 * rs]), row, s3);
            s4 = TSimd.MultiplyAdd(TSimd.Broadcast(a4[0]), row, s4);
            s5 = TSimd.MultiplyAdd(TSimd.Broadcast(a4[rs]), row, s5);
            s6 = TSimd.MultiplyAdd(TSimd.Broadcast(a4[2 * rs]), row, s6);
            s7 = TSimd.MultiplyAdd(TSimd.Broadcast(a4[3 * rs]), row, s7);
            a0 += ks;
            a4 += ks;
            p += ps;
        }

        End(operands, c, s0, s1, s2, s3);
        End(operands, c + 4 * cs, s4, s5, s6, s7);
    }

    private static void Six<TSimd>(in PanelOperands operands)
        where TSimd : struct, ISimd<TSimd>
    {
        float* c = operands.Result, p = operands.Panel;
        nint cs = operands.ResultStride, rs = operands.RowStride, ks = operands.DepthStride, ps = operands.PanelStride;
        TSimd s0 = Start<TSimd>(operands, c), s1 = Start<TSimd>(operands, c + cs), s2 = Start<TSimd>(operands, c + 2 * cs);
        TSimd s3 = Start<TSimd>(operands, c + 3 * cs), s4 = Start<TSimd>(operands, c + 4 * cs), s5 = Start<TSimd>(operands, c + 5 * cs);
        float* a0 = operands.A, a3 = a0 + 3 * rs;
        for (nint k = operands.Depth; k > 0; k--)
        {
            TSimd row = TSimd.Load(p);
            s0 = TSimd.MultiplyAdd(TSimd.Broadcast(a0[0]), row, s0);
            s1 = TSimd.MultiplyAdd(TSimd.Broadcast(a0[rs]), row, s1);
            s2 = TSimd.MultiplyAdd(TSimd.Broadcast(a0[2 * rs]), row, s2);
            s3 = TSimd.MultiplyAdd(TSimd.Broadcast(a3[0]), row, s3);
            s4 = TSimd.MultiplyAdd(TSimd.Broadcast(a3[rs]), row, s4);
            s5 = TSimd.MultiplyAdd(TSimd.Broadcast(a3[2 * rs]), row, s5);
            a0 += ks;
            a3 += ks;
            p += ps;
        }

        End(operands, c, s0, s1, s2, s3);
        End(operands, c + 4 * cs, s4);
        End(operands, c + 5 * cs, s5);
    }

    private static void Four<TSimd>(in PanelOperands operands)
        where TSimd : struct, ISimd<TSimd>
    {
        float* c = operands.Result, p = operands.Panel, a = operands.A;
        nint cs = operands.ResultStride, rs = operands.RowStride, ks = operands.DepthStride, ps = operands.PanelStride;
        TSimd s0 = Start<TSimd>(operands, c), s1 = Start<TSimd>(operands, c + cs), s2 = Start<TSimd>(operands, c + 2 * cs), s3 = Start<TSimd>(operands, c + 3 * cs);
        for (nint k = operands.Depth; k > 0; k--)
        {
            TSimd row = TSimd.Load(p);
            s0 = TSimd.MultiplyAdd(TSimd.Broadcast(a[0]), row, s0);
            s1 = TSimd.MultiplyAdd(TSimd.Broadcast(a[rs]), row, s1);
            s2 = TSimd.MultiplyAdd(TSimd.Broadcast(a[2 * rs]), row, s2);
            s3 = TSimd.MultiplyAdd(TSimd.Broadcast(a[3 * rs]), row, s3);
            a += ks;
            p += ps;
        }

        End(operands, c, s0, s1, s2, s3);
    }

    private static void One<TSimd>(in PanelOperands operands)
        where TSimd : struct, ISimd<TSimd>
    {
        float* p = operands.Panel, a = operands.A;
        TSimd sum = Start<TSimd>(operands, operands.Result);
        for (nint k = operands.Depth; k > 0; k--, a += operands.DepthStride, p += operands.PanelStride) sum = TSimd.MultiplyAdd(TSimd.Broadcast(a[0]), TSimd.Load(p), sum);
        End(operands, operands.Result, sum);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TSimd Start<TSimd>(in PanelOperands operands, float* row)
        where TSimd : struct, ISimd<TSimd>
    {
        if (!operands.Accumulate) return TSimd.Zero;
        return operands.Width == Width ? TSimd.Load(row) : LoadNarrow<TSimd>(row, operands.Width);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void End<TSimd>(in PanelOperands operands, float* row, TSimd sum)
        where TSimd : struct, ISimd<TSimd>
    {
        if (operands.Width == Width) TSimd.Store(sum, row);
        else StoreNarrow(sum, row, operands.Width);
    }

    private static void End<TSimd>(in PanelOperands operands, float* row, TSimd s0, TSimd s1, TSimd s2, TSimd s3)
        where TSimd : struct, ISimd<TSimd>
    {
        End(operands, row, s0);
        End(operands, row + operands.ResultStride, s1);
        End(operands, row + 2 * operands.ResultStride, s2);
        End(operands, row + 3 * operands.ResultStride, s3);
    }

    [SkipLocalsInit]
    private static TSimd LoadNarrow<TSimd>(float* row, int width)
        where TSimd : struct, ISimd<TSimd>
    {
        float* lanes = stackalloc float[Width];
        for (int i = 0; i < Width; i++) lanes[i] = i < width ? row[i] : 0;
        return TSimd.Load(lanes);
    }

    [SkipLocalsInit]
    private static void StoreNarrow<TSimd>(TSimd sum, float* row, int width)
        where TSimd : struct, ISimd<TSimd>
    {
        float* lanes = stackalloc float[Width];
        TSimd.Store(sum, lanes);
        for (int i = 0; i < width; i++) row[i] = lanes[i];
    }
}
