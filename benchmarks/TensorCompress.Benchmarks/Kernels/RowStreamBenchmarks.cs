using BenchmarkDotNet.Attributes;
using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tensors;

namespace TensorCompress.Benchmarks.Kernels;

/// <summary>Few rows times 256 rows of B, in a strip of a page and an odd one, whose rows lie pages apart.</summary>
public unsafe class RowStreamBenchmarks : MatrixBenchmark
{
    private const int Depth = 256;

    private delegate void Stream(nint rows, nint depth, nint columns, float* a, nint rowStride, nint depthStride, float* b, nint stride, float* sums);

    private MatrixView<float> _a, _b, _sums;
    private Stream _kernel = null!;

    [Params(1, 2, 7, 16)]
    public int Rows { get; set; }

    [Params(333, 1024)]
    public int Columns { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        (_a, _b, _sums) = (Random(Rows, Depth), Random(Depth, 4096), Random(Rows, Columns));
        _kernel = Choose<Stream>(RowStream.Add<Register512<float>, float>, RowStream.Add<Register256<float>, float>, RowStream.Add<Register128<float>, float>, RowStream.Add<RegisterScalar<float>, float>);
    }

    [Benchmark(Baseline = true)]
    public void PlainLoop()
    {
        for (int row = 0; row < Rows; row++)
        {
            Span<float> y = _sums.Row(row), factors = _a.Row(row);
            y.Clear();
            for (int k = 0; k < Depth; k++)
            {
                Span<float> values = _b.Row(k)[..Columns];
                for (int i = 0; i < y.Length; i++) y[i] += factors[k] * values[i];
            }
        }
    }

    [Benchmark]
    public void Kernel()
    {
        for (int row = 0; row < Rows; row++) _sums.Row(row).Clear();
        _kernel(Rows, Depth, Columns, _a.Pointer, _a.Stride, 1, _b.Pointer, _b.Stride, _sums.Pointer);
    }
}
