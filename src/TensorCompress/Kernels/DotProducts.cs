using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tensors;

namespace TensorCompress.Kernels;

/// <summary>
/// Products of models: <c>destination[t, r] = weights[r] . inputs[t]</c>, both with contiguous rows.
/// Every result is sixteen running sums over k = 0, 16, 32, ... and one fixed tree, the last partial step padded with zeros: the same bits whatever tile it falls into.
/// Bound: 2 rows k / (32 flops a cycle) for many tokens, bytes of the weights over the memory bandwidth for one.
/// </summary>
internal static class DotProducts
{
    private const int TileRows = 4;

    /// <summary>Tokens whose inputs stay in the cache while all weight rows pass.</summary>
    private const int InputBlockBytes = 256 << 10;

    /// <summary>Multiplies; one thread.</summary>
    /// <param name="weights">[rows, k].</param>
    /// <param name="inputs">[tokens, k].</param>
    /// <param name="destination">[tokens, rows], overwritten; must not overlap the operands.</param>
    public static void Multiply(MatrixView<float> weights, MatrixView<float> inputs, MatrixView<float> destination)
    {
        if (weights.Columns != inputs.Columns || destination.Rows != inputs.Rows || destination.Columns != weights.Rows)
            throw new ArgumentException($"[{weights.Rows}, {weights.Columns}] weights and [{inputs.Rows}, {inputs.Columns}] inputs do not give [{destination.Rows}, {destination.Columns}].", nameof(destination));
        switch (SimdLevel.Active)
        {
            case SimdWidth.Bits512: Core<Simd512>(weights, inputs, destination); break;
            case SimdWidth.Bits256: Core<Simd256>(weights, inputs, destination); break;
            case SimdWidth.Bits128: Core<Simd128>(weights, inputs, destination); break;
            default: Core<SimdScalar>(weights, inputs, destination); break;
        }
    }

    internal static unsafe void Core<TSimd>(MatrixView<float> weights, MatrixView<float> inputs, MatrixView<float> destination)
        where TSimd : struct, ISimd<TSimd>
    {
        nint k = weights.Columns;
        // Four by four sums live in registers at 512 bits; narrower vectors have room for four by one.
        int tileTokens = typeof(TSimd) == typeof(Simd512) ? 4 : 1;
        nint tokenBlock = nint.Max(16, InputBlockBytes / nint.Max(4 * k, 1) / 4 * 4);
        for (nint token0 = 0; token0 < inputs.Rows; token0 += tokenBlock)
        {
            nint tokenEnd = nint.Min(inputs.Rows, token0 + tokenBlock);
            for (nint row = 0; row < weights.Rows; row += TileRows)
            {
                int rows = (int)nint.Min(TileRows, weights.Rows - row);
                float* w = weights.Pointer + row * weights.Stride;
                nint token = token0;
                if (rows == TileRows && tileTokens == 4)
                {
                    for (; token + 4 <= tokenEnd; token += 4)
                        FourByFour<TSimd>(w, weights.Stride, inputs.Pointer + token * inputs.Stride, inputs.Stride, k, destination.Pointer + token * destination.Stride + row, destination.Stride);
                }

                for (; token < tokenEnd; token++)
                {
                    float* x = inputs.Pointer + token * inputs.Stride;
                    float* y = destination.Pointer + token * destination.Stride + row;
                    if (rows == TileRows) FourByOne<TSimd>(w, weights.Stride, x, k).Store(y);
                    else for (int r = 0; r < rows; r++) y[r] = Dot<TSimd>(w + r * weights.Stride, x, k);
                }
            }
        }

        GC.KeepAlive(weights);
        GC.KeepAlive(inputs);
        GC.KeepAlive(destination);
    }

    /// <summary>One dot product by the same sums and tree.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static unsafe float Dot<TSimd>(float* a, float* b, nint k)
        where TSimd : struct, ISimd<TSimd>
    {
        TSimd sum = TSimd.Zero;
        nint i = 0;
        for (; i <= k - 16; i += 16) sum = TSimd.MultiplyAdd(TSimd.Load(a + i), TSimd.Load(b + i), sum);
        if (i < k) sum = TSimd.MultiplyAdd(LoadTail<TSimd>(a + i, k - i), LoadTail<TSimd>(b + i, k - i), sum);
        return Reduction.Sum(sum);
    }

    private static unsafe Vector128<float> FourByOne<TSimd>(float* w, nint stride, float* x, nint k)
        where TSimd : struct, ISimd<TSimd>
    {
        float* w1 = w + stride, w2 = w1 + stride, w3 = w2 + stride;
        TSimd s0 = TSimd.Zero, s1 = TSimd.Zero, s2 = TSimd.Zero, s3 = TSimd.Zero;
        nint i = 0;
        for (; i <= k - 16; i += 16)
        {
            TSimd v = TSimd.Load(x + i);
            s0 = TSimd.MultiplyAdd(TSimd.Load(w + i), v, s0);
            s1 = TSimd.MultiplyAdd(TSimd.Load(w1 + i), v, s1);
            s2 = TSimd.MultiplyAdd(TSimd.Load(w2 + i), v, s2);
            s3 = TSimd.MultiplyAdd(TSimd.Load(w3 + i), v, s3);
        }

        if (i < k)
        {
            nint left = k - i;
            TSimd v = LoadTail<TSimd>(x + i, left);
            s0 = TSimd.MultiplyAdd(LoadTail<TSimd>(w + i, left), v, s0);
            s1 = TSimd.MultiplyAdd(LoadTail<TSimd>(w1 + i, left), v, s1);
            s2 = TSimd.MultiplyAdd(LoadTail<TSimd>(w2 + i, left), v, s2);
            s3 = TSimd.MultiplyAdd(LoadTail<TSimd>(w3 + i, left), v, s3);
        }

        return Reduction.Sum4(s0, s1, s2, s3);
    }

    [SkipLocalsInit]
    private static unsafe void FourByFour<TSimd>(float* w0, nint ws, float* x0, nint xs, nint k, float* y, nint ys)
        where TSimd : struct, ISimd<TSimd>
    {
        float* w1 = w0 + ws, w2 = w1 + ws, w3 = w2 + ws;
        float* x1 = x0 + xs, x2 = x1 + xs, x3 = x2 + xs;
        TSimd s00 = TSimd.Zero, s01 = TSimd.Zero, s02 = TSimd.Zero, s03 = TSimd.Zero;
        TSimd s10 = TSimd.Zero, s11 = TSimd.Zero, s12 = TSimd.Zero, s13 = TSimd.Zero;
        TSimd s20 = TSimd.Zero, s21 = TSimd.Zero, s22 = TSimd.Zero, s23 = TSimd.Zero;
        TSimd s30 = TSimd.Zero, s31 = TSimd.Zero, s32 = TSimd.Zero, s33 = TSimd.Zero;
        float* tail = stackalloc float[8 * 16];
        nint i = 0;
        while (i < k)
        {
            if (k - i < 16)
            {
                // The last step runs through the same body on zero-padded copies.
                new Span<float>(tail, 8 * 16).Clear();
                for (nint j = 0; j < k - i; j++)
                {
                    tail[j] = w0[i + j];
                    tail[j + 16] = w1[i + j];
                    tail[j + 32] = w2[i + j];
                    tail[j + 48] = w3[i + j];
                    tail[j + 64] = x0[i + j];
                    tail[j + 80] = x1[i + j];
                    tail[j + 96] = x2[i + j];
                    tail[j + 112] = x3[i + j];
                }

                w0 = tail - i;
                w1 = w0 + 16;
                w2 = w1 + 16;
                w3 = w2 + 16;
                x0 = w3 + 16;
                x1 = x0 + 16;
                x2 = x1 + 16;
                x3 = x2 + 16;
            }

            TSimd a0 = TSimd.Load(w0 + i), a1 = TSimd.Load(w1 + i), a2 = TSimd.Load(w2 + i), a3 = TSimd.Load(w3 + i);
            TSimd b = TSimd.Load(x0 + i);
            s00 = TSimd.MultiplyAdd(a0, b, s00);
            s01 = TSimd.MultiplyAdd(a1, b, s01);
            s02 = TSimd.MultiplyAdd(a2, b, s02);
            s03 = TSimd.MultiplyAdd(a3, b, s03);
            b = TSimd.Load(x1 + i);
            s10 = TSimd.MultiplyAdd(a0, b, s10);
            s11 = TSimd.MultiplyAdd(a1, b, s11);
            s12 = TSimd.MultiplyAdd(a2, b, s12);
            s13 = TSimd.MultiplyAdd(a3, b, s13);
            b = TSimd.Load(x2 + i);
            s20 = TSimd.MultiplyAdd(a0, b, s20);
            s21 = TSimd.MultiplyAdd(a1, b, s21);
            s22 = TSimd.MultiplyAdd(a2, b, s22);
            s23 = TSimd.MultiplyAdd(a3, b, s23);
            b = TSimd.Load(x3 + i);
            s30 = TSimd.MultiplyAdd(a0, b, s30);
            s31 = TSimd.MultiplyAdd(a1, b, s31);
            s32 = TSimd.MultiplyAdd(a2, b, s32);
            s33 = TSimd.MultiplyAdd(a3, b, s33);
            i += 16;
        }

        Reduction.Sum4(s00, s01, s02, s03).Store(y);
        Reduction.Sum4(s10, s11, s12, s13).Store(y + ys);
        Reduction.Sum4(s20, s21, s22, s23).Store(y + 2 * ys);
        Reduction.Sum4(s30, s31, s32, s33).Store(y + 3 * ys);
    }

    [SkipLocalsInit]
    private static unsafe TSimd LoadTail<TSimd>(float* source, nint count)
        where TSimd : struct, ISimd<TSimd>
    {
        float* padded = stackalloc float[16];
        for (nint i = 0; i < 16; i++) padded[i] = i < count ? source[i] : 0;
        return TSimd.Load(padded);
    }
}
