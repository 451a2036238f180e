using BenchmarkDotNet.Attributes;
using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;

namespace TensorCompress.Benchmarks.Kernels;

/// <summary>SwiGLU in one pass.</summary>
public class GatedProductBenchmarks : KernelBenchmark
{
    private float[] _gate = [], _x = [], _y = [];
    private Combine _kernel = null!;

    private delegate void Combine(ReadOnlySpan<float> left, ReadOnlySpan<float> right, Span<float> destination);

    [Params(77, 1536)]
    public int Length { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _gate = Values(1, Length, 6f);
        _x = Values(2, Length);
        _y = new float[Length];
        _kernel = Choose<Combine>(
            Elementwise.CombineCore<Simd512, GatedProduct<Silu>>, Elementwise.CombineCore<Simd256, GatedProduct<Silu>>,
            Elementwise.CombineCore<Simd128, GatedProduct<Silu>>, Elementwise.CombineCore<SimdScalar, GatedProduct<Silu>>);
    }

    [Benchmark(Baseline = true)]
    public void PlainLoop()
    {
        for (int i = 0; i < _x.Length; i++) _y[i] = _gate[i] / (1f + MathF.Exp(-_gate[i])) * _x[i];
    }

    [Benchmark]
    public void Kernel() => _kernel(_gate, _x, _y);
}
