using TensorCompress.Kernels.Simd;

namespace TensorCompress.Kernels;

/// <summary>Smooth bounds of scores and logits: <c>x = cap tanh(scale x / cap)</c>.</summary>
internal static class SoftCap
{
    /// <summary>Applies the bound in place; cap is positive.</summary>
    public static void Apply(Span<float> x, float scale, float cap)
    {
        switch (SimdLevel.Active)
        {
            case SimdWidth.Bits512: Core<Simd512>(x, scale, cap); break;
            case SimdWidth.Bits256: Core<Simd256>(x, scale, cap); break;
            case SimdWidth.Bits128: Core<Simd128>(x, scale, cap); break;
            default: Core<SimdScalar>(x, scale, cap); break;
        }
    }

    internal static unsafe void Core<TSimd>(Span<float> x, float scale, float cap)
        where TSimd : struct, ISimd<TSimd>
    {
        TSimd factor = TSimd.Broadcast(scale / cap), bound = TSimd.Broadcast(cap);
        fixed (float* values = x)
        {
            int i = 0;
            for (; i <= x.Length - 16; i += 16) TSimd.Store(Tanh.Apply(TSimd.Load(values + i) * factor) * bound, values + i);
            if (i < x.Length) Lanes.Store(Tanh.Apply(Lanes.Load<TSimd>(values + i, x.Length - i) * factor) * bound, values + i, x.Length - i);
        }
    }

    /// <summary>tanh x = 1 - 2 / (1 + e^2x); absolute error about 1e-7.</summary>
    internal readonly struct Tanh : IUnaryOperation
    {
        public static TSimd Apply<TSimd>(TSimd x)
            where TSimd : struct, ISimd<TSimd> => TSimd.Broadcast(1f) - TSimd.Broadcast(2f) / (TSimd.Broadcast(1f) + Exponential.Exp(x + x));
    }
}
