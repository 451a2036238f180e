using BenchmarkDotNet.Attributes;
using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;

namespace TensorCompress.Benchmarks.Kernels;

/// <summary>Whether all weights of a piece are numbers, as they are read.</summary>
public class FinitenessBenchmarks : KernelBenchmark
{
    private float[] _x = [];
    private Look _kernel = null!;

    private delegate bool Look(ReadOnlySpan<float> values);

    [Params(577, 131072)]
    public int Length { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _x = Values(1, Length, 1f);
        _kernel = Choose<Look>(Finiteness.Core<Simd512>, Finiteness.Core<Simd256>, Finiteness.Core<Simd128>, Finiteness.Core<SimdScalar>);
    }

    [Benchmark(Baseline = true)]
    public bool PlainLoop()
    {
        foreach (float value in _x)
        {
            if (!float.IsFinite(value)) return false;
        }

        return true;
    }

    [Benchmark]
    public bool Kernel() => _kernel(_x);
}
