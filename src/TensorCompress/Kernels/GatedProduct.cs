using TensorCompress.Kernels.Simd;

namespace TensorCompress.Kernels;

/// <summary><c>f(gate) x</c> in one pass: SwiGLU with <see cref="Silu"/>, GeGLU with a GELU (Shazeer 2020), as an operation for <see cref="Elementwise.Combine"/>.</summary>
internal readonly struct GatedProduct<TActivation> : IBinaryOperation
    where TActivation : struct, IUnaryOperation
{
    public static TSimd Apply<TSimd>(TSimd x, TSimd y)
        where TSimd : struct, ISimd<TSimd> => TActivation.Apply(x) * y;
}
