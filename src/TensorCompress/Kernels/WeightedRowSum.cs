using System.Runtime.CompilerServices;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tensors;

namespace TensorCompress.Kernels;

/// <summary><c>destination = sum_j weights[j] rows[j]</c>, each element one running multiply-add over j = 0, 1, 2, ...: the same bits however many rows follow.</summary>
internal static class WeightedRowSum
{
    /// <summary>Sums; destination is overwritten.</summary>
    /// <param name="weights">One weight per row.</param>
    /// <param name="rows">[weights, dimension].</param>
    /// <param name="destination">Dimension floats.</param>
    public static void Compute(ReadOnlySpan<float> weights, MatrixView<float> rows, Span<float> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(rows.Rows, weights.Length);
        ArgumentOutOfRangeException.ThrowIfNotEqual(rows.Columns, destination.Length);
        switch (SimdLevel.Active)
        {
            case SimdWidth.Bits512: Core<Simd512>(weights, rows, destination); break;
            case SimdWidth.Bits256: Core<Simd256>(weights, rows, destination); break;
            case SimdWidth.Bits128: Core<Simd128>(weights, rows, destination); break;
            default: Core<SimdScalar>(weights, rows, destination); break;
        }
    }

    /// <summary>Sums for several vectors of weights: <c>destination[t] = sum_j weights[t, j] rows[j]</c>, the same bits as one by one.</summary>
    /// <param name="weights">[tokens, rows].</param>
    /// <param name="rows">[rows, dimension].</param>
    /// <param name="destination">[tokens, dimension], overwritten; must not overlap the operands.</param>
    public static void Multiply(MatrixView<float> weights, MatrixView<float> rows, MatrixView<float> destination)
    {
        if (weights.Columns != rows.Rows || destination.Rows != weights.Rows || destination.Columns != rows.Columns)
            throw new ArgumentException($"[{weights.Rows}, {weights.Columns}] weights of [{rows.Rows}, {rows.Columns}] rows do not give [{destination.Rows}, {destination.Columns}].", nameof(destination));
        switch (SimdLevel.Active)
        {
            case SimdWidth.Bits512: MultiplyCore<Simd512>(weights, rows, destination); break;
            case SimdWidth.Bits256: MultiplyCore<Simd256>(weights, rows, destination); break;
            case SimdWidth.Bits128: MultiplyCore<Simd128>(weights, rows, destination); break;
            default: MultiplyCore<SimdScalar>(weights, rows, destination); break;
        }
    }

    // Four tokens by 64 columns live in registers at 512 bits; what is left over goes token by token.
    internal static unsafe void MultiplyCore<TSimd>(MatrixView<float> weights, MatrixView<float> rows, MatrixView<float> destination)
        where TSimd : struct, ISimd<TSimd>
    {
        nint token = 0;
        if (typeof(TSimd) == typeof(Simd512))
        {
            nint tiled = rows.Columns / 64 * 64;
            for (; token <= weights.Rows - 4; token += 4)
            {
                for (nint column = 0; column < tiled; column += 64)
                {
                    FourBySixtyFour<TSimd>(
                        weights.Pointer + token * weights.Stride, weights.Stride, rows.Pointer + column, rows.Stride, rows.Rows,
                        destination.Pointer + token * destination.Stride + column, destination.Stride);
                }

                for (nint t = token; t < token + 4 && tiled < rows.Columns; t++)
                    Core<TSimd>(weights.Row(t), rows.ColumnRange(tiled, rows.Columns - tiled), destination.Row(t)[(int)tiled..]);
            }
        }

        for (; token < weights.Rows; token++) Core<TSimd>(weights.Row(token), rows, destination.Row(token));
        GC.KeepAlive(weights);
        GC.KeepAlive(rows);
        GC.KeepAlive(destination);
    }

    private static unsafe void FourBySixtyFour<TSimd>(float* w0, nint ws, float* row, nint stride, nint count, float* y0, nint ys)
        where TSimd : struct, ISimd<TSimd>
    {
        float* w1 = w0 + ws, w2 = w1 + ws, w3 = w2 + ws;
        TSimd s00 = TSimd.Zero, s01 = TSimd.Zero, s02 = TSimd.Zero, s03 = TSimd.Zero;
        TSimd s10 = TSimd.Zero, s11 = TSimd.Zero, s12 = TSimd.Zero, s13 = TSimd.Zero;
        TSimd s20 = TSimd.Zero, s21 = TSimd.Zero, s22 = TSimd.Zero, s23 = TSimd.Zero;
        TSimd s30 = TSimd.Zero, s31 = TSimd.Zero, s32 = TSimd.Zero, s33 = TSimd.Zero;
        for (nint j = 0; j < count; j++, row += stride)
        {
            TSimd r0 = TSimd.Load(row), r1 = TSimd.Load(row + 16), r2 = TSimd.Load(row + 32), r3 = TSimd.Load(row + 48);
            TSimd factor = TSimd.Broadcast(w0[j]);
            s00 = TSimd.MultiplyAdd(factor, r0, s00);
            s01 = TSimd.MultiplyAdd(factor, r1, s01);
            s02 = TSimd.MultiplyAdd(factor, r2, s02);
            s03 = TSimd.MultiplyAdd(factor, r3, s03);
            factor = TSimd.Broadcast(w1[j]);
            s10 = TSimd.MultiplyAdd(factor, r0, s10);
            s11 = TSimd.MultiplyAdd(factor, r1, s11);
            s12 = TSimd.MultiplyAdd(factor, r2, s12);
            s13 = TSimd.MultiplyAdd(factor, r3, s13);
            factor = TSimd.Broadcast(w2[j]);
            s20 = TSimd.MultiplyAdd(factor, r0, s20);
            s21 = TSimd.MultiplyAdd(factor, r1, s21);
            s22 = TSimd.MultiplyAdd(factor, r2, s22);
            s23 = TSimd.MultiplyAdd(factor, r3, s23);
            factor = TSimd.Broadcast(w3[j]);
            s30 = TSimd.MultiplyAdd(factor, r0, s30);
            s31 = TSimd.MultiplyAdd(factor, r1, s31);
            s32 = TSimd.MultiplyAdd(factor, r2, s32);
            s33 = TSimd.MultiplyAdd(factor, r3, s33);
        }

        Store4(y0, s00, s01, s02, s03);
        Store4(y0 + ys, s10, s11, s12, s13);
        Store4(y0 + 2 * ys, s20, s21, s22, s23);
        Store4(y0 + 3 * ys, s30, s31, s32, s33);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static unsafe void Store4<TSimd>(float* to, TSimd a, TSimd b, TSimd c, TSimd d)
        where TSimd : struct, ISimd<TSimd>
    {
        TSimd.Store(a, to);
        TSimd.Store(b, to + 16);
        TSimd.Store(c, to + 32);
        TSimd.Store(d, to + 48);
    }

    internal static unsafe void Core<TSimd>(ReadOnlySpan<float> weights, MatrixView<float> rows, Span<float> destination)
        where TSimd : struct, ISimd<TSimd>
    {
        float* padded = stackalloc float[16];
        fixed (float* w = weights, to = destination)
        {
            int i = 0;
            for (; i <= destination.Length - 64; i += 64)
            {
                float* row = rows.Pointer + i;
                TSimd s0 = TSimd.Zero, s1 = TSimd.Zero, s2 = TSimd.Zero, s3 = TSimd.Zero;
                for (int j = 0; j < weights.Length; j++, row += rows.Stride)
                {
                    TSimd factor = TSimd.Broadcast(w[j]);
                    s0 = TSimd.MultiplyAdd(factor, TSimd.Load(row), s0);
                    s1 = TSimd.MultiplyAdd(factor, TSimd.Load(row + 16), s1);
                    s2 = TSimd.MultiplyAdd(factor, TSimd.Load(row + 32), s2);
                    s3 = TSimd.MultiplyAdd(factor, TSimd.Load(row + 48), s3);
                }

                TSimd.Store(s0, to + i);
                TSimd.Store(s1, to + i + 16);
                TSimd.Store(s2, to + i + 32);
                TSimd.Store(s3, to + i + 48);
            }

            for (; i < destination.Length; i += 16)
            {
                int count = Math.Min(16, destination.Length - i);
                TSimd sum = TSimd.Zero;
                for (int j = 0; j < weights.Length; j++)
                {
                    float* row = rows.Pointer + j * rows.Stride + i;
                    if (count < 16)
                    {
                        Elementwise.CopyPadded(new ReadOnlySpan<float>(row, count), padded);
                        row = padded;
                    }

                    sum = TSimd.MultiplyAdd(TSimd.Broadcast(w[j]), TSimd.Load(row), sum);
                }

                TSimd.Store(sum, padded);
                new ReadOnlySpan<float>(padded, count).CopyTo(destination[i..]);
            }
        }

        GC.KeepAlive(rows);
    }
}
