using TensorCompress.Kernels.Simd;

namespace TensorCompress.Kernels;

/// <summary>x / (1 + e^-x).</summary>
internal readonly struct Silu : IUnaryOperation
{
    public static TSimd Apply<TSimd>(TSimd x)
        where TSimd : struct, ISimd<TSimd> => x / (TSimd.Broadcast(1f) + Exponential.Exp(TSimd.Zero - x));
}

/// <summary>GELU by its tanh approximation, 0.5 x (1 + tanh(u)) = x / (1 + e^-2u) with u = sqrt(2 / pi) (x + 0.044715 x^3).</summary>
internal readonly struct GeluTanh : IUnaryOperation
{
    private const float MinusTwoRootTwoOverPi = -1.5957691216f;

    public static TSimd Apply<TSimd>(TSimd x)
        where TSimd : struct, ISimd<TSimd>
    {
        TSimd u = TSimd.MultiplyAdd(x * x * x, TSimd.Broadcast(0.044715f), x);
        return x / (TSimd.Broadcast(1f) + Exponential.Exp(u * TSimd.Broadcast(MinusTwoRootTwoOverPi)));
    }
}

/// <summary>GELU exactly, x Phi(x) = max(x, 0) - |x| / 2 erfc(|x| / sqrt(2)).</summary>
/// <remarks>erfc by the Chebyshev fit of Press et al., relative error below 1.2e-7 everywhere.</remarks>
internal readonly struct GeluErf : IUnaryOperation
{
    private const float InverseRootTwo = 0.70710678f;

    private static ReadOnlySpan<float> Coefficients =>
        [0.17087277f, -0.82215223f, 1.48851587f, -1.13520398f, 0.27886807f, -0.18628806f, 0.09678418f, 0.37409196f, 1.00002368f, -1.26551223f];

    public static TSimd Apply<TSimd>(TSimd x)
        where TSimd : struct, ISimd<TSimd>
    {
        TSimd magnitude = TSimd.Max(x, TSimd.Zero - x);
        TSimd z = magnitude * TSimd.Broadcast(InverseRootTwo);
        TSimd t = TSimd.Broadcast(1f) / TSimd.MultiplyAdd(z, TSimd.Broadcast(0.5f), TSimd.Broadcast(1f));
        TSimd p = TSimd.Broadcast(Coefficients[0]);
        foreach (float coefficient in Coefficients[1..]) p = TSimd.MultiplyAdd(p, t, TSimd.Broadcast(coefficient));
        TSimd erfc = t * Exponential.Exp(p - z * z);
        return TSimd.Max(x, TSimd.Zero) - TSimd.Broadcast(0.5f) * magnitude * erfc;
    }
}

/// <summary>max(x, 0).</summary>
internal readonly struct Relu : IUnaryOperation
{
    public static TSimd Apply<TSimd>(TSimd x)
        where TSimd : struct, ISimd<TSimd> => TSimd.Max(x, TSimd.Zero);
}
