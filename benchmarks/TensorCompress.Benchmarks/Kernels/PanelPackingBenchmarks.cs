using BenchmarkDotNet.Attributes;
using TensorCompress.Kernels;
using TensorCompress.Tensors;

namespace TensorCompress.Benchmarks.Kernels;

/// <summary>Packing 256 k of a matrix with rows of 4096 (a stride of pages) and of 4133 elements: lines that are its rows are turned, lines that are its columns are copied.</summary>
public unsafe class PanelPackingBenchmarks : MatrixBenchmark
{
    private const int Depth = 256;

    private MatrixView<float> _matrix, _panels;

    [Params(4096, 4133)]
    public int Stride { get; set; }

    [Params(6, 16)]
    public int PanelWidth { get; set; }

    [Params(96, 1003)]
    public int Lines { get; set; }

    [GlobalSetup]
    public void Setup() => (_matrix, _panels) = (Random(1003, Stride), Random(1, (Lines + PanelWidth) * Depth + PanelPacking.Slack));

    [Benchmark(Baseline = true)]
    public void PlainLoop()
    {
        float* to = _panels.Pointer;
        for (int first = 0; first < Lines; first += PanelWidth)
        {
            for (int k = 0; k < Depth; k++)
            {
                for (int line = first; line < first + PanelWidth; line++) *to++ = line < Lines ? _matrix.Pointer[line * (nint)Stride + k] : 0;
            }
        }
    }

    [Benchmark]
    public void Rows() => PanelPacking.Pack(_matrix.Pointer, Stride, 1, Lines, Depth, PanelWidth, _panels.Pointer);

    [Benchmark]
    public void Columns() => PanelPacking.Pack(_matrix.Pointer, 1, Stride, Lines, Depth, PanelWidth, _panels.Pointer);
}
