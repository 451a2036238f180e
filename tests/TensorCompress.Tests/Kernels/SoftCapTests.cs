using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Kernels;

public class SoftCapTests
{
    [Theory]
    [InlineData(1f, 50f)]
    [InlineData(0.125f, 30f)]
    public void Bounds_are_their_formula(float scale, float cap)
    {
        VectorKernels.Check(
            new(Core<Simd512>, Core<Simd256>, Core<Simd128>, Core<SimdScalar>), (x, _, _) => cap * Math.Tanh(scale * x / cap), (_, _) => 4e-7 * cap, scale: 400f);

        // The kernel works in place: behind a copy it is one from vector to vector.
        void Core<TSimd>(ReadOnlySpan<float> x, ReadOnlySpan<float> unused, Span<float> y)
            where TSimd : struct, ISimd<TSimd>
        {
            x.CopyTo(y);
            SoftCap.Core<TSimd>(y, scale, cap);
        }
    }
}
