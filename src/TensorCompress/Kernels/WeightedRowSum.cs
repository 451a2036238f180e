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
