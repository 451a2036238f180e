using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using TensorCompress.Kernels.Simd;

namespace TensorCompress.Kernels;

/// <summary>Softmax and log-sum-exp of one vector.</summary>
internal static class Softmax
{
    /// <summary><c>x_i = e^(scale x_i - m) / sum_j e^(scale x_j - m)</c> in place, m the maximum of scale x; scale is positive. A NaN makes all NaN.</summary>
    public static void Apply(Span<float> x, float scale)
    {
        if (x.IsEmpty) return;
        float maximum = TensorPrimitives.Max<float>(x) * scale;
        float sum = SimdLevel.Active switch
        {
            SimdWidth.Bits512 => ExponentiateCore<Simd512>(x, scale, maximum),
            SimdWidth.Bits256 => ExponentiateCore<Simd256>(x, scale, maximum),
            SimdWidth.Bits128 => ExponentiateCore<Simd128>(x, scale, maximum),
            _ => ExponentiateCore<SimdScalar>(x, scale, maximum),
        };
        float inverse = 1f / sum;
        for (int i = 0; i < x.Length; i++) x[i] *= inverse;
    }

    /// <summary>log sum_i e^(x_i), summed in double.</summary>
    public static double LogSumExp(ReadOnlySpan<float> x)
    {
        if (x.IsEmpty) return double.NegativeInfinity;
        double maximum = TensorPrimitives.Max(x);
        double sum = 0;
        foreach (float value in x) sum += Math.Exp(value - maximum);
        return maximum + Math.Log(sum);
    }

    /// <summary>Replaces x by e^(scale x - maximum) and returns the sum.</summary>
    [SkipLocalsInit]
    internal static unsafe float ExponentiateCore<TSimd>(Span<float> x, float scale, float maximum)
        where TSimd : struct, ISimd<TSimd>
    {
        float* padded = stackalloc float[16];
        fixed (float* values = x)
        {
            TSimd sum = TSimd.Zero, factor = TSimd.Broadcast(scale), offset = TSimd.Broadcast(-maximum);
            int i = 0;
            for (; i <= x.Length - 16; i += 16)
            {
                TSimd e = Exponential.Exp(TSimd.MultiplyAdd(TSimd.Load(values + i), factor, offset));
                TSimd.Store(e, values + i);
                sum += e;
            }

            if (i < x.Length)
            {
                Elementwise.CopyPadded(x[i..], padded);
                TSimd.Store(Exponential.Exp(TSimd.MultiplyAdd(TSimd.Load(padded), factor, offset)), padded);
                for (int j = 0; j < 16; j++)
                {
                    if (i + j < x.Length) x[i + j] = padded[j];
                    else padded[j] = 0;
                }

                sum += TSimd.Load(padded);
            }

            return Reduction.Sum(sum);
        }
    }
}
