using BenchmarkDotNet.Attributes;
using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;

namespace TensorCompress.Benchmarks.Kernels;

/// <summary>The weighted error of rounding a group to a grid.</summary>
public class GridErrorBenchmarks : KernelBenchmark
{
    private float[] _weights = [], _importance = [];
    private Error _kernel = null!;

    private delegate float Error(ReadOnlySpan<float> weights, ReadOnlySpan<float> importance, float scale, int least, int most);

    [Params(64, 77)]
    public int Length { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _weights = Values(1, Length);
        _importance = [.. Values(2, Length).Select(Math.Abs)];
        _kernel = Choose<Error>(GridError.Core<Simd512>, GridError.Core<Simd256>, GridError.Core<Simd128>, GridError.Core<SimdScalar>);
    }

    [Benchmark(Baseline = true)]
    public float PlainLoop()
    {
        float sum = 0;
        for (int i = 0; i < _weights.Length; i++)
        {
            float difference = _weights[i] - 0.1f * Math.Clamp(MathF.Round(_weights[i] / 0.1f), -4, 3);
            sum += _importance[i] * difference * difference;
        }

        return sum;
    }

    [Benchmark]
    public float Kernel() => _kernel(_weights, _importance, 0.1f, -4, 3);
}
