using System.Runtime.CompilerServices;
using TensorCompress.Kernels.Simd;

namespace TensorCompress.Kernels;

/// <summary>Tells whether all of many floats are numbers.</summary>
internal static class Finiteness
{
    /// <summary>Whether no element is NaN or infinite.</summary>
    public static bool IsWhole(ReadOnlySpan<float> values) => SimdLevel.Active switch
    {
        SimdWidth.Bits512 => Core<Simd512>(values),
        SimdWidth.Bits256 => Core<Simd256>(values),
        SimdWidth.Bits128 => Core<Simd128>(values),
        _ => Core<SimdScalar>(values),
    };

    // 0 x is a zero for every finite x and NaN for all others, and NaN survives every addition. Run once over a model, so not left to tiered compilation.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static unsafe bool Core<TSimd>(ReadOnlySpan<float> values)
        where TSimd : struct, ISimd<TSimd>
    {
        int done = 0;
        float rest = 0f;
        fixed (float* source = values)
        {
            TSimd sum = TSimd.Zero, zero = TSimd.Zero;
            for (; done <= values.Length - ISimd<TSimd>.Lanes; done += ISimd<TSimd>.Lanes) sum += TSimd.Load(source + done) * zero;
            for (; done < values.Length; done++) rest += source[done] * 0f;
            return float.IsFinite(Reduction.Sum(sum) + rest);
        }
    }
}
