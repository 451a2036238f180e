using BenchmarkDotNet.Attributes;
using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tensors;

namespace TensorCompress.Benchmarks.Kernels;

/// <summary>Products of signs and tables of activations; the plain loop adds and subtracts floats. <see cref="Tables"/> is what comes before them.</summary>
public class SignProductsBenchmarks : KernelBenchmark
{
    private const int Rows = 333, Columns = 1000;

    private readonly float[][] _activations = [.. Enumerable.Range(0, 16).Select(seed => Values(seed, Columns))];
    private readonly byte[] _bits = new byte[Rows * (Columns / 8)];
    private SignTables _tables = null!;
    private SignBlocks _weights = null!, _lanes = null!;
    private Matrix<float> _results = null!;
    private Product _kernel = null!, _kernelOfLanes = null!;

    private delegate void Product(SignBlocks weights, int firstBlock, int blockCount, SignTables tables, ReadOnlySpan<float> rowScales, MatrixView<float> destination);

    [Params(1, 2)]
    public int Digits { get; set; }

    [Params(1, 16)]
    public int Tokens { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        new Random(1).NextBytes(_bits);
        SignLayout layout = Width == SimdWidth.Bits512 ? SignProducts.Layout : SignLayout.Lanes;
        (_weights, _lanes) = (SignBlocks.FromRows(_bits, Rows, Columns, layout), SignBlocks.FromRows(_bits, Rows, Columns, SignLayout.Lanes));
        (_tables, _results) = (new SignTables(), new Matrix<float>(Tokens, Rows));
        _kernelOfLanes = Choose<Product>(SignProducts.Core<Simd512, Lookup512>, SignProducts.Core<Simd256, Lookup256>, SignProducts.Core<Simd128, Lookup128>, SignProducts.Scalar);
        _kernel = layout == SignLayout.Words ? SignProducts.Core<Simd512, PermutedLookup512> : _kernelOfLanes;
        Tables();
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _tables.Dispose();
        _weights.Dispose();
        _lanes.Dispose();
        _results.Dispose();
    }

    [Benchmark(Baseline = true)]
    public void PlainLoop()
    {
        for (int token = 0; token < Tokens; token++)
        {
            float[] x = _activations[token];
            for (int row = 0; row < Rows; row++)
            {
                float sum = 0;
                for (int i = 0; i < Columns; i++) sum += (_bits[row * (Columns / 8) + i / 8] & (128 >> (i % 8))) != 0 ? x[i] : -x[i];
                _results[token, row] = sum;
            }
        }
    }

    [Benchmark]
    public void Tables()
    {
        _tables.Reserve(Tokens, Columns, Digits, Width switch { SimdWidth.Bits512 => 64, SimdWidth.Bits256 => 32, _ => 16 });
        for (int token = 0; token < Tokens; token++) _tables.Build(token, 0, _activations[token], []);
    }

    [Benchmark]
    public void Kernel() => _kernel(_weights, 0, _weights.Blocks, _tables, [], _results.View);

    /// <summary>Rows as bytes of lanes where the process would take words: VPSHUFB beside VPERMB.</summary>
    [Benchmark]
    public void KernelOfLanes() => _kernelOfLanes(_lanes, 0, _lanes.Blocks, _tables, [], _results.View);
}
