using BenchmarkDotNet.Attributes;
using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tensors;

namespace TensorCompress.Benchmarks.Kernels;

/// <summary>Weighted sums of 256 value rows, as in attention, for one query row and for several.</summary>
public class WeightedRowSumBenchmarks : MatrixBenchmark
{
    private MatrixView<float> _weights, _rows, _results;
    private MatrixKernel _kernel = null!;

    [Params(50, 64)]
    public int Dimension { get; set; }

    [Params(1, 3, 32)]
    public int Tokens { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        (_weights, _rows, _results) = (Random(Tokens, 256), Random(256, Dimension), Random(Tokens, Dimension));
        _kernel = Choose<MatrixKernel>(WeightedRowSum.Core<Simd512>, WeightedRowSum.Core<Simd256>, WeightedRowSum.Core<Simd128>, WeightedRowSum.Core<SimdScalar>);
    }

    [Benchmark(Baseline = true)]
    public void PlainLoop()
    {
        for (int token = 0; token < Tokens; token++)
        {
            Span<float> y = _results.Row(token), weights = _weights.Row(token);
            y.Clear();
            for (int row = 0; row < weights.Length; row++)
            {
                Span<float> values = _rows.Row(row);
                for (int i = 0; i < y.Length; i++) y[i] += weights[row] * values[i];
            }
        }
    }

    [Benchmark]
    public void Kernel()
    {
        for (int token = 0; token < Tokens; token++) _results.Row(token).Clear();
        _kernel(_weights, _rows, _results);
    }
}
