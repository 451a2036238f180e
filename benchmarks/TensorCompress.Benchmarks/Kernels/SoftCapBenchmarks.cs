using BenchmarkDotNet.Attributes;
using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;

namespace TensorCompress.Benchmarks.Kernels;

/// <summary>cap tanh(x / cap) of logits.</summary>
public class SoftCapBenchmarks : KernelBenchmark
{
    private float[] _x = [], _y = [];
    private Cap _kernel = null!;

    private delegate void Cap(Span<float> x, float scale, float cap);

    [Params(77, 4096)]
    public int Length { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _x = Values(1, Length, 60f);
        _y = new float[Length];
        _kernel = Choose<Cap>(SoftCap.Core<Simd512>, SoftCap.Core<Simd256>, SoftCap.Core<Simd128>, SoftCap.Core<SimdScalar>);
    }

    [Benchmark(Baseline = true)]
    public void PlainLoop()
    {
        for (int i = 0; i < _x.Length; i++) _y[i] = 30f * MathF.Tanh(_x[i] / 30f);
    }

    [Benchmark]
    public void Kernel()
    {
        _x.CopyTo(_y, 0); // the kernel works in place
        _kernel(_y, 1f, 30f);
    }
}
