using TensorCompress.Kernels.Simd;

namespace TensorCompress.Kernels;

/// <summary>Vectors times a number; source and destination may be the same span. Bound: bytes over the memory bandwidth.</summary>
internal static class Scaling
{
    /// <summary><c>destination = factor x</c>.</summary>
    public static void Scale(ReadOnlySpan<float> x, float factor, Span<float> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(destination.Length, x.Length);
        switch (SimdLevel.Active)
        {
            case SimdWidth.Bits512: ScaleCore<Simd512>(x, factor, destination); break;
            case SimdWidth.Bits256: ScaleCore<Simd256>(x, factor, destination); break;
            case SimdWidth.Bits128: ScaleCore<Simd128>(x, factor, destination); break;
            default: ScaleCore<SimdScalar>(x, factor, destination); break;
        }
    }

    /// <summary><c>y = y + factor x</c>, one rounding where the CPU has fused multiply-add.</summary>
    public static void AddScaled(ReadOnlySpan<float> x, float factor, Span<float> y)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Length, x.Length);
        switch (SimdLevel.Active)
        {
            case SimdWidth.Bits512: AddScaledCore<Simd512>(x, factor, y); break;
            case SimdWidth.Bits256: AddScaledCore<Simd256>(x, factor, y); break;
            case SimdWidth.Bits128: AddScaledCore<Simd128>(x, factor, y); break;
            default: AddScaledCore<SimdScalar>(x, factor, y); break;
        }
    }

    internal static unsafe void ScaleCore<TSimd>(ReadOnlySpan<float> x, float factor, Span<float> destination)
        where TSimd : struct, ISimd<TSimd>
    {
        TSimd scale = TSimd.Broadcast(factor);
        fixed (float* from = x, to = destination)
        {
            int i = 0;
            for (; i <= x.Length - 16; i += 16) TSimd.Store(TSimd.Load(from + i) * scale, to + i);
            if (i < x.Length) Lanes.Store(Lanes.Load<TSimd>(from + i, x.Length - i) * scale, to + i, x.Length - i);
        }
    }

    internal static unsafe void AddScaledCore<TSimd>(ReadOnlySpan<float> x, float factor, Span<float> y)
        where TSimd : struct, ISimd<TSimd>
    {
        TSimd scale = TSimd.Broadcast(factor);
        fixed (float* from = x, to = y)
        {
            int i = 0, length = x.Length;
            for (; i <= length - 16; i += 16) TSimd.Store(TSimd.MultiplyAdd(TSimd.Load(from + i), scale, TSimd.Load(to + i)), to + i);
            if (i < length) Lanes.Store(TSimd.MultiplyAdd(Lanes.Load<TSimd>(from + i, length - i), scale, Lanes.Load<TSimd>(to + i, length - i)), to + i, length - i);
        }
    }
}
