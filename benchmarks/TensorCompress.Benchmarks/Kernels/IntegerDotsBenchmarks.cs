using BenchmarkDotNet.Attributes;
using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tensors;

namespace TensorCompress.Benchmarks.Kernels;

/// <summary>Sixteen rows of integers times the 8-bit activations of several tokens, beside the plain loop.</summary>
public class IntegerDotsBenchmarks : MatrixBenchmark
{
    private const int Rows = 16;

    private MatrixView<float> _weights, _inputs, _scales, _results;
    private Product _kernel = null!;

    private delegate void Product(IntegerRows<short> weights, IntegerRows<sbyte> inputs, MatrixView<float> scales, MatrixView<float> destination);

    [Params(96, 1024)]
    public int Columns { get; set; }

    [Params(2, 7, 128)]
    public int Tokens { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        (_weights, _inputs, _scales, _results) = (Random(Rows, Columns / 2), Random(Tokens, Columns / 4), Random(Tokens, 1), Random(Tokens, Rows)); // the bits of floats: any integers
        _kernel = Choose<Product>(IntegerDots.Core<Shorts512, TileOfSix>, IntegerDots.Core<Shorts256, TileOfTwo>, IntegerDots.Core<Shorts128, TileOfTwo>, IntegerDots.Core<ShortsScalar, TileOfTwo>);
    }

    [Benchmark(Baseline = true)]
    public void PlainLoop()
    {
        IntegerRows<short> weights = new(_weights);
        IntegerRows<sbyte> inputs = new(_inputs);
        for (int token = 0; token < Tokens; token++)
        {
            Span<sbyte> x = inputs.Row(token);
            Span<float> y = _results.Row(token);
            for (int row = 0; row < y.Length; row++)
            {
                Span<short> w = weights.Row(row);
                int sum = 0;
                for (int i = 0; i < w.Length; i++) sum += w[i] * x[i];
                y[row] += sum * _scales.Row(token)[0];
            }
        }
    }

    [Benchmark]
    public void Kernel() => _kernel(new IntegerRows<short>(_weights), new IntegerRows<sbyte>(_inputs), _scales, _results);
}
