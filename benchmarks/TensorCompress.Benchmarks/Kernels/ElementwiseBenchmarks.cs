using BenchmarkDotNet.Attributes;
using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;

namespace TensorCompress.Benchmarks.Kernels;

/// <summary>max(x, 0): the cost of the loop itself.</summary>
public class ElementwiseBenchmarks : KernelBenchmark
{
    private float[] _x = [], _y = [];
    private Map _kernel = null!;

    private delegate void Map(ReadOnlySpan<float> source, Span<float> destination);

    [Params(77, 1536)]
    public int Length { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _x = Values(1, Length);
        _y = new float[Length];
        _kernel = Choose<Map>(Elementwise.MapCore<Simd512, Relu>, Elementwise.MapCore<Simd256, Relu>, Elementwise.MapCore<Simd128, Relu>, Elementwise.MapCore<SimdScalar, Relu>);
    }

    [Benchmark(Baseline = true)]
    public void PlainLoop()
    {
        for (int i = 0; i < _x.Length; i++) _y[i] = MathF.Max(_x[i], 0);
    }

    [Benchmark]
    public void Kernel() => _kernel(_x, _y);
}
