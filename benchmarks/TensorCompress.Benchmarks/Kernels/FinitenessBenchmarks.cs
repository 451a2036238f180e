using BenchmarkDotNet.Attributes;
using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;

namespace TensorCompress.Benchmarks.Kernels;

/// <summary>Whether all of many floats are numbers.</summary>
public class FinitenessBenchmarks : KernelBenchmark
{
    private float[] _values = [];
    private Check _kernel = null!;

    private delegate bool Check(ReadOnlySpan<float> values);

    [Params(77, 4096)]
    public int Length { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _values = Values(1, Length);
        _kernel = Choose<Check>(Finiteness.Core<Simd512>, Finiteness.Core<Simd256>, Finiteness.Core<Simd128>, Finiteness.Core<SimdScalar>);
    }

    [Benchmark(Baseline = true)]
    public bool PlainLoop()
    {
        foreach (float value in _values)
        {
            if (!float.IsFinite(value)) return false;
        }

        return true;
    }

    [Benchmark]
    public bool Kernel() => _kernel(_values);
}
