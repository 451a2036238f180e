using BenchmarkDotNet.Attributes;
using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tensors;

namespace TensorCompress.Benchmarks.Kernels;

/// <summary>Products with a panel of sixteen columns, whole and narrow.</summary>
public unsafe class PanelProductBenchmarks : MatrixBenchmark
{
    private delegate void Product(in PanelOperands operands);

    private MatrixView<float> _rows, _panel, _results;
    private Product _kernel = null!;

    [Params(9, 16)]
    public int Columns { get; set; }

    [Params(1, 64)]
    public int Rows { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        (_rows, _panel, _results) = (Random(Rows, 256), Random(256, 16), Random(Rows, 16));
        _kernel = Choose<Product>(PanelProduct.Core<Simd512>, PanelProduct.Core<Simd256>, PanelProduct.Core<Simd128>, PanelProduct.Core<SimdScalar>);
    }

    [Benchmark(Baseline = true)]
    public void PlainLoop()
    {
        for (int row = 0; row < Rows; row++)
        {
            Span<float> y = _results.Row(row)[..Columns], weights = _rows.Row(row);
            y.Clear();
            for (int k = 0; k < weights.Length; k++)
            {
                Span<float> values = _panel.Row(k);
                for (int i = 0; i < y.Length; i++) y[i] += weights[k] * values[i];
            }
        }
    }

    [Benchmark]
    public void Kernel() => _kernel(new PanelOperands
    {
        A = _rows.Pointer,
        RowStride = _rows.Stride,
        DepthStride = 1,
        Rows = Rows,
        Depth = _rows.Columns,
        Panel = _panel.Pointer,
        PanelStride = 16,
        Result = _results.Pointer,
        ResultStride = 16,
        Width = Columns,
    });
}
