using System.Numerics.Tensors;
using BenchmarkDotNet.Attributes;
using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;

namespace TensorCompress.Benchmarks.Kernels;

/// <summary>The largest logit and its index, beside a plain loop and the framework.</summary>
public class ExtremesBenchmarks : KernelBenchmark
{
    private float[] _x = [];
    private Index _index = null!;
    private Largest _largest = null!;

    private delegate int Index(ReadOnlySpan<float> x);

    private delegate float Largest(ReadOnlySpan<float> x);

    [Params(77, 49152)]
    public int Length { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _x = Values(1, Length);
        _index = Choose<Index>(Extremes.IndexOfMaxCore<Simd512>, Extremes.IndexOfMaxCore<Simd256>, Extremes.IndexOfMaxCore<Simd128>, Extremes.IndexOfMaxCore<SimdScalar>);
        _largest = Choose<Largest>(Extremes.MaxCore<Simd512>, Extremes.MaxCore<Simd256>, Extremes.MaxCore<Simd128>, Extremes.MaxCore<SimdScalar>);
    }

    [Benchmark(Baseline = true)]
    public int PlainLoop()
    {
        int best = 0;
        for (int i = 1; i < _x.Length; i++)
        {
            if (_x[i] > _x[best]) best = i;
        }

        return best;
    }

    [Benchmark]
    public int Framework() => TensorPrimitives.IndexOfMax<float>(_x);

    [Benchmark]
    public int IndexOfMaxKernel() => _index(_x);

    [Benchmark]
    public float MaxKernel() => _largest(_x);
}
