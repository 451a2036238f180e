using BenchmarkDotNet.Attributes;
using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;

namespace TensorCompress.Benchmarks.Kernels;

/// <summary>The nearest of some codewords of eight numbers, beside the plain loops.</summary>
public class NearestCodewordBenchmarks : KernelBenchmark
{
    private float[] _x = [], _codewords = [], _packed = [];
    private Search _kernel = null!;

    private delegate int Search(ReadOnlySpan<float> x, ReadOnlySpan<float> packed);

    [Params(77, 256, 4096)]
    public int Length { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _x = Values(1, 8);
        _codewords = Values(2, 8 * Length);
        _packed = NearestCodeword.Pack(_codewords, 8);
        _kernel = Choose<Search>(NearestCodeword.Core<Simd512>, NearestCodeword.Core<Simd256>, NearestCodeword.Core<Simd128>, NearestCodeword.Core<SimdScalar>);
    }

    [Benchmark(Baseline = true)]
    public int PlainLoop()
    {
        int best = 0;
        float least = float.PositiveInfinity;
        for (int i = 0; i < Length; i++)
        {
            float distance = 0;
            for (int k = 0; k < 8; k++) distance += (_x[k] - _codewords[8 * i + k]) * (_x[k] - _codewords[8 * i + k]);
            if (distance >= least) continue;
            (best, least) = (i, distance);
        }

        return best;
    }

    [Benchmark]
    public int Kernel() => _kernel(_x, _packed);
}
