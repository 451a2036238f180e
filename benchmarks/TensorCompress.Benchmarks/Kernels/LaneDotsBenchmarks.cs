using BenchmarkDotNet.Attributes;
using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tensors;

namespace TensorCompress.Benchmarks.Kernels;

/// <summary>Short rows times 64 vectors that are the lanes, beside the plain loop and the same by dot products.</summary>
public class LaneDotsBenchmarks : MatrixBenchmark
{
    private const int Vectors = 64, Rows = 192;

    private MatrixView<float> _weights, _inputs, _turned, _results;
    private MatrixKernel _kernel = null!;

    [Params(16, 128)]
    public int Columns { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        (_weights, _inputs, _turned, _results) = (Random(Rows, Columns), Random(Columns, Vectors), Random(Vectors, Columns), Random(Rows, Vectors));
        _kernel = Choose<MatrixKernel>(LaneDots.Core<Simd512, TileOfTwo>, LaneDots.Core<Simd256, TileOfOne>, LaneDots.Core<Simd128, TileOfOne>, LaneDots.Core<SimdScalar, TileOfOne>);
    }

    [Benchmark(Baseline = true)]
    public void PlainLoop()
    {
        for (int row = 0; row < Rows; row++)
        {
            Span<float> w = _weights.Row(row), y = _results.Row(row);
            y.Clear();
            for (int k = 0; k < w.Length; k++)
            {
                Span<float> x = _inputs.Row(k);
                for (int i = 0; i < y.Length; i++) y[i] += w[k] * x[i];
            }
        }
    }

    [Benchmark]
    public void Kernel() => _kernel(_weights, _inputs, _results);

    [Benchmark]
    public void ByDotProducts() => DotProducts.Multiply(_turned, _weights, _results);
}
