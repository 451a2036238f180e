using BenchmarkDotNet.Attributes;
using TensorCompress.Kernels.Simd;

namespace TensorCompress.Benchmarks.Kernels;

/// <summary>A kernel beside the plain loop that it replaces, at every vector width that this CPU has.</summary>
public abstract class KernelBenchmark
{
    /// <summary>The width that the kernel is made to use.</summary>
    [ParamsSource(nameof(Widths))]
    public SimdWidth Width { get; set; }

    /// <summary>Widths of this CPU, the widest first.</summary>
    public static IEnumerable<SimdWidth> Widths => Enum.GetValues<SimdWidth>().Where(width => width <= SimdLevel.Active).OrderDescending();

    private protected TKernel Choose<TKernel>(TKernel bits512, TKernel bits256, TKernel bits128, TKernel scalar)
        where TKernel : Delegate => Width switch
        {
            SimdWidth.Bits512 => bits512,
            SimdWidth.Bits256 => bits256,
            SimdWidth.Bits128 => bits128,
            _ => scalar,
        };

    /// <summary>Reproducible floats in [-scale, scale).</summary>
    internal static float[] Values(int seed, int count, float scale = 1f)
    {
        var random = new Random(seed);
        var values = new float[count];
        foreach (ref float value in values.AsSpan()) value = (float)(random.NextDouble() * 2 - 1) * scale;
        return values;
    }
}
