using BenchmarkDotNet.Attributes;
using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tensors;

namespace TensorCompress.Benchmarks.Kernels;

/// <summary>Integer products of weight codes and activation codes, beside the same number of integer multiply-adds in a plain loop.</summary>
public class CodeProductsBenchmarks : KernelBenchmark
{
    private const int Rows = 192, Columns = 576;

    private ActivationCodes _activations = null!;
    private readonly sbyte[] _codes = new sbyte[Rows * Columns], _x = new sbyte[Columns];
    private CodeBlocks _weights = null!;
    private Matrix<float> _results = null!;
    private Product _kernel = null!;

    private delegate void Product(CodeBlocks weights, int firstBlock, int blockCount, ActivationCodes activations, MatrixView<float> destination);

    [Params(4, 8)]
    public int Bits { get; set; }

    [Params(1, 16)]
    public int Tokens { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        (_weights, _results, _activations) = Operands(Bits, Tokens);
        _kernel = Choose<Product>(
            CodeProducts.Core<Simd512, ByteSimd512>, CodeProducts.Core<Simd256, ByteSimd256>, CodeProducts.Core<Simd128, ByteSimd128>, CodeProducts.Core<SimdScalar, ByteSimdScalar>);
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _activations.Dispose();
        _weights.Dispose();
        _results.Dispose();
    }

    [Benchmark(Baseline = true)]
    public void PlainLoop()
    {
        for (int token = 0; token < Tokens; token++)
        {
            for (int row = 0; row < Rows; row++)
            {
                int sum = 0;
                for (int i = 0; i < Columns; i++) sum += _codes[row * Columns + i] * _x[i];
                _results[token, row] = sum;
            }
        }
    }

    [Benchmark]
    public void Kernel() => _kernel(_weights, 0, _weights.Blocks, _activations, _results.View);

    private static (CodeBlocks Weights, Matrix<float> Results, ActivationCodes Activations) Operands(int bits, int tokens)
    {
        var activations = new ActivationCodes();
        activations.Reserve(tokens, Columns);
        for (int token = 0; token < tokens; token++) activations.Quantize(token, Values(token, Columns));
        return (new CodeBlocks(Rows, Columns, bits, Group: 64, HasWideScales: false), new Matrix<float>(tokens, Rows), activations);
    }
}
