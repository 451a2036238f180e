using BenchmarkDotNet.Attributes;
using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;

namespace TensorCompress.Benchmarks.Kernels;

/// <summary>e^(scale x - maximum) and its sum.</summary>
public class SoftmaxBenchmarks : KernelBenchmark
{
    private float[] _x = [], _y = [];
    private Exponentiate _kernel = null!;

    private delegate float Exponentiate(Span<float> x, float scale, float maximum);

    [Params(77, 2048)]
    public int Length { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _x = Values(1, Length, 8f);
        _y = new float[Length];
        _kernel = Choose<Exponentiate>(Softmax.ExponentiateCore<Simd512>, Softmax.ExponentiateCore<Simd256>, Softmax.ExponentiateCore<Simd128>, Softmax.ExponentiateCore<SimdScalar>);
    }

    [Benchmark(Baseline = true)]
    public float PlainLoop()
    {
        float sum = 0;
        for (int i = 0; i < _x.Length; i++) sum += _y[i] = MathF.Exp(_x[i] * 0.125f - 1f);
        return sum;
    }

    [Benchmark]
    public float Kernel()
    {
        _x.CopyTo(_y, 0); // the kernel works in place
        return _kernel(_y, 0.125f, 1f);
    }
}
