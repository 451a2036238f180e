using System.Runtime.CompilerServices;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tensors;

namespace TensorCompress.Kernels;

/// <summary>
/// Sums of rows, <c>destination[t] = sum_j weights[t, j] rows[j]</c>, each element one running multiply-add over j = 0, 1, 2, ...: the same bits however many rows
/// and tokens there are, and whether the sum is made at once or in parts. Bound: 2 tokens rows dimension / (32 flops a cycle at 512 bits, 16 at 256), or the bytes of the rows.
/// </summary>
internal static class WeightedRowSum
{
    /// <summary>Sums into a destination that is overwritten.</summary>
    /// <param name="weights">[tokens, rows].</param>
    /// <param name="rows">[rows, dimension].</param>
    /// <param name="destination">[tokens, dimension]; must not overlap the operands.</param>
    public static void Multiply(MatrixView<float> weights, MatrixView<float> rows, MatrixView<float> destination)
    {
        for (nint token = 0; token < destination.Rows; token++) destination.Row(token).Clear();
        Add(weights, rows, destination);
    }

    /// <summary>Goes on with sums: <c>destination[t] += sum_j weights[t, j] rows[j]</c>.</summary>
    /// <param name="weights">[tokens, rows].</param>
    /// <param name="rows">[rows, dimension].</param>
    /// <param name="destination">[tokens, dimension]; must not overlap the operands.</param>
    public static void Add(MatrixView<float> weights, MatrixView<float> rows, MatrixView<float> destination)
    {
        if (weights.Columns != rows.Rows || destination.Rows != weights.Rows || destination.Columns != rows.Columns)
            throw new ArgumentException($"[{weights.Rows}, {weights.Columns}] weights of [{rows.Rows}, {rows.Columns}] rows do not give [{destination.Rows}, {destination.Columns}].", nameof(destination));
        switch (SimdLevel.Active)
        {
            case SimdWidth.Bits512: Core<Simd512>(weights, rows, destination); break;
            case SimdWidth.Bits256: Core<Simd256>(weights, rows, destination); break;
            case SimdWidth.Bits128: Core<Simd128>(weights, rows, destination); break;
            default: Core<SimdScalar>(weights, rows, destination); break;
        }
    }

    // What lives in registers: four tokens by 64 columns at 512 bits (16 of 32 vectors), two by 32 at 256 (8 of 16, six loads for eight multiply-adds); the rest token by token.
    internal static unsafe void Core<TSimd>(MatrixView<float> weights, MatrixView<float> rows, MatrixView<float> destination)
        where TSimd : struct, ISimd<TSimd>
    {
        (int tileTokens, int tileColumns) = typeof(TSimd) == typeof(Simd512) ? (4, 64) : (2, 32);
        nint token = rows.Columns <= 16 ? NarrowRows<TSimd>(weights, rows, destination) : 0, tiled = rows.Columns / tileColumns * tileColumns;
        for (; token <= weights.Rows - tileTokens; token += tileTokens)
        {
            float* w = weights.Pointer + token * weights.Stride, y = destination.Pointer + token * destination.Stride;
            for (nint column = 0; column < tiled; column += tileColumns)
            {
                if (tileTokens == 4) FourByFour<TSimd>(w, weights.Stride, rows.Pointer + column, rows.Stride, rows.Rows, y + column, destination.Stride);
                else TwoByTwo<TSimd>(w, weights.Stride, rows.Pointer + column, rows.Stride, rows.Rows, y + column, destination.Stride);
            }

            for (int t = 0; t < tileTokens; t++) OneToken<TSimd>(w + t * weights.Stride, rows.Pointer + tiled, rows.Stride, rows.Rows, y + t * destination.Stride + tiled, rows.Columns - tiled);
        }

        for (; token < weights.Rows; token++)
            OneToken<TSimd>(weights.Pointer + token * weights.Stride, rows.Pointer, rows.Stride, rows.Rows, destination.Pointer + token * destination.Stride, rows.Columns);
        weights.KeepAlive();
        rows.KeepAlive();
        destination.KeepAlive();
    }

    // Rows of one step at most (heads of small models): four tokens share each load. Returns the tokens that are done.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static unsafe nint NarrowRows<TSimd>(MatrixView<float> weights, MatrixView<float> rows, MatrixView<float> destination)
        where TSimd : struct, ISimd<TSimd>
    {
        nint token = 0, columns = rows.Columns;
        for (; token <= weights.Rows - 4; token += 4)
        {
            float* w0 = weights.Pointer + token * weights.Stride, w1 = w0 + weights.Stride, w2 = w1 + weights.Stride, w3 = w2 + weights.Stride, row = rows.Pointer;
            float* y0 = destination.Pointer + token * destination.Stride, y1 = y0 + destination.Stride, y2 = y1 + destination.Stride, y3 = y2 + destination.Stride;
            TSimd s0 = LoadStep<TSimd>(y0, columns), s1 = LoadStep<TSimd>(y1, columns), s2 = LoadStep<TSimd>(y2, columns), s3 = LoadStep<TSimd>(y3, columns);
            for (nint j = 0; j < rows.Rows; j++, row += rows.Stride)
            {
                TSimd values = LoadStep<TSimd>(row, columns);
                s0 = TSimd.MultiplyAdd(TSimd.Broadcast(w0[j]), values, s0);
                s1 = TSimd.MultiplyAdd(TSimd.Broadcast(w1[j]), values, s1);
                s2 = TSimd.MultiplyAdd(TSimd.Broadcast(w2[j]), values, s2);
                s3 = TSimd.MultiplyAdd(TSimd.Broadcast(w3[j]), values, s3);
            }

            StoreStep(s0, y0, columns);
            StoreStep(s1, y1, columns);
            StoreStep(s2, y2, columns);
            StoreStep(s3, y3, columns);
        }

        return token;
    }

    private static unsafe void FourByFour<TSimd>(float* w0, nint ws, float* row, nint stride, nint count, float* y0, nint ys)
        where TSimd : struct, ISimd<TSimd>
    {
        float* w1 = w0 + ws, w2 = w1 + ws, w3 = w2 + ws, y1 = y0 + ys, y2 = y1 + ys, y3 = y2 + ys;
        TSimd s00 = TSimd.Load(y0), s01 = TSimd.Load(y0 + 16), s02 = TSimd.Load(y0 + 32), s03 = TSimd.Load(y0 + 48);
        TSimd s10 = TSimd.Load(y1), s11 = TSimd.Load(y1 + 16), s12 = TSimd.Load(y1 + 32), s13 = TSimd.Load(y1 + 48);
        TSimd s20 = TSimd.Load(y2), s21 = TSimd.Load(y2 + 16), s22 = TSimd.Load(y2 + 32), s23 = TSimd.Load(y2 + 48);
        TSimd s30 = TSimd.Load(y3), s31 = TSimd.Load(y3 + 16), s32 = TSimd.Load(y3 + 32), s33 = TSimd.Load(y3 + 48);
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
        Store4(y1, s10, s11, s12, s13);
        Store4(y2, s20, s21, s22, s23);
        Store4(y3, s30, s31, s32, s33);
    }

    private static unsafe void TwoByTwo<TSimd>(float* w0, nint ws, float* row, nint stride, nint count, float* y0, nint ys)
        where TSimd : struct, ISimd<TSimd>
    {
        float* w1 = w0 + ws, y1 = y0 + ys;
        TSimd s00 = TSimd.Load(y0), s01 = TSimd.Load(y0 + 16), s10 = TSimd.Load(y1), s11 = TSimd.Load(y1 + 16);
        for (nint j = 0; j < count; j++, row += stride)
        {
            TSimd r0 = TSimd.Load(row), r1 = TSimd.Load(row + 16), f0 = TSimd.Broadcast(w0[j]), f1 = TSimd.Broadcast(w1[j]);
            s00 = TSimd.MultiplyAdd(f0, r0, s00);
            s01 = TSimd.MultiplyAdd(f0, r1, s01);
            s10 = TSimd.MultiplyAdd(f1, r0, s10);
            s11 = TSimd.MultiplyAdd(f1, r1, s11);
        }

        TSimd.Store(s00, y0);
        TSimd.Store(s01, y0 + 16);
        TSimd.Store(s10, y1);
        TSimd.Store(s11, y1 + 16);
    }

    private static unsafe void OneToken<TSimd>(float* w, float* rows, nint stride, nint count, float* y, nint dimension)
        where TSimd : struct, ISimd<TSimd>
    {
        nint i = 0;
        for (; i <= dimension - 64; i += 64)
        {
            float* row = rows + i;
            TSimd s0 = TSimd.Load(y + i), s1 = TSimd.Load(y + i + 16), s2 = TSimd.Load(y + i + 32), s3 = TSimd.Load(y + i + 48);
            for (nint j = 0; j < count; j++, row += stride)
            {
                TSimd factor = TSimd.Broadcast(w[j]);
                s0 = TSimd.MultiplyAdd(factor, TSimd.Load(row), s0);
                s1 = TSimd.MultiplyAdd(factor, TSimd.Load(row + 16), s1);
                s2 = TSimd.MultiplyAdd(factor, TSimd.Load(row + 32), s2);
                s3 = TSimd.MultiplyAdd(factor, TSimd.Load(row + 48), s3);
            }

            Store4(y + i, s0, s1, s2, s3);
        }

        for (; i < dimension; i += 16)
        {
            nint left = nint.Min(16, dimension - i);
            float* row = rows + i;
            TSimd sum = LoadStep<TSimd>(y + i, left);
            for (nint j = 0; j < count; j++, row += stride) sum = TSimd.MultiplyAdd(TSimd.Broadcast(w[j]), LoadStep<TSimd>(row, left), sum);
            StoreStep(sum, y + i, left);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static unsafe TSimd LoadStep<TSimd>(float* source, nint count)
        where TSimd : struct, ISimd<TSimd> => count == 16 ? TSimd.Load(source) : Lanes.Load<TSimd>(source, count);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static unsafe void StoreStep<TSimd>(TSimd value, float* destination, nint count)
        where TSimd : struct, ISimd<TSimd>
    {
        if (count == 16) TSimd.Store(value, destination);
        else Lanes.Store(value, destination, count);
    }

    private static unsafe void Store4<TSimd>(float* to, TSimd a, TSimd b, TSimd c, TSimd d)
        where TSimd : struct, ISimd<TSimd>
    {
        TSimd.Store(a, to);
        TSimd.Store(b, to + 16);
        TSimd.Store(c, to + 32);
        TSimd.Store(d, to + 48);
    }
}
