using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Kernels;

public class ScalingTests
{
    private const float Factor = 0.7f;

    [Fact]
    public void Scaling_is_one_product_per_element() => VectorKernels.Check(
        new(
            (x, _, y) => Scaling.ScaleCore<Simd512>(x, Factor, y), (x, _, y) => Scaling.ScaleCore<Simd256>(x, Factor, y),
            (x, _, y) => Scaling.ScaleCore<Simd128>(x, Factor, y), (x, _, y) => Scaling.ScaleCore<SimdScalar>(x, Factor, y)),
        (x, _, _) => (float)(x * Factor), (_, _) => 0);

    [Fact]
    public void A_scaled_vector_is_added_by_one_multiply_add() => VectorKernels.Check(
        new(
            (x, _, y) => Scaling.AddScaledCore<Simd512>(x, Factor, y), (x, _, y) => Scaling.AddScaledCore<Simd256>(x, Factor, y),
            (x, _, y) => Scaling.AddScaledCore<Simd128>(x, Factor, y), (x, _, y) => Scaling.AddScaledCore<SimdScalar>(x, Factor, y)),
        (x, _, before) => before + x * Factor, (_, _) => FloatBits.FusedMultiplyAdd ? 4e-7 : 8e-7, accumulates: true);

    [Fact]
    public void The_entries_do_the_same_and_check_lengths()
    {
        float[] x = [1f, -2f, 3f], y = [10f, 20f, 30f];
        Scaling.AddScaled(x, 2f, y);
        Assert.Equal([12f, 16f, 36f], y);
        Scaling.Scale(y, 0.5f, x);
        Assert.Equal([6f, 8f, 18f], x);
        Assert.Throws<ArgumentOutOfRangeException>(() => Scaling.Scale(x, 1f, new float[2]));
        Assert.Throws<ArgumentOutOfRangeException>(() => Scaling.AddScaled(x, 1f, new float[2]));
    }
}
