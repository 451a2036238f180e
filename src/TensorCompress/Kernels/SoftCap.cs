using TensorCompress.Kernels.Simd;

namespace TensorCompress.Kernels;

/// <summary>Smooth bounds of scores and logits: <c>x = cap tanh(scale x / cap)</c>.</summary>
internal static class SoftCap
{
    /// <summary>Applies the bound in place; cap is positive.</summary>
    public static void Apply(Span<float> x, float scale, float cap)
    {
        float factor = scale / cap;
        for (int i = 0; i < x.Length; i++) x[i] *= factor;
        Elementwise.Map<Tanh>(x, x);
        for (int i = 0; i < x.Length; i++) x[i] *= cap;
    }

    /// <summary>tanh x = 1 - 2 / (1 + e^2x); absolute error about 1e-7.</summary>
    internal readonly struct Tanh : IUnaryOperation
    {
        public static TSimd Apply<TSimd>(TSimd x)
            where TSimd : struct, ISimd<TSimd> => TSimd.Broadcast(1f) - TSimd.Broadcast(2f) / (TSimd.Broadcast(1f) + Exponential.Exp(x + x));
    }
}
