using BenchmarkDotNet.Attributes;
using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;

namespace TensorCompress.Benchmarks.Kernels;

/// <summary>y += factor x.</summary>
public class ScalingBenchmarks : KernelBenchmark
{
    private float[] _x = [], _y = [];
    private AddScaled _kernel = null!;

    private delegate void AddScaled(ReadOnlySpan<float> x, float factor, Span<float> y);

    [Params(77, 1536)]
    public int Length { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _x = Values(1, Length);
        _y = new float[Length];
        _kernel = Choose<AddScaled>(Scaling.AddScaledCore<Simd512>, Scaling.AddScaledCore<Simd256>, Scaling.AddScaledCore<Simd128>, Scaling.AddScaledCore<SimdScalar>);
    }

    [Benchmark(Baseline = true)]
    public void PlainLoop()
    {
        for (int i = 0; i < _x.Length; i++) _y[i] += 1e-3f * _x[i];
    }

    [Benchmark]
    public void Kernel() => _kernel(_x, 1e-3f, _y);
}
