using BenchmarkDotNet.Attributes;
using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tensors;

namespace TensorCompress.Benchmarks.Kernels;

/// <summary>Products of signs and 8-bit activations; the plain loop adds and subtracts floats. <see cref="Codes"/> is what comes before them.</summary>
public class SignCodeProductsBenchmarks : KernelBenchmark
{
    private const int Rows = 16, Columns = 1000;

    private readonly float[] _activations = Values(1, Columns);
    private readonly byte[] _bits = new byte[Rows * (Columns / 8)];
    private SignCodes _codes = null!;
    private SignBlocks _weights = null!;
    private Matrix<float> _results = null!;
    private Product _kernel = null!;

    private delegate void Product(SignBlocks weights, int firstBlock, int blockCount, SignCodes activations, ReadOnlySpan<float> rowScales, MatrixView<float> destination);

    [GlobalSetup]
    public void Setup()
    {
        new Random(1).NextBytes(_bits);
        (_weights, _codes, _results) = (SignBlocks.FromRows(_bits, Rows, Columns, SignLayout.Words), new SignCodes(), new Matrix<float>(1, Rows));
        _kernel = Choose<Product>(SignCodeProducts.Core<Simd512, ByteSimd512>, SignCodeProducts.Core<Simd256, ByteSimd256>, SignCodeProducts.Core<Simd128, ByteSimd128>, SignCodeProducts.Core<SimdScalar, ByteSimdScalar>);
        Codes();
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _codes.Dispose();
        _weights.Dispose();
        _results.Dispose();
    }

    [Benchmark(Baseline = true)]
    public void PlainLoop()
    {
        for (int row = 0; row < Rows; row++)
        {
            float sum = 0;
            for (int i = 0; i < Columns; i++) sum += (_bits[row * (Columns / 8) + i / 8] & (128 >> (i % 8))) != 0 ? _activations[i] : -_activations[i];
            _results[0, row] = sum;
        }
    }

    [Benchmark]
    public void Codes()
    {
        _codes.Reserve(1, Columns);
        _codes.Quantize(0, _activations, []);
    }

    [Benchmark]
    public void Kernel() => _kernel(_weights, 0, _weights.Blocks, _codes, [], _results.View);

    /// <summary>VPDPBUSD, which has one width; in software where the CPU has none.</summary>
    [Benchmark]
    public void KernelOfVnni() => SignCodeProducts.Core<Simd256, ByteSimdVnni>(_weights, 0, _weights.Blocks, _codes, [], _results.View);
}
