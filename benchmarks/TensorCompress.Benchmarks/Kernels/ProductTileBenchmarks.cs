using BenchmarkDotNet.Attributes;
using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tensors;

namespace TensorCompress.Benchmarks.Kernels;

/// <summary>A tile of C from packed panels: whole and ragged heights, a partial sum's whole depth and an odd one.</summary>
public unsafe class ProductTileBenchmarks : MatrixBenchmark
{
    private delegate void Tile(nint depth, float* a, nint aStep, float* b, float* c, nint stride, int rows, float alpha, float beta);

    private MatrixView<float> _a, _b, _c;
    private Tile _kernel = null!;
    private int _columns;

    [Params(3, 6)]
    public int Rows { get; set; }

    [Params(77, 256)]
    public int Depth { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _columns = 2 * Choose<Func<int>>(() => Register512<float>.Count, () => Register256<float>.Count, () => Register128<float>.Count, () => RegisterScalar<float>.Count)();
        (_a, _b, _c) = (Random(Depth, TileOfSix.Count), Random(Depth, _columns).Contiguous(Depth, _columns), Random(TileOfSix.Count, _columns));
        _kernel = Choose<Tile>(
            ProductTile.Multiply<Register512<float>, float, TileOfSix>,
            ProductTile.Multiply<Register256<float>, float, TileOfSix>,
            ProductTile.Multiply<Register128<float>, float, TileOfSix>,
            ProductTile.Multiply<RegisterScalar<float>, float, TileOfSix>);
    }

    [Benchmark(Baseline = true)]
    public void PlainLoop()
    {
        for (int row = 0; row < Rows; row++)
        {
            Span<float> y = _c.Row(row);
            y.Clear();
            for (int k = 0; k < Depth; k++)
            {
                Span<float> values = _b.Row(k);
                float factor = _a.Row(k)[row];
                for (int i = 0; i < y.Length; i++) y[i] += factor * values[i];
            }
        }
    }

    [Benchmark]
    public void Kernel() => _kernel(Depth, _a.Pointer, _a.Stride, _b.Pointer, _c.Pointer, _c.Stride, Rows, 1, 0);
}
