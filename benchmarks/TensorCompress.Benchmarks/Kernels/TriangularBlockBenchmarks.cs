using BenchmarkDotNet.Attributes;
using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tensors;

namespace TensorCompress.Benchmarks.Kernels;

/// <summary>Forward substitution with a small triangle, whole and ragged, for many right-hand sides and an odd number of them.</summary>
public unsafe class TriangularBlockBenchmarks : MatrixBenchmark
{
    private delegate void Block(int rows, float* lower, float* x, nint stride, nint columns);

    private MatrixView<float> _lower, _unknowns;
    private Block _kernel = null!;

    [Params(37, 64)]
    public int Rows { get; set; }

    [Params(77, 1024)]
    public int Columns { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        (_lower, _unknowns) = (Random(Rows, TriangularBlock.MaxRows), Random(Rows, Columns));
        for (int i = 0; i < Rows; i++)
        {
            foreach (ref float value in _lower.Row(i)) value /= TriangularBlock.MaxRows; // solved over and over, the unknowns stay of their size
            _lower.Row(i)[i] = 1;
        }

        _kernel = Choose<Block>(
            TriangularBlock.Core<Register512<float>, float>, TriangularBlock.Core<Register256<float>, float>, TriangularBlock.Core<Register128<float>, float>, TriangularBlock.Core<RegisterScalar<float>, float>);
    }

    [Benchmark(Baseline = true)]
    public void PlainLoop()
    {
        for (int i = 0; i < Rows; i++)
        {
            Span<float> row = _unknowns.Row(i), factors = _lower.Row(i);
            for (int j = 0; j < i; j++)
            {
                Span<float> solved = _unknowns.Row(j);
                for (int column = 0; column < row.Length; column++) row[column] += factors[j] * solved[column];
            }

            for (int column = 0; column < row.Length; column++) row[column] /= factors[i];
        }
    }

    [Benchmark]
    public void Kernel() => _kernel(Rows, _lower.Pointer, _unknowns.Pointer, _unknowns.Stride, Columns);
}
