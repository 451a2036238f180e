using BenchmarkDotNet.Attributes;
using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;

namespace TensorCompress.Benchmarks.Kernels;

/// <summary>The library's own e^x beside the platform's.</summary>
public class ExponentialBenchmarks : KernelBenchmark
{
    private float[] _x = [], _y = [];
    private Map _kernel = null!;

    private delegate void Map(ReadOnlySpan<float> source, Span<float> destination);

    [Params(77, 1536)]
    public int Length { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _x = Values(1, Length, 6f);
        _y = new float[Length];
        _kernel = Choose<Map>(
            Elementwise.MapCore<Simd512, Exponential.Operation>, Elementwise.MapCore<Simd256, Exponential.Operation>,
            Elementwise.MapCore<Simd128, Exponential.Operation>, Elementwise.MapCore<SimdScalar, Exponential.Operation>);
    }

    [Benchmark(Baseline = true)]
    public void PlainLoop()
    {
        for (int i = 0; i < _x.Length; i++) _y[i] = MathF.Exp(_x[i]);
    }

    [Benchmark]
    public void Kernel() => _kernel(_x, _y);
}
