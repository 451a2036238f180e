using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace TensorCompress.Tests.TestKit;

/// <summary>One kernel at every width: all run in one process, those that the CPU lacks in software.</summary>
/// <typeparam name="TKernel">The kernel as a delegate.</typeparam>
internal sealed record Widths<TKernel>(TKernel Bits512, TKernel Bits256, TKernel Bits128, TKernel Scalar)
    where TKernel : Delegate
{
    public IReadOnlyList<(string Name, TKernel Run)> All => [("512", Bits512), ("256", Bits256), ("128", Bits128), ("scalar", Scalar)];
}

internal static class FloatBits
{
    /// <summary>Whether multiply-add is one rounding on this CPU; then all widths give the same bits.</summary>
    public static bool FusedMultiplyAdd => Fma.IsSupported || AdvSimd.IsSupported;

    /// <summary>Fails at the first float whose bits differ (any two NaN are equal).</summary>
    public static void AssertEqual(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual, string what)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
        {
            bool equal = BitConverter.SingleToInt32Bits(expected[i]) == BitConverter.SingleToInt32Bits(actual[i]) || (float.IsNaN(expected[i]) && float.IsNaN(actual[i]));
            if (!equal) Assert.Fail($"{what}: element {i} is {actual[i]:R}, expected the bits of {expected[i]:R}");
        }
    }

    /// <summary>Fails at the first float that is further from the oracle than the tolerance.</summary>
    public static void AssertNear(Func<int, double> oracle, ReadOnlySpan<float> actual, Func<int, double> tolerance, string what)
    {
        for (int i = 0; i < actual.Length; i++)
        {
            double expected = oracle(i);
            if (!(Math.Abs(actual[i] - expected) <= tolerance(i)))
                Assert.Fail($"{what}: element {i} is {actual[i]:R}, the oracle says {expected:R}, tolerance {tolerance(i):g3}");
        }
    }
}

/// <summary>Reproducible floats.</summary>
internal sealed class FloatSource(int seed)
{
    private readonly Random _random = new(seed);

    /// <summary>Uniform in [-scale, scale).</summary>
    public float Next(float scale = 1f) => (float)(_random.NextDouble() * 2 - 1) * scale;

    public int Integer(int limit) => _random.Next(-limit, limit + 1);

    public float[] Array(int length, float scale = 1f)
    {
        var values = new float[length];
        for (int i = 0; i < length; i++) values[i] = Next(scale);
        return values;
    }
}
