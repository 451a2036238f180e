using BenchmarkDotNet.Attributes;
using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tensors;

namespace TensorCompress.Benchmarks.Kernels;

/// <summary>Products of float weights for one token and for several.</summary>
public class DotProductsBenchmarks : MatrixBenchmark
{
    private MatrixView<float> _weights, _inputs, _results;
    private MatrixKernel _kernel = null!;

    [Params(91, 576)]
    public int Columns { get; set; }

    [Params(1, 16)]
    public int Tokens { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        (_weights, _inputs, _results) = (Random(192, Columns), Random(Tokens, Columns), Random(Tokens, 192));
        _kernel = Choose<MatrixKernel>(
            (w, x, y) => DotProducts.Core<Simd512, Slice512, SingleElement>(Rows(w), x, y), (w, x, y) => DotProducts.Core<Simd256, Slice256, SingleElement>(Rows(w), x, y),
            (w, x, y) => DotProducts.Core<Simd128, Slice128, SingleElement>(Rows(w), x, y), (w, x, y) => DotProducts.Core<SimdScalar, SliceScalar, SingleElement>(Rows(w), x, y));
    }

    [Benchmark(Baseline = true)]
    public void PlainLoop()
    {
        for (int token = 0; token < Tokens; token++)
        {
            Span<float> x = _inputs.Row(token), y = _results.Row(token);
            for (int row = 0; row < y.Length; row++)
            {
                Span<float> w = _weights.Row(row);
                float sum = 0;
                for (int i = 0; i < w.Length; i++) sum += w[i] * x[i];
                y[row] = sum;
            }
        }
    }

    [Benchmark]
    public void Kernel() => _kernel(_weights, _inputs, _results);

    private static unsafe WeightRows<SingleElement> Rows(MatrixView<float> weights) => new((SingleElement*)weights.Pointer, weights.Stride, weights.Rows);
}
