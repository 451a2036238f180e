using BenchmarkDotNet.Attributes;
using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tensors;

namespace TensorCompress.Benchmarks.Kernels;

/// <summary>Products of signs and floats.</summary>
public class SignSumsBenchmarks : MatrixBenchmark
{
    private const int Rows = 333;

    private byte[] _bits = null!;
    private SignBlocks _weights = null!;
    private MatrixView<float> _activations, _results;
    private Product _kernel = null!;

    private delegate void Product(SignBlocks weights, int firstBlock, int blockCount, MatrixView<float> activations, MatrixView<float> destination);

    [Params(1000, 1024)]
    public int Columns { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _bits = new byte[Rows * ((Columns + 7) / 8)];
        new Random(1).NextBytes(_bits);
        _weights = SignBlocks.FromRows(_bits, Rows, Columns, SignProducts.Layout);
        (_activations, _results) = (Random(1, Columns), Random(1, Rows));
        _kernel = Choose<Product>(SignSums.Core<Simd512>, SignSums.Core<Simd256>, SignSums.Core<Simd128>, SignSums.Core<SimdScalar>);
    }

    [Benchmark(Baseline = true)]
    public void PlainLoop()
    {
        Span<float> x = _activations.Row(0), y = _results.Row(0);
        int rowBytes = (Columns + 7) / 8;
        for (int row = 0; row < Rows; row++)
        {
            float sum = 0;
            for (int column = 0; column < x.Length; column++) sum += (_bits[row * rowBytes + column / 8] & (128 >> (column % 8))) != 0 ? x[column] : -x[column];
            y[row] = sum;
        }
    }

    [Benchmark]
    public void Kernel() => _kernel(_weights, 0, _weights.Blocks, _activations, _results);
}
